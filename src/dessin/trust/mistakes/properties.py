"""Which properties of drawings go with failure: accuracy by thirds, trends, and which of them rise and
fall together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata
from scipy.stats import t as student

from dessin.page.numbers import ALPHA
from dessin.statistics.intervals import LEVEL, Estimate, Floats, bootstrap, bootstrap_mean
from dessin.statistics.paired_tests import holm

PARTS = 3


def cut(values: Floats) -> NDArray[np.int64]:
    """The part (0, 1 or 2) of each value, (N,): thirds; equal values stay together, empty parts close up.

    A property of two or three values is cut into these.
    """
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= PARTS:
        return np.asarray(place.ravel(), dtype=np.int64)
    edges = np.quantile(values, np.arange(1, PARTS) / PARTS)
    # The highest value may fill a third or more by itself; what is below it is then a part of its own.
    above = [values >= edge if edge == distinct[-1] else values > edge for edge in edges]
    parts = np.sum(above, axis=0)
    return np.asarray(np.unique(parts, return_inverse=True)[1].ravel(), dtype=np.int64)


def scaled_ranks(values: Floats) -> Floats:
    """Ranks (N,) within 0..1; equal values share the middle of theirs."""
    ranks = (rankdata(values) - 0.5) / len(values)
    return np.asarray(ranks, dtype=np.float64)


@dataclass(frozen=True)
class Trend:
    """`slope`: the change of accuracy from the property's lowest rank (0) to its highest (1), with its 95%
    interval and the two-sided p of no trend."""

    slope: float
    low: float
    high: float
    p: float
    n: int


def trend(
    ranks: Floats,
    correct: NDArray[np.bool_],
    index: NDArray[np.int64],
    strata: NDArray[np.int64] | None = None,
) -> Trend | None:
    """The slope of `correct` (N,) over `ranks` (N,) within `strata` (N,), by default one of all.

    None where it cannot be told: a property that does not differ within any stratum, or too few groups.
    """
    strata = np.zeros(len(ranks), dtype=np.int64) if strata is None else strata
    x, y = _less_mean(ranks, strata), _less_mean(correct.astype(np.float64), strata)
    spread = float(x @ x)
    freedom = _freedom(x, index, strata)
    if spread < 1e-12 or freedom < 1:
        return None
    slope = float(x @ y) / spread
    scores = x * (y - slope * x) * _enlarged(index, strata)
    error = math.sqrt(float((np.bincount(index, scores) ** 2).sum())) / spread
    half = error * float(student.ppf((1 + LEVEL) / 2, freedom))
    p = float(2 * student.sf(abs(slope) / error, freedom)) if error > 1e-12 else float(abs(slope) < 1e-12)
    return Trend(slope, slope - half, slope + half, p, len(ranks))


def _less_mean(values: Floats, strata: NDArray[np.int64]) -> Floats:
    count = np.maximum(1, np.bincount(strata))
    return np.asarray(values - (np.bincount(strata, values) / count)[strata], dtype=np.float64)


def _groups_of(index: NDArray[np.int64], strata: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many groups each stratum has."""
    pairs = np.unique(np.stack([strata, index]), axis=1)
    return np.bincount(pairs[0], minlength=int(strata.max()) + 1)


def _enlarged(index: NDArray[np.int64], strata: NDArray[np.int64]) -> Floats:
    groups = np.maximum(1, _groups_of(index, strata)).astype(np.float64)
    factor = np.sqrt(groups / np.maximum(1.0, groups - 1))
    return np.asarray(factor[strata], dtype=np.float64)


def _freedom(x: Floats, index: NDArray[np.int64], strata: NDArray[np.int64]) -> int:
    """Degrees of freedom: the contrasts of groups where the property differs, less the slope."""
    differs = np.bincount(strata, x * x) > 1e-12
    groups = _groups_of(index, strata)[differs]
    return int(np.maximum(1, groups - 1).sum()) - 1


LEAST = 0.5


def correlated(properties: Mapping[str, Floats]) -> list[tuple[str, str, float]]:
    """Pairs of properties (N,) whose rank correlation (Spearman, 1904) is at least 0.5 either way.

    The strongest come first; drawings that lack one of the two (NaN) are left out.
    """
    found = []
    for first, second in combinations(properties, 2):
        both = np.isfinite(properties[first]) & np.isfinite(properties[second])
        if both.sum() < 3:
            continue
        ranks = [scaled_ranks(properties[name][both]) for name in (first, second)]
        if min(np.ptp(rank) for rank in ranks) == 0:
            continue
        value = float(pearsonr(*ranks).statistic)
        if abs(value) >= LEAST:
            found.append((first, second, value))
    return sorted(found, key=lambda pair: -abs(pair[2]))


# The error of a trend cannot be trusted where one end of it rests on fewer groups.
_FEWEST_GROUPS = 10

Finding = Literal["within classes", "between classes", "not seen", "cannot tell", "all alike"]


@dataclass(frozen=True)
class Part:
    """Drawings whose property lies from `low` to `high`, and how often they are right."""

    low: float
    high: float
    accuracy: Estimate


