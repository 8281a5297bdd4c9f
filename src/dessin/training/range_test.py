"""A learning rate from a short range test (Smith, WACV 2017): raise it step by step and watch the loss.

Batches differ in difficulty more than one step changes the loss. So each batch is also given to a copy with
the weights of the start, and the difference is what is smoothed: it is the training alone.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from dessin.decisions import Decision
from dessin.models.classifier import Classifier
from dessin.progress import track
from dessin.training.batches import Step
from dessin.training.cached_views import halves_of
from dessin.training.data import Training
from dessin.training.engine import Engine, make_engine
from dessin.training.guard import check_finite
from dessin.training.seeding import reproducible, seed_step
from dessin.training.step import make_forward

_STEPS = 80
_LOWEST, _HIGHEST = 1e-6, {"adamw": 1.0, "adam": 1.0, "sgd": 10.0}
_SMOOTHING = 0.9
_STOP_AT = 4.0
# The loss has moved when it is this share of its start away from it.
_MOVED = 0.01


class RangeRow(NamedTuple):
    """One step: its rate, the loss of its batch before it, and the smoothed loss."""

    lr: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class RangeTest:
    """The rate decided for, and what was seen on the way."""

    decision: Decision[float]
    rows: tuple[RangeRow, ...]


def find_lr(training: Training) -> RangeTest:
    """Up to 80 real steps from the classifier's weights, from a rate of 1e-6 to 1 (sgd: 10).

    It is deterministic in the recipe's seed (and the number of threads), and leaves the classifier with the
    very weights that it came with.
    """
    classifier, was_training = training.classifier, training.classifier.training
    kept = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    try:
        with reproducible(training.computing.device, torch.get_num_threads()):
            rows = _measure(make_engine(training))
    finally:
        classifier.load_state_dict(kept)
        classifier.zero_grad(set_to_none=True)
        classifier.train(was_training)
    return RangeTest(choose_lr(rows, fitted=training.recipe.finetune.start != "new"), rows)


def _measure(engine: Engine) -> tuple[RangeRow, ...]:
    highest = _HIGHEST[engine.recipe.optimizer.name]
    rates = np.geomspace(_LOWEST, highest, _STEPS).tolist()
    start = copy.deepcopy(engine.classifier)
    engine.train_mode()
    start.train()
    for mine, theirs in zip(engine.classifier.modules(), start.modules(), strict=True):
        theirs.training = mine.training
    seen: list[tuple[float, float, float]] = []
    befores: list[float] = []
    moved = lowest = 0.0
    steps = itertools.chain.from_iterable(map(engine.steps, itertools.count()))
    pairs = track(zip(rates, steps, strict=False), _STEPS, "Finding the learning rate", unit="steps")
    for number, (rate, parts) in enumerate(pairs):
        before = _loss_of(engine, start, number, parts)
        loss = float(engine.stepper.take(number, rate, parts))
        if not math.isfinite(loss):
            break
        befores.append(before)
        moved = _SMOOTHING * moved + (1.0 - _SMOOTHING) * (loss - before)
        change = moved / (1.0 - _SMOOTHING ** (number + 1))
        seen.append((rate, loss, change))
        lowest, start_loss = min(lowest, change), sum(befores) / len(befores)
        if start_loss + change > _STOP_AT * (start_loss + lowest):
            break
    return tuple(RangeRow(rate, loss, start_loss + change) for rate, loss, change in seen)


def _loss_of(engine: Engine, start: Classifier, number: int, parts: Step) -> float:
    """The loss that the starting weights have on the same batch, with the same dropout."""
    forward = make_forward(start, compiled=False, halves=halves_of(start, engine.recipe))
    stepper = replace(engine.stepper, classifier=start, forward=forward)
    seed_step(stepper.seed, number)
    with torch.no_grad():
        pairs = [(stepper.mean_loss(*stepper.inputs(part)), len(part.labels)) for part in parts]
    images = sum(count for _, count in pairs)
    return sum(float(loss) * count for loss, count in pairs) / images


def choose_lr(rows: Sequence[RangeRow], *, fitted: bool = False) -> Decision[float]:
    """The rate where the smoothed loss falls most steeply, or a tenth of that at its minimum: the lower one.

    A `fitted` head is near a minimum already and soon leaves it, so there the rate at the minimum is chosen.
    Where no rate makes the loss fall by 1% (a fitted head has little to gain in a few steps), it is a tenth
    of the highest rate before the loss rises by as much.
    """
    check_finite(rows[0].loss if rows else math.nan, "training", epoch=1, step=1, rate=_LOWEST)
    rates, _, losses = np.array(rows).T
    lowest, start = int(losses.argmin()), losses[0]
    if losses[lowest] > (1.0 - _MOVED) * start:
        risen = losses > (1.0 + _MOVED) * start
        harmless = rates[max(0, int(risen.argmax()) - 1) if risen.any() else -1]
        reason = (
            f"a tenth of {harmless:.2g}, the highest rate of the range test that did the loss no harm; none "
            f"lowered it by {_MOVED:.0%} in {len(rows)} steps"
        )
        return Decision("lr", _rounded(harmless / 10.0), reason)
    slopes = np.gradient(losses, np.log(rates))
    steepest = rates[int(slopes[: lowest + 1].argmin())]
    chosen, reason = rates[lowest] / 10.0, "a tenth of the rate with the lowest loss in the range test"
    if fitted:
        chosen, reason = rates[lowest], "the lowest loss in the range test, from weights that were fitted"
    elif steepest <= chosen:
        chosen, reason = steepest, "where the loss fell most steeply in the range test"
    reason += (
        f" ({len(rows)} steps from {rates[0]:.0e} to {rates[-1]:.2g}; loss {start:.3f}, at the lowest "
        f"{losses[lowest]:.3f} at {rates[lowest]:.2g})"
    )
    return Decision("lr", _rounded(chosen), reason)


def _rounded(rate: float) -> float:
    """Two digits: more would claim what a test of some steps cannot know."""
    return float(f"{rate:.1e}")
