"""What a run's report counts: the parts of its split, the classes of a measured set, its surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.collection.split.files import Assignment, Split
from dessin.statistics.metrics import ClassResult, Metrics


@dataclass(frozen=True)
class SplitPart:
    """One part of a split; `share` is of all its images."""

    name: str
    images: int
    groups: int
    classes: int
    share: float


def split_part(name: str, rows: Sequence[Assignment], split: Split) -> SplitPart:
    return SplitPart(
        name=name,
        images=len(rows),
        groups=len({row.group for row in rows}),
        classes=len({row.label for row in rows}),
        share=len(rows) / len(split.rows),
    )


def run_parts(split: Split, fold: int | str) -> tuple[SplitPart, ...]:
    """Training, validation and holdout of a run, as far as it has them."""
    number = None if isinstance(fold, str) else fold
    parts = {
        "training": split.training(number),
        "validation": () if number is None else split.validation(number),
        "holdout": split.held_out(),
    }
    return tuple(split_part(name, rows, split) for name, rows in parts.items() if rows)


def worst_first(metrics: Metrics, names: Mapping[str, str]) -> tuple[ClassResult, ...]:
    """The classes that have images in the set, the least recognised first."""
    rows = [(row, row.recall.value) for row in metrics.per_class if row.recall is not None]
    ordered = sorted(rows, key=lambda pair: (pair[1], -pair[0].n, names[pair[0].label]))
    return tuple(row for row, _ in ordered)


def surest_mistakes(predictions: Predictions, most: int) -> NDArray[np.int64]:
    """The rows of the wrong answers that the model was surest of: its own errors, or the labels'."""
    best = predictions.order[:, 0]
    wrong = np.flatnonzero(best != predictions.targets)
    sureness = predictions.probabilities[wrong, best[wrong]]
    return wrong[np.argsort(-sureness, kind="stable")[:most]]


def surest(predictions: Predictions, wanted: NDArray[np.bool_], label: str, most: int) -> tuple[str, ...]:
    """The image ids of the wanted rows (N,) bool, those that look most like the class `label` first."""
    rows = np.flatnonzero(wanted)
    sureness = predictions.probabilities[rows, predictions.classes.index(label)]
    chosen = rows[np.argsort(-sureness, kind="stable")][:most]
    return tuple(predictions.image_ids[row] for row in chosen)


def chance_level(predictions: Predictions) -> float:
    """The accuracy of always answering the set's most frequent class."""
    return float(np.bincount(predictions.targets).max() / len(predictions.labels))
