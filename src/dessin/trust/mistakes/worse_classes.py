"""Is a class worse than the rest, or are its few drawings unlucky? Permutation tests over groups.

If classes were alike, the groups of a class would be any groups: so many groups are drawn from all, again and
again, and the class's recall is compared with theirs (Good, "Permutation Tests", 2000). Drawings of one group
stay together, so a class with one group can hardly be told from an unlucky one, however many drawings it has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dessin.randomness import derive
from dessin.statistics.intervals import Floats
from dessin.statistics.paired_tests import holm

# Holm's first step over C classes needs p below 0.05 / C; 1 / (draws + 1) is the smallest p there can be.
DRAWS = 19_999
DEALS = 999
_CHUNK = 2_000


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
    label, n, right = _units(correct, targets, index)
    of_class = np.bincount(label, minlength=classes)
    total, hits = np.bincount(targets, minlength=classes), np.bincount(targets, correct, minlength=classes)
    p = np.ones(classes)
    for count in np.unique(of_class[of_class > 0]):
        drawn = np.sort(_drawn_recalls(right, n, int(count), seed))
        own = (of_class == count).nonzero()[0]
        recall = hits[own] / total[own]
        # A recall that rounding puts beside its equal counts as equal.
        p[own] = (1 + np.searchsorted(drawn, recall + 1e-9)) / (1 + DRAWS)
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
    label, n, right = _units(correct, targets, index)
    if np.bincount(label).max() < 2:
        return None
    random = np.random.Generator(np.random.Philox(key=derive(seed, "classes differ")))
    seen = _apart(label, n, right)
    orders = (random.permutation(len(n)) for _ in range(DEALS))
    as_far = sum(_apart(label, n[order], right[order]) >= seen - 1e-9 for order in orders)
    return (1 + as_far) / (1 + DEALS)


def _units(
    correct: NDArray[np.bool_], targets: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The class, the number of drawings and of right ones of each group within a class."""
    units, place = np.unique(np.stack([targets, index]), axis=1, return_inverse=True)
    right = np.bincount(place.ravel(), correct).astype(np.int64)
    return units[0], np.bincount(place.ravel()), right


def _apart(label: NDArray[np.int64], n: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """The variance of the classes' recalls, each counted by its drawings."""
    total = np.bincount(label, n)
    recall = np.bincount(label, right) / np.maximum(1, total)
    return float(total @ (recall - right.sum() / n.sum()) ** 2)


def _drawn_recalls(right: NDArray[np.int64], n: NDArray[np.int64], count: int, seed: int) -> Floats:
    """The recall of `count` units drawn without replacement, `DRAWS` times."""
    random = np.random.Generator(np.random.Philox(key=derive(seed, "worse classes", count)))
    recalls = []
    for start in range(0, DRAWS, _CHUNK):
        rows = min(_CHUNK, DRAWS - start)
        picks = np.argpartition(random.random((rows, len(n))), min(count, len(n)) - 1, axis=1)[:, :count]
        recalls.append(right[picks].sum(axis=1) / n[picks].sum(axis=1))
    return np.concatenate(recalls)
