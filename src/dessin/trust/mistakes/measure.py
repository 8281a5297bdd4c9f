"""Classes from worst to best, which is taken for which, and groups of classes confused with one another.

Is a class worse than the rest, or are its few drawings unlucky? If classes were alike, the groups of a class
would be any groups: so many groups are drawn from all, again and again, and the class's recall is compared
with theirs (Good, "Permutation Tests", 2000). Drawings of one group stay together, so a class with one group
can hardly be told from an unlucky one, however many drawings it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dessin.committees.families.proposals import (
    cluster,
    from_confusions,
    shared_confusion,
    soft_confusion,
    stability,
)
from dessin.committees.families.result import FamilyMap
from dessin.page.numbers import ALPHA
from dessin.progress import track
from dessin.randomness import derive
from dessin.statistics.intervals import Floats, bootstrap_mean
from dessin.statistics.metrics import class_results, confusion_matrix, confusion_pairs
from dessin.statistics.paired_tests import holm
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.properties import associations
from dessin.trust.mistakes.result import Atlas, ClassRow, ClusterRow, Mistake, Structure, Taken

# Holm's first step over C classes needs p below 0.05 / C; 1 / (draws + 1) is the smallest p there can be.
_DRAWS, _CHUNK = 19_999, 2_000
_DEALS_OF_CLASSES = 999
_DEALS_OF_CONFUSIONS = 99
_FEWEST_CLASSES = 3


def measure_mistakes(name: str, given: Answered, measured: Mapping[str, Floats], *, seed: int = 0) -> Atlas:
    """The atlas of a model called `name`, without words; `measured` has each property (N,) of drawings."""
    matrix = confusion_matrix(given.targets, given.predicted, len(given.classes))
    classes = _class_rows(given, matrix, seed)
    structure, clusters = find_clusters(given, seed=seed)
    seen = {row.label for row in classes}
    wrong = given.wrong
    return Atlas(
        name=name,
        folds=given.folds,
        groups=int(given.index.max()) + 1,
        accuracy=bootstrap_mean(given.correct, given.index, seed=seed),
        mistakes=len(wrong),
        absent=tuple(label for label in given.classes if label not in seen),
        classes_differ=classes_differ(given.correct, given.targets, given.index, seed=seed),
        classes=classes,
        pairs=confusion_pairs(matrix, given.classes),
        structure=structure,
        clusters=clusters,
        properties=associations(measured, given.correct, given.targets, given.index, seed=seed),
        drawings=tuple(_mistake(given, place, measured) for place in wrong),
        names={label: given.names.get(label, label) for label in given.classes},
    )


def _mistake(given: Answered, place: int, measured: Mapping[str, Floats]) -> Mistake:
    values = {name: float(values[place]) for name, values in measured.items()}
    return Mistake(
        image_id=given.rows[place].image_id,
        label=given.rows[place].label,
        predicted=given.classes[given.predicted[place]],
        probability=float(given.sureness[place]),
        rank=int(given.rank[place]),
        properties={name: None if math.isnan(value) else value for name, value in values.items()},
    )


def _class_rows(given: Answered, matrix: NDArray[np.int64], seed: int) -> tuple[ClassRow, ...]:
    """A row for each class with drawings, the worst first: by recall, then by what chance says of it."""
    results = class_results(matrix, given.targets, given.predicted, given.index, given.classes)
    p, p_holm = worse_than_rest(given.correct, given.targets, given.index, len(given.classes), seed=seed)
    groups = np.bincount(_units(given.targets, given.index)[0], minlength=len(given.classes))
    rows = [
        ClassRow(
            label=result.label,
            name=given.names.get(result.label, result.label),
            n=result.n,
            groups=int(groups[c]),
            right=int(matrix[c, c]),
            recall=result.recall,
            p=p[c],
            p_holm=p_holm[c],
            worse=p_holm[c] < ALPHA,
            taken_for=tuple(
                Taken(label=given.classes[other], count=int(matrix[c, other]))
                for other in np.argsort(-matrix[c], kind="stable")
                if other != c and matrix[c, other]
            ),
        )
        for c, result in enumerate(results)
        if result.recall is not None
    ]
    return tuple(sorted(rows, key=lambda row: (row.recall.value, row.p, -row.n, row.label)))


def worse_than_rest(
    correct: NDArray[np.bool_],
    targets: NDArray[np.int64],
    index: NDArray[np.int64],
    classes: int,
    *,
    seed: int = 0,
) -> tuple[list[float], list[float]]:
    """One-sided p of each class, as it is and after Holm over the classes with drawings; 1 for those without.

    Args:
        correct: (N,) bool, right or wrong.
        targets: (N,) class numbers.
        index: (N,) group numbers, from `intervals.group_index`; a group within a class stays together.
    """
    label, n, right = _counted_units(correct, targets, index)
    of_class = np.bincount(label, minlength=classes)
    total, hits = np.bincount(targets, minlength=classes), np.bincount(targets, correct, minlength=classes)
    p = np.ones(classes)
    for count in np.unique(of_class[of_class > 0]):
        drawn = np.sort(_drawn_recalls(right, n, int(count), seed))
        own = (of_class == count).nonzero()[0]
        recall = hits[own] / total[own]
        # A recall that rounding puts beside its equal counts as equal.
        p[own] = (1 + np.searchsorted(drawn, recall + 1e-9)) / (1 + _DRAWS)
    present = (total > 0).nonzero()[0]
    adjusted = np.ones(classes)
    adjusted[present] = holm(p[present].tolist())
    return [float(value) for value in p], [float(value) for value in adjusted]


def classes_differ(
    correct: NDArray[np.bool_], targets: NDArray[np.int64], index: NDArray[np.int64], *, seed: int = 0
) -> float | None:
    """How often classes of randomly dealt groups have recalls as far apart as these; None with one a class.

    It can be firm that classes differ where no single one can be named. Arguments as in `worse_than_rest`.
    """
    label, n, right = _counted_units(correct, targets, index)
    if np.bincount(label).max() < 2:
        return None
    random = np.random.Generator(np.random.Philox(key=derive(seed, "classes differ")))
    seen = _apart(label, n, right)
    orders = (random.permutation(len(n)) for _ in range(_DEALS_OF_CLASSES))
    as_far = sum(_apart(label, n[order], right[order]) >= seen - 1e-9 for order in orders)
    return (1 + as_far) / (1 + _DEALS_OF_CLASSES)


def _units(
    targets: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The class (G,) of each group within a class, and which of these (N,) each drawing is in."""
    units, place = np.unique(np.stack([targets, index]), axis=1, return_inverse=True)
    return units[0], place.ravel()


