"""Families proposed from what a classifier confuses, or from WordNet where the labels are its nouns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from dessin.collection.families import find_families
from dessin.committees.families.result import FamilyMap, make_families
from dessin.errors import DessinError
from dessin.statistics.intervals import group_index

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
    # Each pair's share of all confusion, less what it would be if all classes were alike.
    even = (1.0 - np.eye(len(shared))) / (len(shared) * (len(shared) - 1))
    excess = shared / shared.sum() - even
    distance = 1.0 - shared / shared.max()
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.round(distance, _DECIMALS), checks=False), "average")
    quality = modularity_by_count(excess, tree)
    chosen = count or 2 + int(np.argmax(np.round(quality[1:-1], _DECIMALS)))
    # The tree's first merges join the members of each of the families.
    parts = {i: [i] for i in range(len(shared))}
    for step, (first, second) in enumerate(tree[: len(shared) - chosen, :2].astype(int)):
        parts[len(shared) + step] = sorted(parts.pop(first) + parts.pop(second))
    return _moved(list(parts.values()), excess), quality


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


_FEWEST_CLASSES = 3
# Below this share of classes with images in both halves, the halves tell of other classes.
_SEEN_IN_BOTH = 0.9


@dataclass(frozen=True, eq=False)
class Proposal:
    """Families, how they were found in a sentence, and the modularity (C,) of cutting into 1..C families.

    `modularity` is empty where confusions were not looked at.
    """

    families: FamilyMap
    words: str
    modularity: Floats


def from_confusions(
    probabilities: NDArray[Any],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    names: Mapping[str, str],
    *,
    count: int | None = None,
) -> Proposal:
    """Families of classes that out-of-fold probabilities (N, C) confuse; `count` of them, or as many as fit.

    The order of images and of classes changes nothing. `names` are the classes' names for people.
    """
    if len(classes) < _FEWEST_CLASSES:
        raise DessinError(
            f"There are {len(classes)} classes, too few to part into families.", allowed="3 or more."
        )
    if count is not None and not 2 <= count < len(classes):
        raise DessinError(
            f"{count} families of {len(classes):,} classes were asked for.",
            allowed=f"From 2 to {len(classes) - 1:,}.",
        )
    order = np.argsort(np.asarray(classes))
    labels = [classes[i] for i in order]
    mean = soft_confusion(probabilities, targets)[np.ix_(order, order)]
    shared = shared_confusion(mean)
    if not shared.any():
        raise DessinError(
            "No class is ever confused with another, so confusions suggest no families.",
            do="Give a families.csv of your own, or use --from wordnet.",
        )
    members, quality = cluster(shared, count)
    called = [names[label] for label in labels]
    family_of, reasons = {}, {}
    for columns in members:
        # A family is named by the class in the middle of its confusions; a class alone has its own name.
        middle = columns[int(shared[np.ix_(columns, columns)].sum(axis=1).argmax())]
        name = called[middle] if len(columns) == 1 else f"{called[middle]}-like"
        for column in columns:
            family_of[labels[column]] = name
            reasons[labels[column]] = _reason(column, columns, shared, called)
    how = "as many as were asked for" if count else "the cut of the tree with the largest modularity"
    words = (
        f"{len(members)} families from the confusions of {len(targets):,} images of {len(labels):,} "
        f"classes: {how} ({quality[len(members) - 1]:.2f} before single classes moved)"
    )
    return Proposal(make_families(family_of, labels, reasons), words, quality)


def from_wordnet(classes: Sequence[str]) -> Proposal:
    """Families of labels that are WordNet ids or nouns: branches such as dogs and birds, then the rest.

    The tree itself does not ship with timm, so families are those that ranges of noun ids tell apart.
    """
    found = find_families(classes)
    if found is None:
        raise DessinError(
            f"Fewer than half of the {len(classes):,} labels are known to WordNet.",
            allowed="A label is a WordNet id such as n02084071, or an English noun such as teapot.",
            do="Use --from confusions, or write a families.csv of your own.",
        )
    branched = {family.parent for family in found.families if family.parent}
    by = "id" if found.by == "wnid" else "name"
    family_of = dict.fromkeys(classes, "other")
    reasons = dict.fromkeys(classes, f"WordNet has no noun of this {by}")
    for family in found.families:
        name = f"other {family.name}" if family.name in branched else family.name
        lineage = f"{family.name}, of the {family.parent}" if family.parent else family.name
        family_of |= dict.fromkeys(family.labels, name)
        reasons |= dict.fromkeys(family.labels, f"WordNet, by its {by}: {lineage}")
    families = make_families(family_of, classes, reasons)
    words = (
        f"{len(families.names)} families from WordNet's numbering, which knows {found.known:,} of "
        f"{found.classes:,} labels by {by}"
    )
    return Proposal(families, words, np.zeros(0))


def stability(
    probabilities: NDArray[Any], targets: NDArray[np.int64], groups: NDArray[Any], *, count: int
) -> float | None:
    """How far `count` families from one half of each class's groups agree with those from the other half.

    None where that cannot be said: too many classes have all of their images in one group, or a half has no
    confusion.
    """
    half, classes = _halves(targets, groups), probabilities.shape[1]
    found = []
    for own in (half == 0, half == 1):
        shared = shared_confusion(soft_confusion(probabilities[own], targets[own]))
        if len(np.unique(targets[own])) < _SEEN_IN_BOTH * classes or not shared.any():
            return None
        numbers = np.empty(classes, dtype=np.int64)
        for number, columns in enumerate(cluster(shared, count)[0]):
            numbers[columns] = number
        found.append(numbers)
    return agreement(*found)


def _halves(targets: NDArray[np.int64], groups: NDArray[Any]) -> NDArray[np.int64]:
    """0 or 1 for each image, (N,): every second group of a class."""
    pairs = np.stack([targets, group_index(groups)])
    unique, place = np.unique(pairs, axis=1, return_inverse=True)
    first_of_class = np.searchsorted(unique[0], unique[0])
    rank = np.arange(unique.shape[1]) - first_of_class
    return np.asarray((rank % 2)[place.ravel()], dtype=np.int64)


def agreement(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """How far two ways of numbering classes by family, (C,), agree: the adjusted Rand index.

    1 for the same families, about 0 for families that have nothing to do with each other (Hubert and Arabie,
    "Comparing partitions", Journal of Classification, 1985).
    """
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    both, one, other = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = one * other / pairs(np.array([float(len(first))]))
    most = (one + other) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _reason(column: int, columns: Sequence[int], shared: Floats, called: Sequence[str]) -> str:
    if len(columns) == 1:
        other = int(shared[column].argmax())
        return f"alone: shares {shared[column, other]:.1%} of its confusion with {called[other]}, no more"
    nearest = max((c for c in columns if c != column), key=lambda c: (shared[column, c], -c))
    return f"shares {shared[column, nearest]:.1%} of its confusion with {called[nearest]}"
