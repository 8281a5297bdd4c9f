"""Results class by class, and which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.evaluation.intervals import Estimate, wilson

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ClassResult:
    """One class: `n` images of it; what cannot be said (no image, never predicted) is None.

    The recall's interval is Wilson's with as many observations as the class has groups.
    """

    label: str
    n: int
    recall: Estimate | None
    precision: float | None
    f1: float | None
    confused_with: str
    confused_count: int


@dataclass(frozen=True)
class Confusion:
    """`count` images of `label` were taken for `predicted`: the `share` of that label's images."""

    label: str
    predicted: str
    count: int
    share: float


def confusion_matrix(targets: Integers, predicted: Integers, classes: int) -> Integers:
    """How often class i was taken for class j, (C, C) int64."""
    flat = np.bincount(targets * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def class_results(
    matrix: Integers, targets: Integers, index: Integers, labels: Sequence[str]
) -> tuple[ClassResult, ...]:
    """One row a class, in class order. `index` (N,) numbers the images' groups."""
    pairs = np.unique(np.stack([targets, index]), axis=1)
    groups = np.bincount(pairs[0], minlength=len(labels))
    support, named, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    wrong = matrix - np.diag(right)
    rows = []
    for c, label in enumerate(labels):
        n, other = int(support[c]), int(wrong[c].argmax())
        count = int(wrong[c, other])
        rows.append(
            ClassResult(
                label=label,
                n=n,
                recall=wilson(int(right[c]) / n, int(groups[c]), n=n) if n else None,
                precision=int(right[c]) / int(named[c]) if named[c] else None,
                f1=2 * int(right[c]) / int(support[c] + named[c]) if n else None,
                confused_with=labels[other] if count else "",
                confused_count=count,
            )
        )
    return tuple(rows)


def confusion_pairs(matrix: Integers, labels: Sequence[str]) -> tuple[Confusion, ...]:
    """Every pair that occurred, most frequent first; ties by share, then by class order."""
    support = matrix.sum(axis=1)
    pairs = [
        Confusion(labels[i], labels[j], int(matrix[i, j]), int(matrix[i, j]) / int(support[i]))
        for i, j in np.argwhere(matrix > 0)
        if i != j
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share)))
