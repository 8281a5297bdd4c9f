"""Scores that tell what is of no class: high for what the model knows, low for what it does not.

`energy` (Liu et al., "Energy-based out-of-distribution detection", 2020), `max_probability` (Hendrycks and
Gimpel, 2017), `negative_entropy`, and `nearest`: minus the distance to the k-th nearest training image among
normalised features (Sun et al., "Out-of-distribution detection with deep nearest neighbors", 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.statistics.intervals import Estimate, Floats, bootstrap_weighted

Flags = NDArray[np.bool_]
NEIGHBOURS = 5


def energy(logits: NDArray[Any]) -> Floats:
    """The log of the sum of exponentials of logits (N, C): (N,)."""
    # Loading scipy takes a fifth of a second, which a first answer need not spend.
    from scipy.special import logsumexp

    return np.asarray(logsumexp(np.asarray(logits, dtype=np.float64), axis=1))


def max_probability(probabilities: NDArray[Any]) -> Floats:
    """The largest of probabilities (N, C): (N,)."""
    return np.asarray(np.asarray(probabilities, dtype=np.float64).max(axis=1))


def negative_entropy(probabilities: NDArray[Any]) -> Floats:
    """Minus the entropy (natural logarithm) of probabilities (N, C): (N,)."""
    from scipy.special import entr

    return np.asarray(-entr(np.asarray(probabilities, dtype=np.float64)).sum(axis=1), dtype=np.float64)


def similarities(features: NDArray[Any], bank: NDArray[Any]) -> Floats:
    """Cosines of features (N, D) and those of training images (M, D): (N, M)."""
    unit, other = (
        table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
        for table in (np.asarray(features, dtype=np.float64), np.asarray(bank, dtype=np.float64))
    )
    return np.asarray(unit @ other.T, dtype=np.float64)


def nearest(cosines: NDArray[Any]) -> Floats:
    """Minus the distance, between unit features, to the k-th nearest of M images (N, M): (N,)."""
    k = min(NEIGHBOURS, cosines.shape[1])
    kth = np.partition(cosines, -k, axis=1)[:, -k]
    return np.asarray(-np.sqrt(np.maximum(0.0, 2.0 - 2.0 * kth)))


def quantile_threshold(own: Floats, share: float) -> float:
    """The score below which at most a `share` of own images (N,) lies."""
    return float(np.quantile(own, share, method="lower"))


def crossfitted_alarms(own: Floats, parts: NDArray[np.int64], share: float) -> Flags:
    """Which own images (N,) are rejected at the threshold that the other parts (N,) give."""
    thresholds = np.array([quantile_threshold(own[parts != part], share) for part in range(parts.max() + 1)])
    return np.asarray(own < thresholds[parts])


def detection(
    scores: NDArray[Any],
    known: NDArray[Any],
    thresholds: Floats,
    groups: Sequence[str] | NDArray[Any],
    *,
    seed: int = 0,
) -> tuple[Estimate, Estimate]:
    """The AUROC, and the share of unknown images below the threshold, each with its interval.

    `scores` and `known` (P, N), `thresholds` (P,): P ways of dividing the same images into known and unknown
    ones; the mean of both over these counts, by how many unknown images each has. `groups` (N,) are resampled
    whole. n is the number of unknown images.
    """
    areas = [_area(row, is_known) for row, is_known in zip(scores, known, strict=True)]
    below = scores < thresholds[:, None]

    def statistic(weights: Floats) -> Floats:
        unknown = np.stack([weights @ ~is_known for is_known in known])
        area = np.stack([of(weights) for of in areas])
        total = np.maximum(unknown.sum(axis=0), 1e-12)
        caught = sum(weights @ (row & ~is_known) for row, is_known in zip(below, known, strict=True))
        return np.stack([(unknown * area).sum(axis=0) / total, caught / total], axis=1)

    found = bootstrap_weighted(groups, statistic, [(0.0, 1.0)] * 2, n=int((~known).sum()), seed=seed)
    return found[0], found[1]


def _area(scores: NDArray[Any], known: NDArray[Any]) -> Callable[[Floats], Floats]:
    """The area under the curve as a function of weights (R, N): (R,); half where one kind has no weight.

    That is how often a known image has a higher score than an unknown one, of all pairs; a tie counts half.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    is_known = known[order]

    def area(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        own = np.add.reduceat(sorted_weights * is_known, starts, axis=1)
        other = np.add.reduceat(sorted_weights * ~is_known, starts, axis=1)
        beaten = np.cumsum(other, axis=1) - other / 2
        pairs = own.sum(axis=1) * other.sum(axis=1)
        wins = (own * beaten).sum(axis=1)
        return np.asarray(np.divide(wins, pairs, out=np.full(len(pairs), 0.5), where=pairs > 0))

    return area