@dataclass(frozen=True)
class Association:
    """How success goes with one property.

    `difference` is the accuracy of the highest part less that of the lowest. `overall` and `within` are the
    same difference as the trend gives it, over all drawings and among drawings of one class; None where
    it cannot be told. The p values are those of the trends; `_holm` corrects for both of every property.
    """

    name: str
    parts: tuple[Part, ...]
    difference: Estimate | None
    overall: Estimate | None
    within: Estimate | None
    p_overall: float
    p_within: float
    p_overall_holm: float
    p_within_holm: float
    finding: Finding


def associations(
    properties: Mapping[str, Floats],
    correct: NDArray[np.bool_],
    targets: NDArray[np.int64],
    index: NDArray[np.int64],
    *,
    seed: int = 0,
) -> tuple[Association, ...]:
    """One for each property (N,), in the order given; NaN is a drawing that could not be measured.

    Args:
        correct: (N,) bool, right or wrong.
        targets: (N,) class numbers.
        index: (N,) group numbers; whole groups are resampled.
    """
    looks = [_look(values, correct, targets, index) for values in properties.values()]
    p = [found.p if found else 1.0 for look in looks for found in (look.overall, look.within)]
    tested = [found is not None for look in looks for found in (look.overall, look.within)]
    adjusted = np.ones(len(p))
    adjusted[tested] = holm(np.asarray(p)[tested].tolist())
    rows = []
    for place, (name, look) in enumerate(zip(properties, looks, strict=True)):
        overall_holm, within_holm = (float(value) for value in adjusted[2 * place : 2 * place + 2])
        rows.append(
            Association(
                name=name,
                parts=_parts(look, correct, index, seed),
                difference=_difference(look, correct, index, seed),
                overall=_between_parts(look.overall, look, "cluster-robust trend"),
                within=_between_parts(look.within, look, "cluster-robust trend within classes"),
                p_overall=p[2 * place],
                p_within=p[2 * place + 1],
                p_overall_holm=overall_holm,
                p_within_holm=within_holm,
                finding=_finding(look, overall_holm, within_holm),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, eq=False)
class _Look:
    """One property of the drawings that have it: `rows` of all N, with their values, ranks and parts."""

    rows: NDArray[np.int64]
    values: Floats
    ranks: Floats
    part: NDArray[np.int64]
    overall: Trend | None
    within: Trend | None

    @property
    def parts(self) -> int:
        return int(self.part.max()) + 1 if len(self.part) else 0


def _look(
    values: Floats, correct: NDArray[np.bool_], targets: NDArray[np.int64], index: NDArray[np.int64]
) -> _Look:
    rows = np.flatnonzero(np.isfinite(values))
    own = values[rows]
    if not len(rows):
        return _Look(rows, own, own, rows, None, None)
    ranks, part = scaled_ranks(own), cut(own)
    if min(len(np.unique(index[rows][part == number])) for number in np.unique(part)) < _FEWEST_GROUPS:
        return _Look(rows, own, ranks, part, None, None)
    return _Look(
        rows,
        own,
        ranks,
        part,
        trend(ranks, correct[rows], index[rows]),
        trend(ranks, correct[rows], index[rows], targets[rows]),
    )


def _parts(look: _Look, correct: NDArray[np.bool_], index: NDArray[np.int64], seed: int) -> tuple[Part, ...]:
    rows = []
    for number in range(look.parts):
        own = look.part == number
        drawings = look.rows[own]
        accuracy = bootstrap_mean(correct[drawings], index[drawings], seed=seed)
        rows.append(Part(float(look.values[own].min()), float(look.values[own].max()), accuracy))
    return tuple(rows)


def _difference(
    look: _Look, correct: NDArray[np.bool_], index: NDArray[np.int64], seed: int
) -> Estimate | None:
    """Highest less lowest part, resampling the groups of both together: many have drawings in both."""
    if look.parts < 2:
        return None
    ends = (look.part == 0, look.part == look.parts - 1)
    own = look.rows[ends[0] | ends[1]]
    groups = np.unique(index[own], return_inverse=True)[1].ravel()
    columns = []
    for end in ends:
        inside = np.isin(own, look.rows[end])
        columns += [np.bincount(groups, inside & correct[own]), np.bincount(groups, inside)]
    return bootstrap(np.stack(columns, axis=1), _apart, [(-1.0, 1.0)], n=len(own), seed=seed)[0]


def _apart(totals: Floats) -> Floats:
    low, high = (totals[:, k] / np.maximum(1, totals[:, k + 1]) for k in (0, 2))
    return np.asarray((high - low)[:, None], dtype=np.float64)


def _between_parts(found: Trend | None, look: _Look, method: str) -> Estimate | None:
    """A slope as the difference of accuracy between the middles of the highest and the lowest part."""
    if found is None or look.parts < 2:
        return None
    apart = float(look.ranks[look.part == look.parts - 1].mean() - look.ranks[look.part == 0].mean())
    low, high = max(-1.0, apart * found.low), min(1.0, apart * found.high)
    return Estimate(min(1.0, max(-1.0, apart * found.slope)), low, high, found.n, method)


def _finding(look: _Look, overall_holm: float, within_holm: float) -> Finding:
    if look.parts < 2:
        return "all alike"
    if look.within is not None and within_holm < ALPHA:
        return "within classes"
    if look.overall is not None and overall_holm < ALPHA:
        return "between classes"
    return "cannot tell" if look.within is None else "not seen"
