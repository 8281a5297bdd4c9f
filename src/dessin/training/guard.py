"""What must not pass in silence: a loss that is no number, a run at chance, nothing to learn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from dessin.errors import DessinError
from dessin.models.losses import Loss, make_loss, mean_loss
from dessin.progress import warn
from dessin.recipe import Recipe
from dessin.training.curve import CurveRow
from dessin.training.data import Rows, TrainingData

_CONFIDENCE = 0.999
# A loss has fallen when it is so far below that of a constant answer,
_FALLEN = 0.98
# or it is on its way: not above this, and smaller by this share with each of the last epochs.
_NEAR, _PACE, _LAST = 1.02, 0.001, 3
# A loss that was above this many times a constant answer's comes down from an explosion; that is no learning.
_EXPLODED = 1.5
# So many times that much no run has after a few steps that only began badly.
_FAR = 5.0
# So many steps at the full rate before a run is judged.
_PATIENCE_STEPS = 20
_UNKNOWN: dict[str, object] = dict.fromkeys(
    ("epoch", "step", "lr", "loss_first", "loss_now", "loss_constant", "accuracy", "interval")
)


class Collapsed(DessinError):  # noqa: N818 (a state of a run, as its record calls it)
    """A run that came to nothing, with its curve until then (empty for a range test).

    `evidence` says where it stood, for the record: `reason` (`not finite` or `at chance`) and the keys of
    `_UNKNOWN`; `interval` is two accuracies.
    """

    def __init__(
        self, seen: str, *, do: str, evidence: dict[str, object], curve: Sequence[CurveRow] = ()
    ) -> None:
        self.evidence, self.curve = evidence, tuple(curve)
        super().__init__(seen, do=do)


@dataclass(frozen=True)
class Chance:
    """What knowing nothing comes to, in hits of a validation set and in losses.

    `low` to `high` hits of `count` hold 99.9% of the binomial of answers that are right with 1 / C, and
    whatever always answering one class gives. `loss` (in training) and `validation_loss` (cross-entropy) are
    those of a constant answer. `telling` is false where so few images cannot tell chance from skill.
    """

    low: int
    high: int
    count: int
    loss: float
    validation_loss: float
    telling: bool

    def covers(self, accuracy: float) -> bool:
        return self.low <= round(accuracy * self.count) <= self.high

    @property
    def interval(self) -> tuple[float, float]:
        return self.low / self.count, self.high / self.count


def chance_of(
    validation_labels: Rows, train_labels: Rows, classes: int, loss: Loss, weights: Tensor | None
) -> Chance:
    """The chance level of a validation set (at least one image) and of a loss on the training set."""
    # Loaded here: it takes a second, and many verbs that train nothing import this module.
    from scipy.stats import binom

    count, probability = len(validation_labels), 1.0 / classes
    tail = (1.0 - _CONFIDENCE) / 2.0
    shares = np.bincount(validation_labels, minlength=classes)
    low, high = (int(binom.ppf(edge, count, probability)) for edge in (tail, 1.0 - tail))
    return Chance(
        low=min(low, int(shares.min())),
        high=max(high, int(shares.max())),
        count=count,
        loss=_constant_loss(train_labels, train_labels, classes, loss, weights),
        validation_loss=_constant_loss(
            train_labels, validation_labels, classes, make_loss("cross_entropy"), None
        ),
        telling=high / count <= (1.0 + probability) / 2.0,
    )


def _constant_loss(learnt: Rows, asked: Rows, classes: int, loss: Loss, weights: Tensor | None) -> float:
    """The mean loss of giving every image the shares that the classes have among those learnt from."""
    learnt_counts, asked_counts = (
        torch.bincount(torch.from_numpy(labels), minlength=classes).double() for labels in (learnt, asked)
    )
    importance = torch.ones(classes).double() if weights is None else weights.cpu().double()
    shares = (learnt_counts * importance / (learnt_counts * importance).sum()).clamp_min(1e-9)
    targets = torch.eye(classes).repeat(2, 1)
    # Features that tell nothing apart, two images a class, for losses that compare images.
    values = loss(shares.log().float().expand(2 * classes, -1), targets, torch.zeros(2 * classes, 2))
    return float(mean_loss(values, targets, (asked_counts * importance).float()))


def check_finite(
    value: float, what: str, *, epoch: int, step: int, rate: float, curve: Sequence[CurveRow] = ()
) -> None:
    """Stop when a loss is NaN or infinite, before a checkpoint has what it does to the weights."""
    if not math.isfinite(value):
        raise Collapsed(
            f"The {what} loss became {value} at step {step}, in epoch {epoch}, with a learning rate of "
            f"{rate:.3g}.",
            do="Lower optimizer.lr (a third is a good next try), lengthen optimizer.warmup_epochs, or use "
            "train.precision: float32; then start a new run.",
            evidence={**_UNKNOWN, "reason": "not finite", "epoch": epoch, "step": step, "lr": rate},
            curve=curve,
        )


def check_collapse(curve: Sequence[CurveRow], chance: Chance, *, epochs: int, rise_steps: int) -> None:
    """Stop a run that has come to nothing.

    That is: validation accuracy at chance after two epochs in a row (or the last one of all `epochs`), both
    ended well after the `rise_steps` of the learning rate, while neither the training nor the validation
    loss has fallen below what a constant answer has. A loss near that and smaller with each epoch is taken
    for slow, and goes on. A run that ends exploded has come to nothing however few its steps and images were,
    unless what it began from, or an epoch, is above chance: that is kept.
    """
    trained = [row for row in curve if row.epoch > 0 and not row.averaged]
    ended = bool(trained) and trained[-1].epoch == epochs
    exploded = ended and _has_exploded(trained[-1], chance) and not _knew(curve, chance)
    ripe = [row for row in trained if row.step >= rise_steps + _PATIENCE_STEPS or exploded]
    needed = 1 if ended else 2
    found = [row.validation_accuracy for row in ripe[-needed:] if row.validation_accuracy is not None]
    telling = chance.telling or exploded
    if not telling or len(found) < needed or not all(map(chance.covers, found)):
        return
    losses = [row.train_loss for row in trained if row.train_loss is not None]
    validation = [row.validation_loss for row in trained if row.validation_loss is not None]
    if _falls(losses, chance.loss) or _falls(validation, chance.validation_loss):
        return
    last = trained[-1]
    low, high = chance.interval
    raise Collapsed(
        f"Training came to nothing: after epoch {last.epoch} the validation accuracy is "
        f"{last.validation_accuracy:.1%}, which is chance ({low:.1%} to {high:.1%}), and the training loss "
        f"is {losses[-1]:.4g}, where always giving the same answer has {chance.loss:.4g}.",
        do=f"Lower optimizer.lr, which was {last.lr:.3g} (a tenth is a good next try; if that is "
        "far below 1e-5, raise it instead), and check that the labels are right.",
        evidence={
            "reason": "at chance",
            "epoch": last.epoch,
            "step": last.step,
            "lr": last.lr,
            "loss_first": losses[0],
            "loss_now": losses[-1],
            "loss_constant": chance.loss,
            "accuracy": last.validation_accuracy,
            "interval": [low, high],
        },
        curve=curve,
    )


def _knew(curve: Sequence[CurveRow], chance: Chance) -> bool:
    """Whether the weights were above chance at any time."""
    found = (row.validation_accuracy for row in curve)
    return any(accuracy is not None and not chance.covers(accuracy) for accuracy in found)


def _has_exploded(row: CurveRow, chance: Chance) -> bool:
    """Whether both losses are far above a constant answer's, as no bad beginning is."""
    losses = (row.train_loss, chance.loss), (row.validation_loss, chance.validation_loss)
    return all(loss is not None and loss > _FAR * constant for loss, constant in losses)


