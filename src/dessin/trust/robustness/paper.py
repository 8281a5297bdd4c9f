"""What happens to ink and paper: toned and rough paper, ink that fades, a negative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.trust.robustness.fields import BYTE_STEPS
from dessin.trust.robustness.sketch import Pixels, Sketch

_ROUGH = 0.3


def paper(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """The paper is darker by `levels` shares of the white, with shades and fibres a third as strong."""
    texture = sketch.fields.window(sketch.fields.paper, sketch.draws[:2])
    pages = []
    for level in levels:
        light = cv2.LUT(texture, _light(level))
        if sketch.page.ndim == 3:
            light = cv2.merge([light] * 3)
        pages.append(np.asarray(cv2.multiply(sketch.page, light, scale=1 / 255), dtype=np.uint8))
    return pages


@lru_cache(maxsize=64)
def _light(level: float) -> NDArray[np.uint8]:
    """What paper of each texture gives back of the light, in 255ths."""
    texture = (np.arange(256) - 128) / BYTE_STEPS
    return np.asarray(np.rint(255 * np.clip(1 - level * (1 + _ROUGH * texture), 0, 1)), dtype=np.uint8)


def faded_ink(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """The ink has lost `levels` shares of its contrast with the paper."""
    return [
        np.asarray(cv2.addWeighted(sketch.page, 1 - level, sketch.blank, level, 0.0), dtype=np.uint8)
        for level in levels
    ]


def inverted(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """`levels` shares of the page are a negative, from one edge on; at 1 the drawing is light on dark.

    Blending with the negative would lose the drawing halfway, where all is gray.
    """
    order = _sweep(sketch.size, int(sketch.draws[0] * _DIRECTIONS))
    negative = cv2.bitwise_not(sketch.page)
    pages = []
    for level in levels:
        page = sketch.page.copy()
        mask = cv2.compare(order, level, cv2.CMP_LT)
        cv2.copyTo(negative, mask, page)
        pages.append(page)
    return pages


_DIRECTIONS = 16


@lru_cache(maxsize=4 * _DIRECTIONS)
def _sweep(size: int, direction: int) -> NDArray[np.float32]:
    """When a straight edge that sweeps over the page reaches each pixel: 0 first, below 1 last."""
    # Never along a row or column, where many pixels would be reached at once.
    angle = 2 * math.pi * (direction + 0.5) / _DIRECTIONS
    down, across = np.mgrid[0:size, 0:size] + 0.5
    reached = np.round(math.cos(angle) * across + math.sin(angle) * down, 6)
    rank = np.empty(size * size, dtype=np.float32)
    rank[np.argsort(reached.ravel(), kind="stable")] = np.arange(size * size) / (size * size)
    return rank.reshape(size, size)
