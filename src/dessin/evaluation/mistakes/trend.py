"""Does success rise or fall with a property? A slope over ranks, with groups of drawings kept together.

The slope is that of right (1) or wrong (0) over the property's rank, so no unit and no outlier matters. Its
error is the cluster-robust one (Liang and Zeger, "Longitudinal data analysis using generalized linear
models", Biometrika, 1986) over groups. With strata (classes) both are taken less the stratum's mean: what is
left is the trend among drawings of one class, whichever classes are hard. Means of few groups follow their
groups, so each stratum's residuals are enlarged by sqrt(G / (G - 1)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from dessin.statistics.intervals import LEVEL, Floats


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
