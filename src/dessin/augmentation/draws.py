"""From uniform draws in [0, 1) to the distributions that the ops need, by inverse distribution functions.

Strengths are symmetric about "no change", so the average drawing stays as it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]


def symmetric(draws: Draws, limit: float) -> Draws:
    """Uniform in [-limit, limit)."""
    return limit * (2.0 * draws - 1.0)


def between(draws: Draws, low: float, high: float) -> Draws:
    """Uniform in [low, high)."""
    return low + draws * (high - low)


def log_between(draws: Draws, low: float, high: float) -> Draws:
    """A factor in [low, high), uniform in its logarithm."""
    return np.exp(between(draws, np.log(low), np.log(high)))


def choice(draws: Draws, count: int) -> NDArray[np.int64]:
    """A whole number from 0 to count - 1, each as likely."""
    return np.minimum((draws * count).astype(np.int64), count - 1)


def beta(draws: Draws, alpha: float) -> Draws:
    """Beta(alpha, alpha), in [0, 1]."""
    # Loading scipy takes a fifth of a second, which only mixing is worth.
    from scipy.special import betaincinv

    return np.asarray(betaincinv(alpha, alpha, draws), dtype=np.float64)


def flat_dirichlet(draws: Draws) -> Draws:
    """Dirichlet(1, ..., 1) along the last axis: weights that sum to 1, every mixture as likely."""
    # Exponential draws divided by their sum; the floor only guards against draws that are all exactly zero.
    parts = np.maximum(-np.log1p(-draws), np.finfo(np.float64).tiny)
    return np.asarray(parts / parts.sum(axis=-1, keepdims=True), dtype=np.float64)
