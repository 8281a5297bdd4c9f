"""Geometric elements as matrices and displacement fields, in coordinates from -1 to 1 (y down)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation.spec import Matrices, Numbers


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


# The corners in the order of `perspective`: top left, top right, bottom right, bottom left.
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def identities(count: int) -> Matrices:
    """`count` matrices that change nothing, (count, 3, 3)."""
    return np.tile(np.eye(3), (count, 1, 1))


def hflip(numbers: Numbers) -> Matrices:
    """Mirror left and right; no numbers."""
    matrices = identities(len(numbers))
    matrices[:, 0, 0] = -1.0
    return matrices


def vflip(numbers: Numbers) -> Matrices:
    """Mirror top and bottom; no numbers."""
    matrices = identities(len(numbers))
    matrices[:, 1, 1] = -1.0
    return matrices


def rotate(numbers: Numbers) -> Matrices:
    """Turn about the middle by an angle in degrees; positive is clockwise on the screen."""
    angles = np.radians(numbers[:, 0])
    matrices = identities(len(numbers))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angles)
    matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(angles), np.sin(angles)
    return matrices


def translate(numbers: Numbers) -> Matrices:
    """Shift along x and y, in shares of the side."""
    matrices = identities(len(numbers))
    # The side is 2 long in these coordinates.
    matrices[:, :2, 2] = 2.0 * numbers
    return matrices


def scale(numbers: Numbers) -> Matrices:
    """Resize about the middle by a factor."""
    matrices = identities(len(numbers))
    matrices[:, 0, 0] = matrices[:, 1, 1] = numbers[:, 0]
    return matrices


def shear(numbers: Numbers) -> Matrices:
    """Slant by two angles in degrees: upright lines first, then level ones; areas stay as they are."""
    slopes = np.tan(np.radians(numbers))
    upright, level = identities(len(numbers)), identities(len(numbers))
    upright[:, 0, 1] = slopes[:, 0]
    level[:, 1, 0] = slopes[:, 1]
    return level @ upright


def crop(numbers: Numbers) -> Matrices:
    """Enlarge a square part to the whole: its share of the side, and its middle's x and y (-1 to 1)."""
    matrices = identities(len(numbers))
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1.0 / numbers[:, 0]
    matrices[:, :2, 2] = -numbers[:, 1:] / numbers[:, :1]
    return matrices


def perspective(numbers: Numbers) -> Matrices:
    """The homography that moves the four corners by dx, dy of each of `CORNERS`, in shares of the side.

    From the eight linear equations of four point pairs (Hartley and Zisserman, Multiple View Geometry, 4.1).
    """
    count = len(numbers)
    goals = CORNERS + 2.0 * numbers.reshape(count, 4, 2)
    equations = np.zeros((count, 8, 8))
    for corner, (x, y) in enumerate(CORNERS):
        for axis in (0, 1):
            row = equations[:, 2 * corner + axis]
            row[:, 3 * axis : 3 * axis + 3] = (x, y, 1.0)
            row[:, 6:] = -goals[:, corner, axis, None] * (x, y)
    solution = np.linalg.solve(equations, goals.reshape(count, 8, 1))[..., 0]
    return np.concatenate([solution, np.ones((count, 1))], axis=1).reshape(count, 3, 3)
