"""What an evaluation computes: metrics, what several views gain, and how far two answers are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.collection.split.files import Assignment
from dessin.committees.ensemble.result import ViewsGain
from dessin.statistics.comparison import compare
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.metrics import Metrics, measure
from dessin.statistics.temperature import log_probabilities, tempered

_SAME_TEMPERATURE = 1e-3
MATTERS = 0.02


def measured(predictions: Predictions, rows: Iterable[Assignment], *, seed: int) -> Metrics:
    """The metrics of predictions; `rows` of the split say which images belong together."""
    groups = _groups(predictions, rows)
    return measure(predictions.probabilities, predictions.targets, groups, predictions.classes, seed=seed)


def views_gain(
    views: tuple[str, ...], plain: Predictions, seen: Predictions, rows: Sequence[Assignment]
) -> ViewsGain:
    """What the mean over views has right that the plain view has not, paired by image."""
    groups = _groups(plain, rows)
    right = two_models(seen.correct, plain.correct, groups)
    (gain,) = compare([(", ".join(views), "the plain view", right)], MATTERS)
    return ViewsGain(views=views, plain=bootstrap_mean(plain.correct, groups), gain=gain)


def _groups(predictions: Predictions, rows: Iterable[Assignment]) -> list[str]:
    group_of = {row.image_id: row.group for row in rows}
    return [group_of[image_id] for image_id in predictions.image_ids]


def as_tempered(before: Predictions, now: Predictions) -> Predictions:
    """Earlier predictions at the temperature of the present ones: `calibrate --write` may have changed it.

    A temperature multiplies all logarithms of an image's probabilities, up to a constant, by one number.
    """
    table = _joined(before, now)
    if table is None:
        return before
    earlier, present = _centred(table), _centred(now.probabilities)
    square = float((present * earlier).sum())
    ratio = float((earlier**2).sum()) / square if square > 0 else 1.0
    if abs(ratio - 1.0) < _SAME_TEMPERATURE:
        return before
    return replace(before, probabilities=tempered(before.probabilities, ratio).astype(np.float32))


def largest_difference(before: Predictions, now: Predictions) -> float:
    """The largest difference of a probability, joined by image id; infinite where the images differ."""
    table = _joined(before, now)
    return float("inf") if table is None else float(np.abs(table - now.probabilities).max())


def _joined(before: Predictions, now: Predictions) -> NDArray[np.float32] | None:
    """Earlier probabilities in the order of the present ones; None where these are of other images."""
    if set(before.image_ids) != set(now.image_ids) or before.classes != now.classes:
        return None
    return before.table(now.image_ids, now.classes)


def _centred(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithms (N, C) with a mean of 0 for each image."""
    logarithms = log_probabilities(probabilities.astype(np.float64))
    return np.asarray(logarithms - logarithms.mean(axis=1, keepdims=True))
