"""Exact tests of paired results, and Holm's correction for several of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

_LARGEST_EXACT = 20
_ROUNDING = 1e-12


def mcnemar(first: ArrayLike, second: ArrayLike) -> tuple[int, int, float]:
    """How many images each of two models alone got right, and the exact two-sided p (McNemar, 1947).

    `first` and `second`: right (1) or wrong (0), (N,), of the same images in the same order. The test takes
    images for independent; where drawings come in groups, the intervals over groups are the ones to trust.
    """
    a, b = np.asarray(first) > 0, np.asarray(second) > 0
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.shape} and {b.shape} results; the same images are needed in both")
    alone, other = int((a & ~b).sum()), int((b & ~a).sum())
    p = float(binomtest(alone, alone + other).pvalue) if alone + other else 1.0
    return alone, other, p


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Scandinavian Journal of Statistics, 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = steps
    return [float(value) for value in adjusted]


def sign_flip(differences: Sequence[float]) -> float:
    """The exact two-sided p of a mean of paired differences under all 2^n changes of sign (Fisher, 1935).

    It cannot go below 2 / 2^n: three pairs end at 0.25, six at 0.031. At most 20 pairs.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not 1 <= len(values) <= _LARGEST_EXACT:
        raise ValueError(f"{len(values)} differences; 1 to {_LARGEST_EXACT} are possible")
    signs = 1.0 - 2.0 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
    sums = np.abs(signs @ values)
    return float(np.mean(sums >= abs(values.sum()) - _ROUNDING))
