"""The weights that a run could end with: after each epoch, averaged as it went, averaged at the end."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from dessin.progress import say
from dessin.recipe import Recipe
from dessin.training.averaging import Averages
from dessin.training.cached_views import halves_of
from dessin.training.checkpoint import Best, Checkpoints, TrainingState
from dessin.training.curve import CurveRow
from dessin.training.engine import Engine
from dessin.training.guard import check_finite
from dessin.training.outcome import describe

_BatchNorm = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class Candidates:
    """Judges by the recipe's measure what the classifier has at the moment, and keeps the best of it."""

    engine: Engine
    averages: Averages
    checkpoints: Checkpoints

    def add_epoch(self, state: TrainingState, *, epoch: int, rate: float) -> TrainingState:
        """Close an epoch (0: the start): validate, add it to the curve, keep the weights if they are best.

        Where there is a moving average, that is what is validated and kept. The mean of the last epochs takes
        in the weights as they are trained.
        """
        averaged = averaged_at(self.engine.recipe, epoch)
        if self.averages.mean is not None and averaged:
            self.averages.mean.update(1.0 / averaged)
        train_loss = state.loss_sum / self.engine.samples if epoch else None
        with self.averages.ema.in_place() if self.averages.ema else nullcontext():
            return self._judged(state, epoch=epoch, train_loss=train_loss, rate=rate)

    def add_average(self, state: TrainingState) -> TrainingState:
        """One more candidate after the last epoch: the mean of the weights after each of the last ones.

        Stochastic weight averaging (Izmailov et al., UAI 2018). Unchanged where fewer than two came to it.
        """
        averaged = averaged_at(self.engine.recipe, state.epochs_done)
        if self.averages.mean is None or averaged < 2:
            return state
        epoch, rate = state.epochs_done, state.curve[-1].lr
        with self.averages.mean.in_place():
            estimate_statistics(self.engine, epoch=epoch - 1)
            state = self._judged(state, epoch=epoch, train_loss=None, rate=rate, averaged=averaged)
        say(describe(state.curve[-1], self.engine.recipe))
        return state

    def keep_what_counts(self, state: TrainingState) -> None:
        """Leave the best weights in the classifier, evaluating; without validation the last average."""
        classifier = self.engine.classifier
        if state.best is not None:
            self.checkpoints.restore_best(state.best, classifier)
        else:
            chosen = self.averages.mean if state.curve[-1].averaged else self.averages.ema
            if chosen is not None:
                classifier.load_state_dict(chosen.tensors)
        classifier.eval()

    def _judged(
        self, state: TrainingState, *, epoch: int, train_loss: float | None, rate: float, averaged: int = 0
    ) -> TrainingState:
        """Validate what the classifier has now, and add it to the curve."""
        engine, started = self.engine, time.monotonic()
        loss = accuracy = None
        best = state.best
        if len(engine.data.validation_rows):
            loss, accuracy = engine.validate()
            check_finite(loss, "validation", epoch=epoch, step=state.step, rate=rate, curve=state.curve)
            if best is None or _is_better(engine.recipe.train.select_by, accuracy, loss, best):
                file, sha256 = self.checkpoints.save_best(state.step, engine.classifier)
                best = Best(
                    epoch=epoch, averaged=averaged, accuracy=accuracy, loss=loss, file=file, sha256=sha256
                )
        seconds = state.seconds + time.monotonic() - started
        row = CurveRow(
            epoch=epoch,
            step=state.step,
            lr=rate,
            seconds=round(seconds, 3),
            train_loss=train_loss,
            validation_loss=loss,
            validation_accuracy=accuracy,
            averaged=averaged,
        )
        update = {"loss_sum": 0.0, "seconds": seconds, "curve": (*state.curve, row), "best": best}
        return state.model_copy(update=update)


def averaged_at(recipe: Recipe, epoch: int) -> int:
    """Of how many weights the mean consists after an epoch; it begins so that it ends with `average_last`."""
    train = recipe.train
    return max(0, epoch - (train.epochs - train.average_last)) if train.average_last else 0


@torch.no_grad()
def estimate_statistics(engine: Engine, *, epoch: int) -> None:
    """Batch statistics anew, where they are trained: the mean over an epoch's batches, augmented, unmixed.

    Averaged weights have activations that none of the weights they are averaged from had.
    """
    engine.train_mode()
    norms = [m for m in engine.classifier.modules() if isinstance(m, _BatchNorm) and m.training]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        # Cumulative: every batch counts the same.
        norm.momentum = None
    halves = halves_of(engine.classifier, engine.recipe)
    read = halves.then if halves else engine.classifier.features
    for parts in engine.steps(epoch):
        for part in parts:
            with engine.stepper.autocast:
                read(engine.stepper.pixels(part))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _is_better(select_by: str, accuracy: float, loss: float, best: Best) -> bool:
    """Of equal accuracies the smaller loss wins; of epochs equal in both, the earlier stays."""
    if select_by == "loss":
        return loss < best.loss
    return (accuracy, -loss) > (best.accuracy, -best.loss)