def _falls(losses: Sequence[float], constant: float) -> bool:
    if losses[-1] < _FALLEN * constant:
        return True
    steady = all(later < (1.0 - _PACE) * earlier for earlier, later in pairwise(losses[-_LAST:]))
    slow = len(losses) > 1 and steady and losses[-1] < _NEAR * constant
    return slow and max(losses) < _EXPLODED * constant


def check_measured(recipe: Recipe, data: TrainingData) -> None:
    """Refuse what acts on the validation results where there are none."""
    waiting = ["train.early_stop"] if recipe.train.early_stop is not None else []
    waiting += ["optimizer.schedule: plateau"] if recipe.optimizer.schedule == "plateau" else []
    if waiting and not len(data.validation_rows):
        raise DessinError(
            f"There are no validation images, and {' and '.join(waiting)} would wait for their results.",
            do="Choose a fold to validate on, or take that out of the recipe.",
        )


def warn_before(recipe: Recipe, data: TrainingData) -> None:
    """Say what is missing before hours are spent on it."""
    if not recipe.pipeline.changes_anything:
        warn("No augmentation: every epoch trains on the very same pixels, prepared as for evaluation.")
    if len(data.validation_rows) == 0:
        warn("No validation images: the last epoch counts, and nothing measures whether it is the best.")


def warn_of_chance(accuracy: float, data: TrainingData) -> None:
    """Say when an accuracy is no better than always answering the commonest class (one-sided 97.5%)."""
    count = len(data.validation_labels)
    chance = float(np.bincount(data.validation_labels).max()) / count
    if accuracy <= chance + 1.96 * math.sqrt(chance * (1.0 - chance) / count):
        warn(
            f"The best validation accuracy is {accuracy:.1%}, which is chance level: always answering the "
            f"commonest class gives {chance:.1%}. Check the labels and the learning rate first."
        )
