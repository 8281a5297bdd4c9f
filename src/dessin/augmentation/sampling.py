"""How the draws of an op become the numbers of its element, within the strengths that the recipe gives.

Every function takes uniform draws (n, columns) in [0, 1) and the op's values, and returns (n, k) float64. The
columns of the numbers are those that the element's function documents (`geometry`, `pixel_ops`).
"""

from __future__ import annotations

import numpy as np

from dessin.augmentation.draws import Draws, between, log_between, symmetric
from dessin.augmentation.elements import Action
from dessin.augmentation.geometry import Numbers

LEVELS = 255.0


def nothing(draws: Draws) -> Numbers:
    """No numbers, (n, 0)."""
    return draws[:, :0]


def amount(draws: Draws, limit: float) -> Numbers:
    """One number an image, within ±limit."""
    return symmetric(draws[:, :1], limit)


def both_axes(draws: Draws, limit: float) -> Numbers:
    """Two numbers an image, each within ±limit."""
    return symmetric(draws[:, :2], limit)


def factor(draws: Draws, low: float, high: float) -> Numbers:
    """A factor between low and high, uniform in its logarithm."""
    return log_between(draws[:, :1], low, high)


def factor_about_one(draws: Draws, limit: float) -> Numbers:
    """A factor within 1 ± limit."""
    return 1.0 + symmetric(draws[:, :1], limit)


def affine(
    draws: Draws, degrees: float, translate: float, low: float, high: float, shear: float
) -> list[Action]:
    """Scale, shear, rotate and shift, in this order."""
    rows = np.arange(len(draws), dtype=np.int64)
    return [
        Action("scale", rows, factor(draws[:, 3:4], low, high)),
        Action("shear", rows, both_axes(draws[:, 4:6], shear)),
        Action("rotate", rows, amount(draws[:, :1], degrees)),
        Action("translate", rows, both_axes(draws[:, 1:3], translate)),
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
    return symmetric(draws[:, :8], distortion / 4)


def jitter(draws: Draws, brightness: float, contrast: float, saturation: float, hue: float) -> Numbers:
    """Three factors within 1 ± their limit, and a turn of the hue within ±hue of a full turn."""
    limits = np.array([brightness, contrast, saturation, hue])
    return np.array([1.0, 1.0, 1.0, 0.0]) + limits * symmetric(draws[:, :4], 1.0)


def blur(draws: Draws, high: float, low: float) -> Numbers:
    """A standard deviation in pixels."""
    return between(draws[:, :1], low, high)


def noise(draws: Draws, share: float) -> Numbers:
    """A standard deviation in levels, up to this share of the full range."""
    return LEVELS * between(draws[:, :1], 0.0, share)


def erase(draws: Draws, share: float) -> Numbers:
    """A square of a quarter of to all of this share of the area, with its middle inside the picture."""
    side = np.sqrt(between(draws[:, :1], share / 4, share))
    return np.hstack([draws[:, 1:3], side, side])


def clahe(draws: Draws) -> Numbers:
    """The usual clip limit of 2."""
    return np.full((len(draws), 1), 2.0)


def stroke_dropout(draws: Draws, share: float) -> Numbers:
    """A share of the area, up to this one."""
    return between(draws[:, :1], 0.0, share)


def ink_fade(draws: Draws, limit: float) -> Numbers:
    """A factor of the ink's contrast from 1 - limit to 1, and how uneven over the page it is."""
    return np.hstack([1.0 - between(draws[:, :1], 0.0, limit), draws[:, 1:2]])


def paper_tone(draws: Draws, limit: float) -> Numbers:
    """A shift of red, green and blue, and a slope along x and y, in levels."""
    shift = symmetric(draws[:, :1], limit)
    tint = symmetric(draws[:, 1:4], limit / 4)
    return LEVELS * np.hstack([shift + tint, symmetric(draws[:, 4:6], limit / 2)])
