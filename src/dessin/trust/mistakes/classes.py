"""Classes from worst to best, which is taken for which, and groups of classes that are confused with one
another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dessin.committees.families.family_map import FamilyMap
from dessin.committees.families.proposals import (
    Floats,
    cluster,
    from_confusions,
    shared_confusion,
    soft_confusion,
    stability,
)
from dessin.page.numbers import ALPHA
from dessin.progress import track
from dessin.randomness import derive
from dessin.statistics.metrics import class_results, confusion_matrix, confusion_pairs
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.result import ClassRow, ClusterRow, PairRow, Structure, Taken
from dessin.trust.mistakes.worse_classes import worse_than_rest


def class_rows(given: Answered, *, seed: int = 0) -> tuple[ClassRow, ...]:
    """A row for each class with drawings, the worst first: by recall, then by what chance says of it."""
    matrix = _matrix(given)
    results = class_results(matrix, given.targets, given.index, given.classes)
    p, p_holm = worse_than_rest(given.correct, given.targets, given.index, len(given.classes), seed=seed)
    groups = np.bincount(
        np.unique(np.stack([given.targets, given.index]), axis=1)[0], minlength=len(given.classes)
    )
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
            taken_for=_taken_for(matrix[c], c, given.classes),
        )
        for c, result in enumerate(results)
        if result.recall is not None
    ]
    return tuple(sorted(rows, key=lambda row: (row.recall.value, row.p, -row.n, row.label)))


def pair_rows(given: Answered) -> tuple[PairRow, ...]:
    """Every confusion that occurred, most frequent first."""
    return tuple(
        PairRow(label=pair.label, predicted=pair.predicted, count=pair.count, share=pair.share)
        for pair in confusion_pairs(_matrix(given), given.classes)
    )


def _matrix(given: Answered) -> NDArray[np.int64]:
    return confusion_matrix(given.targets, given.predicted, len(given.classes))


def _taken_for(counts: NDArray[np.int64], own: int, labels: tuple[str, ...]) -> tuple[Taken, ...]:
    order = [int(c) for c in np.argsort(-counts, kind="stable") if c != own and counts[c]]
    return tuple(Taken(label=labels[c], count=int(counts[c])) for c in order)


_FEWEST_CLASSES = 3
DRAWS = 99
NOTHING = Structure(modularity=None, by_chance=None, p=None, agreement=None)


def find_clusters(given: Answered, *, seed: int = 0) -> tuple[Structure, tuple[ClusterRow, ...]]:
    """Whether there are clusters beyond chance, and each with two classes or more, most mistakes first.

    Fewer than three classes, or no confusion at all, give none.
    """
    shared = shared_confusion(soft_confusion(given.probabilities, given.targets))
    if len(given.classes) < _FEWEST_CLASSES or not shared.any():
        return NOTHING, ()
    families = from_confusions(given.probabilities, given.targets, given.classes, given.names).families
    found = Structure(
        **_against_chance(given, shared, seed),
        agreement=stability(
            given.probabilities,
            given.targets,
            np.array([row.group for row in given.rows]),
            count=len(families.names),
        ),
    )
    return found, _rows(given, families)


def _against_chance(given: Answered, shared: Floats, seed: int) -> dict[str, float]:
    """The modularity of the best cut, and where each class's probability is dealt anew among groups.

    A group keeps its own class's probability, and a class how often it is named: what goes is whose
    drawings are taken for it.
    """
    means, own, weights = _group_means(given)
    value = float(cluster(shared)[1].max())
    random = np.random.Generator(np.random.Philox(key=derive(seed, "confusion by chance")))
    drawn = []
    for _ in track(range(DRAWS), DRAWS, "clusters by chance"):
        dealt = _dealt_anew(means, own, random)
        drawn.append(float(cluster(shared_confusion(_class_means(dealt, own, weights)))[1].max()))
    as_good = sum(chance >= value for chance in drawn)
    return {"modularity": value, "by_chance": float(np.mean(drawn)), "p": (1 + as_good) / (1 + DRAWS)}


def _group_means(given: Answered) -> tuple[Floats, NDArray[np.int64], Floats]:
    """The mean answer (G, C) to each group's drawings of a class, that class (G,), and their number (G,)."""
    units, place = np.unique(np.stack([given.targets, given.index]), axis=1, return_inverse=True)
    sums = np.zeros((units.shape[1], len(given.classes)))
    np.add.at(sums, place.ravel(), given.probabilities)
    counts = np.bincount(place.ravel()).astype(np.float64)
    return sums / counts[:, None], units[0], counts


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
