"""Whether answers are right as often as they claim: reliability bins and the expected calibration error.

The usual error over bins, the mean of |confidence - accuracy|, is never 0 on few images: chance alone makes
each bin differ (Roelofs et al., "Mitigating bias in calibration error estimation", 2022). Here the sign of
each bin's difference is learnt on other images than those on which the difference is taken. By

    E|g(c)| = max over |w| <= 1 of E[w(c) (c - right)]

(the weighted calibration error of Gopalan et al., "Low-degree multicalibration", 2022) any such sign gives no
more than the true error on average: nothing for a calibrated model, the error itself where signs are clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.randomness import image_keys, uniform
from dessin.statistics.intervals import Estimate, Floats, bootstrap_mean

Parts = NDArray[np.int64]
Flags = NDArray[np.bool_]

BINS = 10
USUAL_BINS = 15
_FEWEST_IN_A_BIN = 20
_PERFECT_WORLDS = 200


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose confidence is from `low` to `high`: its mean, and how many answers were right."""

    low: float
    high: float
    confidence: float
    accuracy: Estimate


def reliability_bins(
    confidence: Floats, right: Flags, groups: Sequence[str] | NDArray[Any], *, seed: int = 0, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Bins of equally many images (equal confidences stay together), from the least to the most sure.

    `confidence` (N,) from 0 to 1, `right` (N,), `groups` (N,): duplicates, resampled together.
    """
    place, names = _binned(confidence, edges_of(confidence, bins)), np.asarray(groups)
    found = []
    for number in np.unique(place):
        inside = place == number
        own = confidence[inside]
        accuracy = bootstrap_mean(right[inside], names[inside], seed=seed)
        found.append(ReliabilityBin(float(own.min()), float(own.max()), float(own.mean()), accuracy))
    return tuple(found)


def edges_of(confidence: Floats, bins: int) -> Floats:
    """The inner edges of at most `bins` bins of equal mass; fewer where images are few or equal."""
    count = max(1, min(bins, len(confidence) // _FEWEST_IN_A_BIN))
    return np.unique(np.quantile(confidence, np.linspace(0, 1, count + 1)[1:-1]))


def _binned(confidence: Floats, edges: Floats) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(edges, confidence, side="right"), dtype=np.int64)


def signed_gaps(confidences: Floats, right: Flags, parts: Parts) -> Floats:
    """Values (N,) whose mean estimates the expected calibration error, and is never too high on average.

    Each is confidence minus right, with the sign that its bin has in the other parts. `confidences` (P, N):
    row p is what all images' confidences are when nothing of part p is used; `parts` (N,) from 0 to P - 1.
    """
    values = np.empty(len(right))
    for part in range(len(confidences)):
        own, others = parts == part, parts != part
        confidence = confidences[part]
        edges = edges_of(confidence[others], BINS)
        gap = confidence - right
        place = _binned(confidence, edges)
        signs = np.sign(np.bincount(place[others], gap[others], minlength=len(edges) + 1))
        values[own] = signs[place[own]] * gap[own]
    return values


def binned_error(confidence: Floats, right: Flags, *, bins: int = USUAL_BINS) -> float:
    """The usual expected calibration error over bins of equal mass, biased upward on few images."""
    return float(_errors(confidence, right[:, None], bins)[0])


def binned_error_if_perfect(
    confidence: Floats, image_ids: Sequence[str], *, seed: int = 0, bins: int = USUAL_BINS
) -> float:
    """What `binned_error` is on average when every answer is right exactly as often as it claims."""
    draws = uniform(seed, "perfectly calibrated", 0, image_keys(image_ids), _PERFECT_WORLDS)
    return float(_errors(confidence, draws < confidence[:, None], bins).mean())


def _errors(confidence: Floats, right: Flags, bins: int) -> Floats:
    """The binned error in each of W worlds: `right` (N, W) to (W,)."""
    place = _binned(confidence, edges_of(confidence, bins))
    member = (place == np.arange(place.max() + 1)[:, None]).astype(np.float64)
    sums = member @ (confidence[:, None] - right)
    return np.asarray(np.abs(sums).sum(axis=0) / len(confidence))
