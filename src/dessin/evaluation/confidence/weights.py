"""Intervals of statistics that are no function of sums: each resample is a weight for every image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray
from scipy import sparse

from dessin.evaluation.intervals import Bounds, Estimate, Floats, bootstrap, group_index


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
    index = group_index(groups)
    one_each = sparse.identity(int(index.max()) + 1, format="csr")
    return bootstrap(one_each, lambda counts: statistic(counts[:, index]), bounds, n=n, seed=seed)
