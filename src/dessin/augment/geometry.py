"""Geometric ops as matrices: where a point of the drawing goes, in coordinates from -1 to 1 (y down).

Every function takes uniform draws (N, columns) in [0, 1) and the op's values; it returns (N, 3, 3) float64
matrices that map a point of the original image to its place in the new one. Angles, shifts and factors are
symmetric about "no change", so the average drawing stays where it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]
Matrices = NDArray[np.float64]


def identities(count: int) -> Matrices:
    """`count` matrices that change nothing, (count, 3, 3)."""
    return np.tile(np.eye(3), (count, 1, 1))


def hflip(draws: Draws, probability: float) -> Matrices:
    """Mirror left and right with the given probability."""
    matrices = identities(len(draws))
    matrices[draws[:, 0] < probability, 0, 0] = -1.0
    return matrices


def rotate(draws: Draws, degrees: float) -> Matrices:
    """Turn about the middle by an angle in [-degrees, degrees); positive is clockwise on the screen."""
    angles = np.radians(degrees) * (2.0 * draws[:, 0] - 1.0)
    matrices = identities(len(draws))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angles)
    matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(angles), np.sin(angles)
    return matrices


def translate(draws: Draws, fraction: float) -> Matrices:
    """Shift along x and y, each by up to `fraction` of the side."""
    matrices = identities(len(draws))
    # The side is 2 long in these coordinates.
    matrices[:, :2, 2] = 2.0 * fraction * (2.0 * draws[:, :2] - 1.0)
    return matrices


def scale(draws: Draws, low: float, high: float) -> Matrices:
    """Resize about the middle by a factor in [low, high), uniform in its logarithm."""
    factors = np.exp(np.log(low) + draws[:, 0] * (np.log(high) - np.log(low)))
    matrices = identities(len(draws))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factors
    return matrices
