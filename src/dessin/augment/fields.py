"""Displacement fields: a coarse grid of draws that a cubic B-spline turns into a smooth shift of every pixel.

A B-spline stays between its control values, so no point moves further than the op's amount (and the furthest
of an image by about two thirds of it). Its slope is at most that of its control values, so the drawing cannot
fold over while the amount is below half the distance of two control points; the ranges of the ops keep to it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dessin.augment.draws import Draws, symmetric

ELASTIC_POINTS = 7
WOBBLE_POINTS = 19


def field_columns(points: int) -> int:
    """How many draws a field of points x points takes."""
    return 2 * points * points


def control_points(draws: Draws, amount: float) -> Draws:
    """Shifts along x and y in shares of the side, (n, 2 * points * points), each within ±amount."""
    return symmetric(draws, amount)


@lru_cache(maxsize=64)
def spline_weights(points: int, size: int) -> NDArray[np.float32]:
    """Weights (size, points) of the uniform cubic B-spline at the middles of `size` pixels; rows sum to 1.

    The outermost control points lie one interval outside the image, so that every pixel has four neighbours.
    """
    intervals = points - 3
    place = (np.arange(size) + 0.5) / size * intervals
    left = np.minimum(place.astype(np.int64), intervals - 1)
    t = place - left
    blends = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1)
    weights = np.zeros((size, points), dtype=np.float32)
    weights[np.arange(size)[:, None], left[:, None] + np.arange(4)] = blends / 6
    return weights
