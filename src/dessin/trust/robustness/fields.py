"""Random fields that corruptions are made of: drawn once for a size, and each drawing takes a window of them.

They are drawn on a grid of 128 cells a side and resized, so that a field means the same at every size of
picture. Drawing a field anew for each image would cost more than the corruption itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dessin.randomness import derive, uniform

Floats = NDArray[np.float32]

CELLS = 128
GRAIN_STEPS = 64.0
BYTE_STEPS = 40.0
_GAP_CELLS = 3.5
_BEND_CELLS = 3.0
_SHADE_CELLS = 30.0
_FIBRE_CELLS = 1.2


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields twice as wide as a picture of `size` pixels; a window of them is as large as the picture.

    Attributes:
        grain: int16, white noise of unit deviation, times `GRAIN_STEPS`.
        gaps: uint8, smooth noise about 128, times `BYTE_STEPS`, as wide as a missing piece of a stroke.
        paper: uint8 in the same steps, shade and fibres.
        bend_x, bend_y: float32, smooth noise of unit deviation, as wide as the tremor of a hand.
    """

    size: int
    grain: NDArray[np.int16]
    gaps: NDArray[np.uint8]
    paper: NDArray[np.uint8]
    bend_x: Floats
    bend_y: Floats

    def window(self, field: NDArray[Any], draws: Sequence[float]) -> NDArray[Any]:
        """The window (S, S) that two draws of 0..1 point at; a view."""
        top, left = (int(draw * self.size) for draw in draws)
        return field[top : top + self.size, left : left + self.size]


@lru_cache(maxsize=4)
def fields_of(size: int, seed: int) -> Fields:
    """The fields for pictures of `size` pixels a side, a function of the seed alone."""
    shade, fibre = _smooth(seed, "shade", _SHADE_CELLS), _smooth(seed, "fibre", _FIBRE_CELLS)
    return Fields(
        size=size,
        grain=np.rint(GRAIN_STEPS * _resized(_white(seed, "grain"), size)).astype(np.int16),
        gaps=_bytes(_smooth(seed, "gaps", _GAP_CELLS), size),
        paper=_bytes(0.8 * shade + 0.6 * fibre, size),
        bend_x=_resized(_smooth(seed, "bend x", _BEND_CELLS), size),
        bend_y=_resized(_smooth(seed, "bend y", _BEND_CELLS), size),
    )


def _white(seed: int, name: str) -> Floats:
    """White noise of unit deviation, (2 CELLS, 2 CELLS)."""
    rows = np.arange(2 * CELLS, dtype=np.uint64)
    draws = uniform(derive(seed, "robustness fields"), name, 0, rows, 2 * CELLS)
    return np.asarray(ndtri(np.clip(draws, 1e-7, 1 - 1e-7)), dtype=np.float32)


def _smooth(seed: int, name: str, cells: float) -> Floats:
    """Noise that is alike over about so many cells, of unit deviation."""
    smooth = cv2.GaussianBlur(_white(seed, name), (0, 0), cells, borderType=cv2.BORDER_REFLECT)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)


def _resized(field: Floats, size: int) -> Floats:
    how = cv2.INTER_AREA if size < CELLS else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(field, (2 * size, 2 * size), interpolation=how), dtype=np.float32)


def _bytes(field: Floats, size: int) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(128 + BYTE_STEPS * _resized(field, size)), 0, 255), dtype=np.uint8)
