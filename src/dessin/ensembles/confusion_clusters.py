"""Classes grouped by what a classifier confuses.

Confusions are soft: the mean probability that images of a class give to another. That says something with
four images a class, where counts of wrong answers are mostly zeros. They are balanced so that every class
shares the same in all (Sinkhorn, 1964): else what is often named would seem near to everything, and small
families would vanish beside large ones. Classes are joined by average linkage, and the tree is cut where
what families share inside exceeds most what they would if all classes were alike: at the largest modularity
(Newman and Girvan, "Finding and evaluating community structure in networks", Physical Review E, 2004). Then
single classes move to other families as long as that gains; families from two halves of the same images
agree more for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

Floats = NDArray[np.float64]

# Decimals that survive another order of summation; beyond them equal confusions would be told apart.
_DECIMALS = 9
_SWEEPS = 200
# The share of all confusion that is spread evenly.
_EVEN = 1e-3


def soft_confusion(probabilities: NDArray[Any], targets: NDArray[np.int64]) -> Floats:
    """The mean probability (C, C) that images of class i give to class j; 0 for a class without images."""
    classes = probabilities.shape[1]
    sums = np.zeros((classes, classes))
    np.add.at(sums, targets, np.asarray(probabilities, dtype=np.float64))
    return np.asarray(sums / np.maximum(1, np.bincount(targets, minlength=classes))[:, None])


def shared_confusion(mean: Floats) -> Floats:
    """What two classes share, (C, C): symmetric, no diagonal, rows sum to 1; all zeros without confusions."""
    shared = np.round((mean + mean.T) / 2, _DECIMALS)
    np.fill_diagonal(shared, 0.0)
    if not shared.any():
        return np.asarray(shared)
    classes = len(shared)
    # Without a little that all share, a class that is never confused could not be balanced.
    shared = shared + _EVEN * shared.sum() / (classes * (classes - 1)) * (1.0 - np.eye(classes))
    scale = np.ones(classes)
    for _ in range(_SWEEPS):
        scale = np.sqrt(scale / (shared @ scale))
    return np.asarray(np.round(shared * np.outer(scale, scale), _DECIMALS))


def cluster(shared: Floats, count: int | None = None) -> tuple[list[list[int]], Floats]:
    """The classes of each family, and the modularity (C,) of the tree's cuts into 1, 2, .. C families.

    `shared` is what `shared_confusion` gives, not all zeros. Without `count` there are as many families as
    the best cut has; of equally good ones, the fewest.
    """
    excess = _excess(shared)
    distance = 1.0 - shared / shared.max()
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.round(distance, _DECIMALS), checks=False), "average")
    quality = modularity_by_count(excess, tree)
    chosen = count or 2 + int(np.argmax(np.round(quality[1:-1], _DECIMALS)))
    return _moved(_cut(tree, len(shared), chosen), excess), quality


def modularity_by_count(excess: Floats, tree: Floats) -> Floats:
    """The modularity (C,) of the tree's cuts into 1, 2, .. C families.

    `excess` (C, C) is symmetric without a diagonal: each pair's share of everything, less an even share.
    """
    classes, joined = len(excess), excess.copy()
    row = {i: i for i in range(classes)}
    value = 0.0
    quality = np.zeros(classes)
    for step, (first, second) in enumerate(tree[:, :2].astype(int)):
        kept, gone = row[first], row[second]
        value += 2 * float(joined[kept, gone])
        joined[kept] += joined[gone]
        joined[:, kept] += joined[:, gone]
        row[classes + step] = kept
        quality[classes - step - 2] = value
    return quality


def _excess(shared: Floats) -> Floats:
    """Each pair's share of all confusion, less what it would be if all classes were alike, (C, C)."""
    classes = len(shared)
    even = (1.0 - np.eye(classes)) / (classes * (classes - 1))
    return np.asarray(shared / shared.sum() - even)


def _cut(tree: Floats, classes: int, count: int) -> list[list[int]]:
    """The members of each of `count` families: what the tree's first merges join."""
    parts = {i: [i] for i in range(classes)}
    for step, (first, second) in enumerate(tree[: classes - count, :2].astype(int)):
        parts[classes + step] = sorted(parts.pop(first) + parts.pop(second))
    return list(parts.values())


def _moved(members: list[list[int]], excess: Floats) -> list[list[int]]:
    """Families after classes moved, one by one in their order, to where the modularity gains most."""
    inside = np.zeros((len(excess), len(members)))
    for number, columns in enumerate(members):
        inside[columns, number] = 1.0
    for _ in range(_SWEEPS):
        before = inside.copy()
        for row in range(len(excess)):
            own = int(inside[row].argmax())
            gains = np.round(excess[row] @ inside, _DECIMALS)
            best = int(gains.argmax())
            if gains[best] > gains[own] and inside[:, own].sum() > 1:
                inside[row, own], inside[row, best] = 0.0, 1.0
        if (inside == before).all():
            break
    return [np.flatnonzero(column).tolist() for column in inside.T]
