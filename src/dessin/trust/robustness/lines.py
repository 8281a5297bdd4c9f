"""What happens to the lines: another pen, strokes that are missing, an unsteady hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.trust.robustness.sketch import Pixels, Sketch

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), dtype=np.uint8)
_GAP_EDGE = 12.0  # steps of the field
# A line of no width keeps 1 - 60 x 0.0115 = 31% of its ink in the strongest of the suite's levels.
_FADES = 60.0


def line_thicker(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Every line grows by `levels` shares of the side on both of its sides."""
    return _grown(sketch.page, [level * sketch.size for level in levels], darker=True)


def line_thinner(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Every line loses `levels` shares of the side on both sides; what is too thin for that, fades.

    A line that would vanish keeps a part of its ink: a thin pen leaves less on a pixel, never nothing.
    """
    reach = [level * sketch.size for level in levels]
    # What the strongest level would erase; the same for all, so that each level leaves less than the last.
    across = 2 * math.ceil(reach[-1]) + 1
    closed = cv2.morphologyEx(sketch.page, cv2.MORPH_CLOSE, np.ones((across, across), dtype=np.uint8))
    thin = cv2.subtract(closed, sketch.page)
    pages = []
    for level, page in zip(levels, _grown(sketch.page, reach, darker=False), strict=True):
        keeps = 1 - level * _FADES
        # Of the thin lines, what must be there at least.
        least = cv2.addWeighted(sketch.blank, 1.0, thin, -keeps, 0.0)
        pages.append(np.asarray(cv2.min(page, least), dtype=np.uint8))
    return pages


def _grown(page: Pixels, reaches: Sequence[float], *, darker: bool) -> list[Pixels]:
    """The page with its dark (or light) parts grown by each of `reaches` pixels, which ascend.

    Whole pixels come from a chain of small steps, crosses and squares in turn, whose sum is nearly round;
    between two of them the levels are blended.
    """
    step = cv2.erode if darker else cv2.dilate
    chain = [page]
    pages = []
    for reach in reaches:
        while len(chain) < int(reach) + 2:
            chain.append(step(chain[-1], _CROSS if len(chain) % 2 else _SQUARE))
        share = reach - int(reach)
        below, above = chain[int(reach)], chain[int(reach) + 1]
        pages.append(np.asarray(cv2.addWeighted(below, 1 - share, above, share, 0.0), dtype=np.uint8))
    return pages


def strokes_missing(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Pieces of strokes are gone: `levels` shares of all ink, the same pieces and more at each strength."""
    field = sketch.fields.window(sketch.fields.gaps, sketch.draws[:2])
    # Which share of the ink lies where the field is below each value.
    below = np.cumsum(np.bincount(field.ravel(), weights=sketch.ink.ravel(), minlength=256))
    if not below[-1]:
        return [sketch.page] * len(levels)
    edges = np.searchsorted(below, np.asarray(levels) * below[-1])
    pages = []
    for edge in edges:
        kept = cv2.LUT(field, _soft_step(int(edge)))
        pages.append(np.asarray(cv2.blendLinear(sketch.page, sketch.blank, kept, 1 - kept), dtype=np.uint8))
    return pages


@lru_cache(maxsize=256)
def _soft_step(edge: int) -> NDArray[np.float32]:
    """0 below the edge, 1 above it, with a short ramp: a piece of a stroke does not end in a staircase."""
    return np.clip((np.arange(256) - edge) / _GAP_EDGE + 0.5, 0, 1).astype(np.float32)


def wobble(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """An unsteady hand: points are moved by a smooth field of a deviation of `levels` shares of the side."""
    fields = sketch.fields
    bend_x = fields.window(fields.bend_x, sketch.draws[:2])
    bend_y = fields.window(fields.bend_y, sketch.draws[2:4])
    across, down = _places(sketch.size)
    pages = []
    for level in levels:
        reach = level * sketch.size
        x, y = cv2.scaleAdd(bend_x, reach, across), cv2.scaleAdd(bend_y, reach, down)
        page = cv2.remap(
            sketch.page,
            x,
            y,
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=sketch.paper,
        )
        pages.append(np.asarray(page, dtype=np.uint8))
    return pages


@lru_cache(maxsize=4)
def _places(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    down, across = np.mgrid[0:size, 0:size].astype(np.float32)
    return np.ascontiguousarray(across), np.ascontiguousarray(down)
