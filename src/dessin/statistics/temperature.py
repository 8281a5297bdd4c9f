"""Temperature scaling: one number that makes probabilities as sure as they are right (Guo et al., 2017)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dessin.errors import DessinError


def tempered(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """p^(1/T) of probabilities (N, C), renormalised (float64): what dividing the logits by T gives."""
    wide = np.asarray(probabilities, dtype=np.float64)
    if temperature == 1.0:
        return wide
    powers = (wide / wide.max(axis=1, keepdims=True)) ** (1.0 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


COLDEST, HOTTEST = 0.01, 100.0
# A probability of 0 cannot be scaled, and one true class with it would outweigh all other images.
_SMALLEST = 1e-7


def fit_temperature(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """The temperature T whose p^(1/T), renormalised, have the smallest log loss on labelled images.

    `probabilities` (N, C), `targets` (N,) class numbers. The loss is convex in 1/T, so the minimum is the one
    place where its slope is 0; it is found to 1e-6 of T. Where the loss falls all the way (every image right,
    or none better than chance) the bound of `COLDEST`..`HOTTEST` is returned. A probability of 0 is taken for
    1e-7, or for the smallest positive one where that is smaller.

    Raises:
        DessinError: no image, or shapes that do not agree.
    """
    # SciPy's optimisers take longer to import than six files to vote.
    from scipy.optimize import brentq

    table, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(targets, dtype=np.int64)
    if table.ndim != 2 or not len(table) or truth.shape != (len(table),):
        raise DessinError(
            f"A temperature cannot be fitted to probabilities {table.shape} with labels {truth.shape}.",
            allowed="It takes a row of probabilities and a label for each image.",
        )
    logits = log_probabilities(table)
    logits -= logits.max(axis=1, keepdims=True)
    own = float(logits[np.arange(len(truth)), truth].mean())

    def slope(log_temperature: float) -> float:
        """Of the mean log loss, by 1/T: the mean logit expected less that of the true class."""
        powers = np.exp(logits * math.exp(-log_temperature))
        expected = np.einsum("nc,nc->n", powers, logits) / powers.sum(axis=1)
        return float(expected.mean()) - own

    low, high = math.log(COLDEST), math.log(HOTTEST)
    # The slope falls as T rises. Equal probabilities throughout have none, and any T is as good as 1.
    at_low, at_high = slope(low), slope(high)
    if at_low == at_high == 0.0:
        return 1.0
    if at_low <= 0.0:
        return COLDEST
    if at_high >= 0.0:
        return HOTTEST
    return math.exp(brentq(slope, low, high, xtol=1e-7, rtol=1e-10))


def log_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithms (N, C), where 0 counts as 1e-7 or the smallest positive probability, if smaller."""
    positive = probabilities[probabilities > 0]
    floor = min(_SMALLEST, float(positive.min())) if len(positive) else _SMALLEST
    return np.log(np.maximum(probabilities, floor))
