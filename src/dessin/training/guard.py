"""What must not pass in silence: a diverged loss, training pixels equal to evaluation's, a run at chance."""

from __future__ import annotations

import math

import numpy as np

from dessin.errors import DessinError
from dessin.progress import warn
from dessin.recipe import Recipe
from dessin.training.data import TrainingData


def check_finite(value: float, what: str, when: str, rate: float) -> None:
    """Stop when a loss is NaN or infinite, before it reaches the weights or a checkpoint.

    Raises:
        DessinError: it says which loss, when, the learning rate, and what to change.
    """
    if not math.isfinite(value):
        raise DessinError(
            f"The {what} loss became {value} {when}, with a learning rate of {rate:.3g}.",
            do="Lower optimizer.lr (a third is a good next try), lengthen optimizer.warmup_epochs, or use "
            "train.precision: float32; then start a new run.",
        )


def warn_before(recipe: Recipe, data: TrainingData) -> None:
    """Say what is missing before hours are spent on it."""
    if not recipe.augment:
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


def warn_of_no_gain() -> None:
    """Say when no epoch was better than the probe that training began from."""
    warn("Training did not improve on the probe, so the probe's weights are kept. A smaller lr may help.")


def warn_of_time(done: int, planned: int) -> None:
    """Say when the time allowed ended a run before its last epoch."""
    warn(f"Training stops after epoch {done} of {planned}: another would take longer than the time allowed.")
