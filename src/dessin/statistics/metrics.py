"""How good probabilities are: the table of metrics, each with a 95% interval; class by class, and which class
is taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.statistics.headline import METRICS, Integers, Metric
from dessin.statistics.intervals import (
    FEW_GROUPS,
    Estimate,
    Floats,
    bootstrap,
    bootstrap_mean,
    group_index,
    wilson,
)


@dataclass(frozen=True)
class Metrics:
    """Results on one set of images by the names of `METRICS`; `absent` are the classes without an image."""

    n: int
    results: Mapping[str, Estimate]
    per_class: tuple[ClassResult, ...]
    confusions: tuple[Confusion, ...]
    absent: tuple[str, ...]

    @property
    def accuracy(self) -> Estimate:
        return self.results["accuracy"]

    @property
    def loss(self) -> Estimate:
        return self.results["loss"]

    def items(self) -> tuple[tuple[Metric, Estimate], ...]:
        """Each metric with its value, in the order of the table."""
        return tuple((metric, self.results[metric.name]) for metric in METRICS)


def measure(
    probabilities: NDArray[Any],
    targets: NDArray[Any],
    groups: Sequence[str] | NDArray[Any],
    classes: Sequence[str],
    *,
    seed: int = 0,
) -> Metrics:
    """Measure probabilities (N, C) against class numbers (N,), resampling whole `groups` (N,).

    Raises:
        DessinError: no image, shapes that do not agree, or probabilities that are not a distribution.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(targets, dtype=np.int64)
    _check(table, truth, len(groups), len(classes))
    index = group_index(groups)
    predicted = table.argmax(axis=1)
    means = [metric.per_image(table, truth) for metric in METRICS if metric.per_image]
    per_image = np.stack([np.ones(len(truth)), *means], axis=1)
    sums = _group_sums(per_image, truth, predicted, index, len(classes))
    bounds = [metric.bounds for metric in METRICS]
    sizes = np.bincount(index).astype(np.float64)
    estimates = bootstrap(sums, _of_totals, bounds, n=len(truth), sizes=sizes, seed=seed)
    matrix = confusion_matrix(truth, predicted, len(classes))
    per_class = class_results(matrix, truth, predicted, index, classes)
    absent = tuple(row.label for row in per_class if not row.n)
    confusions = confusion_pairs(matrix, classes)
    results = {metric.name: estimate for metric, estimate in zip(METRICS, estimates, strict=True)}
    return Metrics(len(truth), results, per_class, confusions, absent)


def _check(table: Floats, truth: NDArray[np.int64], groups: int, classes: int) -> None:
    if not len(truth):
        raise DessinError(
            "There is no image to evaluate on.",
            do="Choose a fold or a holdout that holds images, or make a new split.",
        )
    if table.shape != (len(truth), classes) or groups != len(truth):
        raise DessinError(
            f"The probabilities are {table.shape}, with {len(truth)} labels and {groups} groups.",
            allowed=f"Needed is a row for each image and a column for each of the {classes} classes.",
        )
    if truth.min() < 0 or truth.max() >= classes:
        raise DessinError(
            f"Class numbers run from {truth.min()} to {truth.max()}.", allowed=f"They are 0 to {classes - 1}."
        )
    if not (np.isfinite(table).all() and (table >= 0).all() and np.allclose(table.sum(axis=1), 1, atol=1e-3)):
        raise DessinError(
            "Some rows of probabilities are not a distribution (negative, not finite, or no sum of 1).",
            do="Look at the training curve: the model may have collapsed; a smaller learning rate helps.",
        )


def _group_sums(
    per_image: Floats,
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    index: NDArray[np.int64],
    classes: int,
) -> Any:
    """Each group's sums: the columns of `per_image`, then right, predicted and true counts of every class."""
    from scipy import sparse

    rows = np.arange(len(truth))
    right = (predicted == truth).astype(np.float64)
    blocks = [sparse.csr_matrix(per_image)]
    for columns, weights in ((truth, right), (predicted, np.ones_like(right)), (truth, np.ones_like(right))):
        blocks.append(sparse.csr_matrix((weights, (rows, columns)), shape=(len(truth), classes)))
    members = sparse.csr_matrix((np.ones(len(truth)), (index, rows)), shape=(index.max() + 1, len(truth)))
    return (members @ sparse.hstack(blocks, format="csr")).tocsr()


def _of_totals(totals: Floats) -> Floats:
    """The metrics, (R, M), of totals (R, 1 + K + 3C): images, sums of the K means, and counts of classes."""
    averaged = [metric.name for metric in METRICS if metric.per_image]
    n, *sums = totals[:, : 1 + len(averaged)].T
    counts = np.split(totals[:, 1 + len(averaged) :], 3, axis=1)
    means = {name: total / n for name, total in zip(averaged, sums, strict=True)}
    columns = [metric.of_counts(*counts) if metric.of_counts else means[metric.name] for metric in METRICS]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class ClassResult:
    """One class: `n` images of it; what cannot be said (no image, never predicted) is None.

    The recall's interval is Wilson's with as many observations as the class has groups, of ten and fewer
    groups that of any mean.
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
    matrix: Integers, targets: Integers, predicted: Integers, index: Integers, labels: Sequence[str]
) -> tuple[ClassResult, ...]:
    """One row a class, in class order. `index` (N,) numbers the images' groups."""
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
                recall=_recall(predicted[targets == c] == c, index[targets == c]) if n else None,
                precision=int(right[c]) / int(named[c]) if named[c] else None,
                f1=2 * int(right[c]) / int(support[c] + named[c]) if n else None,
                confused_with=labels[other] if count else "",
                confused_count=count,
            )
        )
    return tuple(rows)


def _recall(right: NDArray[np.bool_], index: Integers) -> Estimate:
    """The share of a class's images that are `right` (n,), in the groups `index` (n,)."""
    groups = len(np.unique(index))
    if groups < FEW_GROUPS:
        return bootstrap_mean(right, index, bounds=(0.0, 1.0))
    return wilson(float(right.mean()), groups, n=len(right))


def confusion_pairs(matrix: Integers, labels: Sequence[str]) -> tuple[Confusion, ...]:
    """Every pair that occurred, most frequent first; ties by share, then by class order."""
    support = matrix.sum(axis=1)
    pairs = [
        Confusion(labels[i], labels[j], int(matrix[i, j]), int(matrix[i, j]) / int(support[i]))
        for i, j in np.argwhere(matrix > 0)
        if i != j
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share)))
