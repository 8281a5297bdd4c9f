"""The elements that every op and policy is made of: what is done to an image, with which numbers.

A geometric element is a matrix or a displacement field, a pixel element a function of the same name in
`pixel_ops`. A policy is a choice of elements, so it needs no code of its own to be applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation import geometry
from dessin.augmentation.geometry import ELASTIC_POINTS, WOBBLE_POINTS, Matrices, Numbers

Rows = NDArray[np.int64]
Seeds = NDArray[np.int64]


@dataclass(frozen=True)
class Element:
    """Its caption, a format over its numbers (`most` is the largest), and how it moves points, if it does.

    `matrices` makes matrices of numbers; `points` is the side of a field's grid of control points.
    """

    caption: str
    matrices: Callable[[Numbers], Matrices] | None = None
    points: int = 0

    @property
    def moves(self) -> bool:
        """Whether it moves points, so that the image must be resampled."""
        return self.matrices is not None or self.points > 0


ELEMENTS: dict[str, Element] = {
    "hflip": Element("hflip", geometry.hflip),
    "vflip": Element("vflip", geometry.vflip),
    "rotate": Element("rotate {0:+.1f}°", geometry.rotate),
    "translate": Element("shift {0:+.1%} {1:+.1%}", geometry.translate),
    "scale": Element("scale ×{0:.2f}", geometry.scale),
    "shear": Element("shear {0:+.1f}° {1:+.1f}°", geometry.shear),
    "crop": Element("crop {0:.0%} at {1:+.2f} {2:+.2f}", geometry.crop),
    "perspective": Element("perspective, corners up to {most:.1%}", geometry.perspective),
    "elastic": Element("elastic, up to {most:.1%}", points=ELASTIC_POINTS),
    "line_wobble": Element("wobble, up to {most:.1%}", points=WOBBLE_POINTS),
    "jitter": Element("brightness ×{0:.2f}, contrast ×{1:.2f}, saturation ×{2:.2f}, hue {3:+.3f}"),
    "brightness": Element("brightness ×{0:.2f}"),
    "contrast": Element("contrast ×{0:.2f}"),
    "color": Element("saturation ×{0:.2f}"),
    "sharpness": Element("sharpness ×{0:.2f}"),
    "posterize": Element("posterize to {0:.0f} bits"),
    "solarize": Element("solarize from {0:.0f}"),
    "equalize": Element("equalize"),
    "autocontrast": Element("autocontrast"),
    "invert": Element("invert"),
    "clahe": Element("clahe"),
    "blur": Element("blur {0:.2f} px"),
    "noise": Element("noise ±{0:.1f}"),
    "erase": Element("erase {2:.0%} of the side"),
    "thickness": Element("thickness ×{0:.2f}"),
    "stroke_dropout": Element("stroke dropout {0:.0%}"),
    "ink_fade": Element("ink ×{0:.2f}"),
    "paper_tone": Element("paper {0:+.0f} {1:+.0f} {2:+.0f}"),
}


@dataclass(frozen=True, eq=False)
class Action:
    """One element on some images of a batch.

    `rows` (n,) int64, ascending; `numbers` (n, k) float64, one line an image; `seeds` (n,) int64 for elements
    that draw for every pixel.
    """

    element: str
    rows: Rows
    numbers: Numbers
    seeds: Seeds = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def at(self, rows: Rows) -> Action:
        """The same action where image i of its batch is image `rows[i]` of a larger one."""
        return replace(self, rows=rows[self.rows])

    def caption(self, image: int) -> str | None:
        """What it does to one image of the batch, with its numbers; None where it does nothing."""
        place = int(np.searchsorted(self.rows, image))
        if place == len(self.rows) or self.rows[place] != image:
            return None
        numbers = self.numbers[place]
        return ELEMENTS[self.element].caption.format(*numbers, most=np.abs(numbers).max(initial=0.0))
