"""Which properties of drawings go with failure: accuracy by thirds, trends, and which of them rise and
fall together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata
from scipy.stats import t as student

from dessin.page.numbers import ALPHA
from dessin.statistics.intervals import LEVEL, Estimate, Floats, bootstrap, bootstrap_mean
from dessin.statistics.paired_tests import holm
from dessin.trust.mistakes.result import Finding, PartRow, PropertyRow
from dessin.trust.mistakes.strokes import PROPERTIES, Property

PARTS = 3
# A rank correlation that is worth a word.
LEAST = 0.5
# The error of a trend cannot be trusted where one end of it rests on fewer groups.
_FEWEST_GROUPS = 10


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
    return np.asarray((rankdata(values) - 0.5) / len(values), dtype=np.float64)


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
    groups = np.maximum(1, _groups_of(index, strata)).astype(np.float64)
    # Residuals of few groups are too small; those of each stratum are enlarged by what its mean took away.
    scores = x * (y - slope * x) * np.sqrt(groups / np.maximum(1.0, groups - 1))[strata]
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


def _freedom(x: Floats, index: NDArray[np.int64], strata: NDArray[np.int64]) -> int:
    """Degrees of freedom: the contrasts of groups where the property differs, less the slope."""
    differs = np.bincount(strata, x * x) > 1e-12
    groups = _groups_of(index, strata)[differs]
    return int(np.maximum(1, groups - 1).sum()) - 1


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


def associations(
    properties: Mapping[str, Floats],
    correct: NDArray[np.bool_],
    targets: NDArray[np.int64],
    index: NDArray[np.int64],
    *,
    seed: int = 0,
) -> tuple[PropertyRow, ...]:
    """A row for each property (N,), NaN where a drawing could not be measured.

    Those that go with failure come first, then others by the p of the trend within classes.

    Args:
        correct: (N,) bool, right or wrong.
        targets: (N,) class numbers.
        index: (N,) group numbers; whole groups are resampled.
    """
    measured = [_measured(values, correct, targets, index) for values in properties.values()]
    p = [found.p if found else 1.0 for one in measured for found in (one.overall, one.within)]
    tested = [found is not None for one in measured for found in (one.overall, one.within)]
    adjusted = np.ones(len(p))
    adjusted[tested] = holm(np.asarray(p)[tested].tolist())
    rows = []
    for place, (name, one) in enumerate(zip(properties, measured, strict=True)):
        overall_holm, within_holm = (float(value) for value in adjusted[2 * place : 2 * place + 2])
        rows.append(
            PropertyRow(
                name=name,
                title=PROPERTIES[name].title,
                unit=PROPERTIES[name].unit,
                parts=_parts(PROPERTIES[name], one, seed),
                difference=_difference(one, seed),
                overall=_between_parts(one.overall, one, "cluster-robust trend"),
                within=_between_parts(one.within, one, "cluster-robust trend within classes"),
                p_overall=p[2 * place],
                p_within=p[2 * place + 1],
                p_overall_holm=overall_holm,
                p_within_holm=within_holm,
                finding=_finding(one, overall_holm, within_holm),
            )
        )
    order = get_args(Finding)
    return tuple(sorted(rows, key=lambda row: (order.index(row.finding), row.p_within, row.p_overall)))


@dataclass(frozen=True, eq=False)
class _Measured:
    """One property of the n drawings that have it: values, ranks and parts, and how these are answered."""

    correct: NDArray[np.bool_]
    index: NDArray[np.int64]
    values: Floats
    ranks: Floats
    part: NDArray[np.int64]
    overall: Trend | None
    within: Trend | None

    @property
    def parts(self) -> int:
        return int(self.part.max()) + 1 if len(self.part) else 0


def _measured(
    values: Floats, correct: NDArray[np.bool_], targets: NDArray[np.int64], index: NDArray[np.int64]
) -> _Measured:
    rows = np.flatnonzero(np.isfinite(values))
    values, correct, index = values[rows], correct[rows], index[rows]
    if not len(rows):
        return _Measured(correct, index, values, values, rows, None, None)
    ranks, part = scaled_ranks(values), cut(values)
    overall = within = None
    if min(len(np.unique(index[part == number])) for number in np.unique(part)) >= _FEWEST_GROUPS:
        overall, within = trend(ranks, correct, index), trend(ranks, correct, index, targets[rows])
    return _Measured(correct, index, values, ranks, part, overall, within)


def _parts(known: Property, one: _Measured, seed: int) -> tuple[PartRow, ...]:
    rows = []
    for number in range(one.parts):
        own = one.part == number
        low, high = float(one.values[own].min()), float(one.values[own].max())
        ends = known.shown(low), known.shown(high)
        rows.append(
            PartRow(
                name=ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}",
                low=low,
                high=high,
                accuracy=bootstrap_mean(one.correct[own], one.index[own], seed=seed),
            )
        )
    return tuple(rows)


def _difference(one: _Measured, seed: int) -> Estimate | None:
    """Highest less lowest part, resampling the groups of both together: many have drawings in both."""
    if one.parts < 2:
        return None
    ends = (one.part == 0, one.part == one.parts - 1)
    own = ends[0] | ends[1]
    groups = np.unique(one.index[own], return_inverse=True)[1].ravel()
    columns = []
    for end in ends:
        inside = end[own]
        columns += [np.bincount(groups, inside & one.correct[own]), np.bincount(groups, inside)]
    sums, sizes = np.stack(columns, axis=1), np.bincount(groups).astype(np.float64)
    return bootstrap(sums, _apart, [(-1.0, 1.0)], n=int(own.sum()), sizes=sizes, seed=seed)[0]


def _apart(totals: Floats) -> Floats:
    low, high = (totals[:, k] / np.maximum(1, totals[:, k + 1]) for k in (0, 2))
    return np.asarray((high - low)[:, None], dtype=np.float64)


def _between_parts(found: Trend | None, one: _Measured, method: str) -> Estimate | None:
    """A slope as the difference of accuracy between the middles of the highest and the lowest part."""
    if found is None or one.parts < 2:
        return None
    apart = float(one.ranks[one.part == one.parts - 1].mean() - one.ranks[one.part == 0].mean())
    low, high = max(-1.0, apart * found.low), min(1.0, apart * found.high)
    return Estimate(min(1.0, max(-1.0, apart * found.slope)), low, high, found.n, method)


def _finding(one: _Measured, overall_holm: float, within_holm: float) -> Finding:
    if one.parts < 2:
        return "all alike"
    if one.within is not None and within_holm < ALPHA:
        return "within classes"
    if one.overall is not None and overall_holm < ALPHA:
        return "between classes"
    return "cannot tell" if one.within is None else "not seen"
