"""Values with 95% intervals: a bootstrap over groups, and other ways where a bootstrap says nothing.

The bootstrap (Efron, "Bootstrap methods: another look at the jackknife", 1979) resamples whole groups, since
the drawings of one photo, or copies of one drawing, are right or wrong together. The interval is the
percentile one, expanded for few groups as in Hesterberg, "What teachers should know about the bootstrap"
(2015): the plain one is too narrow by about sqrt((G - 1) / G) and uses normal where Student's t is due.

Of ten groups and fewer it is too narrow all the same. These get the interval of Korn and Graubard,
"Confidence intervals for proportions with small expected number of positive counts estimated from survey
data" (1998): the exact one of a binomial with as many observations as the groups are worth.
`benchmarks/few_groups.py` measures how often either holds the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from dessin.randomness import derive

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

LEVEL = 0.95
RESAMPLES = 2000
# Fewer groups than this are no sample to resample: benchmarks/few_groups.py.
FEW_GROUPS = 11
# An interval wider than this share of all that there can be tells next to nothing.
_TOO_WIDE = 0.5
_TOO_FEW = "too few to tell"
# The share of what few groups seem to be worth beyond the least; chosen by simulation.
_BELIEVED = 0.75
_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Estimate:
    """A value with its 95% interval, the number of images `n` behind it, and how the interval was found.

    Checked when made, so that files of results hold it as it is.
    """

    value: float
    low: float
    high: float
    n: int
    method: str = ""

    def __str__(self) -> str:
        return f"{self.value:.1%} [{100 * self.low:.1f}, {100 * self.high:.1f}], n = {self.n:,}"

    @property
    def too_few(self) -> bool:
        """Whether it rests on so few groups that next to nothing can be told."""
        return self.method.endswith(_TOO_FEW)

    def __neg__(self) -> Estimate:
        """A difference the other way round."""
        return replace(self, value=-self.value, low=-self.high, high=-self.low)


def bootstrap_mean(
    values: ArrayLike, groups: Sequence[str] | NDArray[Any], *, seed: int = 0, bounds: Bounds | None = None
) -> Estimate:
    """The mean of `values` (N,) with an interval from resampling whole groups (N,).

    `bounds` is the range that a value can take: by default 0..1, or -1..1 for differences.

    Raises:
        ValueError: no values, or values outside `bounds`.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or len(numbers) != len(groups):
        raise ValueError(f"{numbers.shape} values for {len(groups)} groups; one each is needed, at least one")
    bounds = bounds or (0.0 if numbers.min() >= 0 else -1.0, 1.0)
    if numbers.min() < bounds[0] or numbers.max() > bounds[1]:
        raise ValueError(f"values from {numbers.min()} to {numbers.max()} are outside {bounds}")
    index = group_index(groups)
    sizes = np.bincount(index).astype(np.float64)
    sums = np.stack([np.bincount(index, numbers), sizes], axis=1)
    return bootstrap(sums, _quotient, [bounds], n=len(numbers), sizes=sizes, seed=seed)[0]


def _quotient(totals: Floats) -> Floats:
    return totals[:, :1] / totals[:, 1:]


def group_index(groups: Sequence[str] | NDArray[Any]) -> NDArray[np.int64]:
    """Number the groups 0..G-1, (N,) int64; an image whose group is an empty string is a group of its own."""
    names = np.asarray(groups)
    index = np.unique(names, return_inverse=True)[1].astype(np.int64)
    if names.dtype.kind in "UT":
        alone = names == ""
        index[alone] = len(names) + np.arange(int(alone.sum()))
        index = np.unique(index, return_inverse=True)[1].astype(np.int64)
    return index


def bootstrap(
    sums: Any,
    statistic: Callable[[Floats], Floats],
    bounds: Sequence[Bounds],
    *,
    n: int,
    sizes: Floats,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Estimate]:
    """Estimates of M statistics that are functions of sums over images.

    `sums` (G, K), dense or scipy-sparse: each group's sums. `statistic`: (R, K) totals to (R, M) values.
    `bounds`: the range of each of the M. `sizes` (G,): how many images each group has. One set of resamples
    serves all M, so they vary together. Up to ten groups are not resampled; see `_of_few_groups`.
    Where resampling changes nothing (all right, all wrong, one group), Wilson's interval is used instead.
    """
    groups = int(sums.shape[0])
    whole = np.asarray(sums.sum(axis=0), dtype=np.float64).reshape(1, -1)
    values = statistic(whole)[0]
    if 1 < groups < FEW_GROUPS:
        without = statistic(whole - np.asarray(sums.todense() if hasattr(sums, "todense") else sums))
        return [
            _of_few_groups(value, left, sizes, n=n, bounds=bound)
            for value, left, bound in zip(values.tolist(), without.T, bounds, strict=True)
        ]
    draws = np.concatenate(
        [statistic(np.asarray(counts @ sums)) for counts in resample_counts(groups, resamples, seed)]
    )
    tail = _expanded_tail(groups)
    lows, highs = np.quantile(draws, [tail, 1 - tail], axis=0)
    found = []
    for value, low, high, bound in zip(values.tolist(), lows.tolist(), highs.tolist(), bounds, strict=True):
        if groups == 1 or high - low < 1e-9:
            found.append(wilson(value, groups, n=n, bounds=bound))
        else:
            method = f"bootstrap over {groups} groups"
            found.append(Estimate(value, min(low, value), max(high, value), n, method))
    return found