def _counted_units(
    correct: NDArray[np.bool_], targets: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The class, the number of drawings and of right ones of each group within a class."""
    label, place = _units(targets, index)
    return label, np.bincount(place), np.bincount(place, correct).astype(np.int64)


def _apart(label: NDArray[np.int64], n: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """The variance of the classes' recalls, each counted by its drawings."""
    total = np.bincount(label, n)
    recall = np.bincount(label, right) / np.maximum(1, total)
    return float(total @ (recall - right.sum() / n.sum()) ** 2)


def _drawn_recalls(right: NDArray[np.int64], n: NDArray[np.int64], count: int, seed: int) -> Floats:
    """The recall of `count` units drawn without replacement, `_DRAWS` times."""
    random = np.random.Generator(np.random.Philox(key=derive(seed, "worse classes", count)))
    recalls = []
    for start in range(0, _DRAWS, _CHUNK):
        rows = min(_CHUNK, _DRAWS - start)
        picks = np.argpartition(random.random((rows, len(n))), min(count, len(n)) - 1, axis=1)[:, :count]
        recalls.append(right[picks].sum(axis=1) / n[picks].sum(axis=1))
    return np.concatenate(recalls)


def find_clusters(given: Answered, *, seed: int = 0) -> tuple[Structure, tuple[ClusterRow, ...]]:
    """Whether there are clusters beyond chance, and each with two classes or more, most mistakes first.

    Fewer than three classes, or no confusion at all, give none.
    """
    shared = shared_confusion(soft_confusion(given.probabilities, given.targets))
    if len(given.classes) < _FEWEST_CLASSES or not shared.any():
        return Structure(modularity=None, by_chance=None, p=None, agreement=None), ()
    families = from_confusions(given.probabilities, given.targets, given.classes, given.names).families
    groups = np.array([row.group for row in given.rows])
    found = Structure(
        **_against_chance(given, shared, seed),
        agreement=stability(given.probabilities, given.targets, groups, count=len(families.names)),
    )
    return found, _rows(given, families)


def _against_chance(given: Answered, shared: Floats, seed: int) -> dict[str, float]:
    """The modularity of the best cut, and where each class's probability is dealt anew among groups.

    A group keeps its own class's probability, and a class how often it is named: what goes is whose
    drawings are taken for it.
    """
    # The mean answer (G, C) to each group's drawings of a class.
    own, place = _units(given.targets, given.index)
    sums, weights = np.zeros((len(own), len(given.classes))), np.bincount(place).astype(np.float64)
    np.add.at(sums, place, given.probabilities)
    means = sums / weights[:, None]
    value = float(cluster(shared)[1].max())
    random = np.random.Generator(np.random.Philox(key=derive(seed, "confusion by chance")))
    drawn = []
    for _ in track(range(_DEALS_OF_CONFUSIONS), _DEALS_OF_CONFUSIONS, "Clusters by chance", unit="deals"):
        dealt = _dealt_anew(means, own, random)
        drawn.append(float(cluster(shared_confusion(_class_means(dealt, own, weights)))[1].max()))
    as_good = sum(chance >= value for chance in drawn)
    return {
        "modularity": value,
        "by_chance": float(np.mean(drawn)),
        "p": (1 + as_good) / (1 + _DEALS_OF_CONFUSIONS),
    }


def _dealt_anew(means: Floats, own: NDArray[np.int64], random: np.random.Generator) -> Floats:
    dealt = means.copy()
    for column in range(means.shape[1]):
        others = np.flatnonzero(own != column)
        dealt[others, column] = means[random.permutation(others), column]
    return dealt


def _class_means(means: Floats, own: NDArray[np.int64], weights: Floats) -> Floats:
    classes = means.shape[1]
    sums = np.zeros((classes, classes))
    np.add.at(sums, own, means * weights[:, None])
    return np.asarray(sums / np.maximum(1.0, np.bincount(own, weights, minlength=classes))[:, None])


def _rows(given: Answered, families: FamilyMap) -> tuple[ClusterRow, ...]:
    number = families.numbers(given.classes)
    wrong = given.wrong
    label, predicted = given.targets[wrong], given.predicted[wrong]
    inside = number[label] == number[predicted]
    expected = _inside_by_chance(label, predicted, number)
    rows = []
    for family, name in enumerate(families.names):
        own = number[label] == family
        if (number == family).sum() < 2:
            continue
        rows.append(
            ClusterRow(
                name=name,
                labels=_most_confused(families.members(name), given, inside),
                mistakes=int(own.sum()),
                inside=int((own & inside).sum()),
                share=float((own & inside).sum()) / max(1, len(wrong)),
                expected=float(expected[own].sum()) / max(1, len(wrong)),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.inside, row.name)))


def _most_confused(labels: tuple[str, ...], given: Answered, inside: NDArray[np.bool_]) -> tuple[str, ...]:
    """The labels by the mistakes inside clusters that they have a part in, the most first."""
    wrong = given.wrong[inside]
    part = np.bincount(
        np.concatenate([given.targets[wrong], given.predicted[wrong]]), minlength=len(given.classes)
    )
    number = {label: c for c, label in enumerate(given.classes)}
    return tuple(sorted(labels, key=lambda label: (-part[number[label]], label)))


def _inside_by_chance(
    label: NDArray[np.int64], predicted: NDArray[np.int64], number: NDArray[np.int64]
) -> Floats:
    """How likely each mistake would stay inside its cluster if all wrong names were dealt anew."""
    named = np.bincount(predicted, minlength=len(number)).astype(np.float64)
    of_family = np.bincount(number, named)
    others = named.sum() - named[label]
    within = of_family[number[label]] - named[label]
    return np.asarray(np.divide(within, others, out=np.zeros(len(label)), where=others > 0))
