"""From uniform draws (n, columns) in [0, 1) to the numbers (n, k) that the ops need, float64.

Strengths are symmetric about "no change", so the average drawing stays as it was. What the numbers
mean is documented where they act (`geometry`, `photometric`, `strokes`, `sheet`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation.spec import Action, Numbers

Draws = NDArray[np.float64]
LEVELS = 255.0


def symmetric(draws: Draws, limit: float) -> Numbers:
    """Uniform in [-limit, limit)."""
    return limit * (2.0 * draws - 1.0)


def between(draws: Draws, low: float, high: float) -> Numbers:
    """Uniform in [low, high)."""
    return low + draws * (high - low)


def up_to(draws: Draws, limit: float) -> Numbers:
    """Uniform in [0, limit)."""
    return between(draws, 0.0, limit)


def factor(draws: Draws, low: float, high: float) -> Numbers:
    """A factor in [low, high), uniform in its logarithm."""
    return np.exp(between(draws, np.log(low), np.log(high)))


def factor_about_one(draws: Draws, limit: float) -> Numbers:
    """A factor within 1 ± limit."""
    return 1.0 + symmetric(draws, limit)


def choice(draws: Draws, count: int) -> NDArray[np.int64]:
    """A whole number from 0 to count - 1, each as likely."""
    return np.minimum((draws * count).astype(np.int64), count - 1)


def beta(draws: Draws, alpha: float) -> Draws:
    """Beta(alpha, alpha), in [0, 1], by its inverse distribution function."""
    # Loading scipy takes a fifth of a second, which only mixing is worth.
    from scipy.special import betaincinv

    return np.asarray(betaincinv(alpha, alpha, draws), dtype=np.float64)


def flat_dirichlet(draws: Draws) -> Draws:
    """Dirichlet(1, ..., 1) along the last axis: weights that sum to 1, every mixture as likely."""
    # Exponential draws divided by their sum; the floor only guards against draws that are all exactly zero.
    parts = np.maximum(-np.log1p(-draws), np.finfo(np.float64).tiny)
    return np.asarray(parts / parts.sum(axis=-1, keepdims=True), dtype=np.float64)


def affine(
    draws: Draws, degrees: float, translate: float, low: float, high: float, shear: float
) -> list[Action]:
    """Scale, shear, rotate and shift, in this order."""
    rows = np.arange(len(draws), dtype=np.int64)
    return [
        Action("scale", rows, factor(draws[:, 3:4], low, high)),
        Action("shear", rows, symmetric(draws[:, 4:6], shear)),
        Action("rotate", rows, symmetric(draws[:, :1], degrees)),
        Action("translate", rows, symmetric(draws[:, 1:3], translate)),
    ]


def random_crop(draws: Draws, low: float, high: float) -> list[Action]:
    """A square part anywhere inside the picture."""
    shares = between(draws[:, :1], low, high)
    numbers = np.hstack([shares, symmetric(draws[:, 1:3], 1.0) * (1.0 - shares)])
    return [Action("crop", np.arange(len(draws), dtype=np.int64), numbers)]


def centre_crop(draws: Draws, share: float) -> list[Action]:
    """The square part about the middle; nothing is drawn."""
    numbers = np.tile([share, 0.0, 0.0], (len(draws), 1))
    return [Action("crop", np.arange(len(draws), dtype=np.int64), numbers)]


def perspective(draws: Draws, distortion: float) -> Numbers:
    """Every corner moves by up to ±distortion / 4 of the side along x and along y.

    Usual is distortion / 2 and inwards only, which makes the drawing smaller as well; this spread is as wide.
    """
    return symmetric(draws, distortion / 4)


def jitter(draws: Draws, brightness: float, contrast: float, saturation: float, hue: float) -> Numbers:
    """Three factors within 1 ± their limit, and a turn of the hue within ±hue of a full turn."""
    limits = np.array([brightness, contrast, saturation, hue])
    return np.array([1.0, 1.0, 1.0, 0.0]) + limits * symmetric(draws, 1.0)


def blur(draws: Draws, high: float, low: float) -> Numbers:
    """A standard deviation in pixels."""
    return between(draws, low, high)


def noise(draws: Draws, share: float) -> Numbers:
    """A standard deviation in levels, up to this share of the full range."""
    return LEVELS * up_to(draws, share)


def erase(draws: Draws, share: float) -> Numbers:
    """A square of a quarter of to all of this share of the area, with its middle inside the picture."""
    side = np.sqrt(between(draws[:, :1], share / 4, share))
    return np.hstack([draws[:, 1:3], side, side])


def clahe(draws: Draws) -> Numbers:
    """The usual clip limit of 2."""
    return np.full((len(draws), 1), 2.0)


def ink_fade(draws: Draws, limit: float) -> Numbers:
    """A factor of the ink's contrast from 1 - limit to 1, and how uneven over the page it is."""
    return np.hstack([1.0 - up_to(draws[:, :1], limit), draws[:, 1:2]])


def paper_tone(draws: Draws, limit: float) -> Numbers:
    """A shift of red, green and blue, and a slope along x and y, in levels."""
    shift = symmetric(draws[:, :1], limit)
    tint = symmetric(draws[:, 1:4], limit / 4)
    return LEVELS * np.hstack([shift + tint, symmetric(draws[:, 4:6], limit / 2)])


def paper(draws: Draws, limit: float) -> Numbers:
    """The light that red, green and blue lose, up to `limit`, each a little more or less; roughness."""
    lost = up_to(draws[:, :1], limit) * factor_about_one(draws[:, 1:4], 0.15)
    return np.hstack([lost, up_to(draws[:, 4:5], 0.25)])


def ruling(draws: Draws, limit: float) -> Numbers:
    """Lines of a pale colour, 2.5 to 9% of the side apart, tilted by up to 10 degrees; half of them cross."""
    taken = limit * between(draws[:, :1], 0.2, 1.0) * between(draws[:, 1:4], 0.4, 1.0)
    space = factor(draws[:, 4:5], 0.025, 0.09)
    angle = symmetric(draws[:, 5:6], np.deg2rad(10.0))
    return np.hstack([taken, space, angle, draws[:, 6:8], draws[:, 8:9] < 0.5])


def shadow(draws: Draws, limit: float) -> Numbers:
    """From any side, over a part of the sheet; its edge sharp to soft; a slope of up to half its depth."""
    angle = 2.0 * np.pi * draws[:, :1]
    edge, width = symmetric(draws[:, 1:2], 0.9), between(draws[:, 2:3], 0.05, 0.8)
    depth, slope = up_to(draws[:, 3:4], limit), up_to(draws[:, 4:5], limit / 2)
    return np.hstack([np.cos(angle), np.sin(angle), edge, width, depth, slope])