def _of_few_groups(value: float, without: Floats, sizes: Floats, *, n: int, bounds: Bounds) -> Estimate:
    """The exact interval of a binomial with as many observations as G groups are worth (G up to 10).

    `without` (G,) is the statistic without each group, `sizes` (G,) their images. Groups whose images are all
    alike are worth Kish's number of groups of equal size, and never less. By what they are seen to vary they
    may be worth more, with Student's t of that number less one; three quarters of that are believed.
    """
    from scipy.special import betaincinv, ndtri, stdtrit

    low_bound, high_bound = bounds
    span, groups, tail = high_bound - low_bound, len(sizes), (1 - LEVEL) / 2
    share = min(1.0, max(0.0, (value - low_bound) / span))
    worth = least = float(sizes.sum() ** 2 / (sizes**2).sum())
    variance = float(((without - value) ** 2).sum()) / span**2
    if variance > 1e-12 and least > 1.0:
        seen = share * (1 - share) / variance * (ndtri(tail) / stdtrit(least - 1, tail)) ** 2
        worth += _BELIEVED * max(0.0, float(seen) - least)
    right, wrong = share * worth, (1 - share) * worth
    low = float(betaincinv(right, wrong + 1, tail)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - tail)) if wrong > 0 else 1.0
    method = f"{groups} groups, too few to tell"
    if high - low <= _TOO_WIDE:
        method = f"Korn and Graubard on {groups} groups"
    ends = low_bound + span * low, low_bound + span * high
    return Estimate(value, min(value, ends[0]), max(value, ends[1]), n, method)


def resample_counts(groups: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each resample holds each group, in chunks of (R, G); a function of the arguments alone."""
    raw = np.random.Philox(key=derive(seed, "bootstrap"))
    rows = max(1, _CHUNK_VALUES // groups)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        # Philox's raw words are fixed by its definition; numpy's integers() may change with versions.
        words = raw.random_raw(count * groups) >> np.uint64(32)
        picks = ((words * np.uint64(groups)) >> np.uint64(32)).astype(np.int64).reshape(count, groups)
        picks += np.arange(count)[:, None] * groups
        counts = np.bincount(picks.ravel(), minlength=count * groups)
        yield counts.reshape(count, groups).astype(np.float64)


def _expanded_tail(groups: int) -> float:
    # Loading scipy.stats takes a second, which who only reads results need not spend.
    from scipy.stats import norm, t

    tail = (1 - LEVEL) / 2
    if groups < 2:
        return tail
    return float(norm.cdf(t.ppf(tail, groups - 1) * math.sqrt(groups / (groups - 1))))


def wilson(value: float, effective_n: int, *, n: int, bounds: Bounds = (0.0, 1.0)) -> Estimate:
    """Wilson's score interval (1927) for a mean of `n` values within `bounds`, as `effective_n` observations.

    Conservative for values that are not 0 or 1: none within the bounds varies more than a coin of that mean.
    """
    from scipy.stats import norm

    low_bound, high_bound = bounds
    share = min(1.0, max(0.0, (value - low_bound) / (high_bound - low_bound)))
    z2 = float(norm.ppf((1 + LEVEL) / 2)) ** 2
    centre = (share + z2 / (2 * effective_n)) / (1 + z2 / effective_n)
    spread = math.sqrt(z2 * share * (1 - share) / effective_n + z2**2 / (4 * effective_n**2))
    half = spread / (1 + z2 / effective_n)
    low, high = (low_bound + (high_bound - low_bound) * edge for edge in (centre - half, centre + half))
    method = "Wilson on 1 group" if effective_n == 1 else f"Wilson on {effective_n} groups"
    return Estimate(value, min(value, max(low_bound, low)), max(value, min(high_bound, high)), n, method)


def bootstrap_weighted(
    groups: Sequence[str] | NDArray[Any],
    statistic: Callable[[Floats], Floats],
    bounds: Sequence[Bounds],
    *,
    n: int,
    seed: int = 0,
) -> list[Estimate]:
    """Estimates of M statistics of weighted images, by resampling whole groups (N,).

    `statistic`: weights (R, N), how often each of R resamples holds each image, to values (R, M).
    """
    from scipy import sparse

    index = group_index(groups)
    one_each = sparse.identity(int(index.max()) + 1, format="csr")
    sizes = np.bincount(index).astype(np.float64)
    return bootstrap(
        one_each, lambda counts: statistic(counts[:, index]), bounds, n=n, sizes=sizes, seed=seed
    )
