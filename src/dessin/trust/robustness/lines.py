"""What happens to the lines: another pen, strokes that are missing, an unsteady hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.trust.robustness.corruption import Page, Sketch, corruption

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), dtype=np.uint8)
_GAP_EDGE = 12.0  # steps of the field
# A line of no width keeps 1 - 60 x 0.0115 = 31% of its ink in the strongest of the suite's levels.
_FADES = 60.0


@corruption(
    "thicker lines",
    "each side of a line grows, in shares of the picture’s side",
    *(0.0015, 0.0035, 0.006, 0.009, 0.0125),
)
def line_thicker(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    yield from _grown(sketch.page, [level * sketch.size for level in levels], darker=True)


@corruption(
    "thinner lines",
    "each side of a line is lost, in shares of the picture’s side; thin lines fade instead",
    *(0.0015, 0.0035, 0.006, 0.0085, 0.0115),
)
def line_thinner(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """A line that would vanish keeps a part of its ink: a thin pen leaves less on a pixel, never nothing."""
    reach = [level * sketch.size for level in levels]
    # What the strongest level would erase; the same for all, so that each level leaves less than the last.
    across = 2 * math.ceil(reach[-1]) + 1
    closed = cv2.morphologyEx(sketch.page, cv2.MORPH_CLOSE, np.ones((across, across), dtype=np.uint8))
    thin = cv2.subtract(closed, sketch.page)
    for level, page in zip(levels, _grown(sketch.page, reach, darker=False), strict=True):
        keeps = 1 - level * _FADES
        # Of the thin lines, what must be there at least.
        least = cv2.addWeighted(sketch.blank, 1.0, thin, -keeps, 0.0)
        yield cv2.min(page, least)


def _grown(page: Page, reaches: Sequence[float], *, darker: bool) -> Iterator[Page]:
    """The page with its dark (or light) parts grown by each of `reaches` pixels, which ascend.

    Whole pixels come from a chain of small steps, crosses and squares in turn, whose sum is nearly round;
    between two of them the levels are blended.
    """
    step = cv2.erode if darker else cv2.dilate
    chain = [page]
    for reach in reaches:
        while len(chain) < int(reach) + 2:
            chain.append(step(chain[-1], _CROSS if len(chain) % 2 else _SQUARE))
        share = reach - int(reach)
        below, above = chain[int(reach)], chain[int(reach) + 1]
        yield cv2.addWeighted(below, 1 - share, above, share, 0.0)


@corruption(
    "missing strokes",
    "pieces of strokes are gone, in shares of the ink",
    *(0.04, 0.09, 0.16, 0.25, 0.36),
)
def strokes_missing(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """The same pieces and more at each strength."""
    field = sketch.fields.window(sketch.fields.gaps, sketch.draws[:2])
    # Which share of the ink lies where the field is below each value.
    below = np.cumsum(np.bincount(field.ravel(), weights=sketch.ink.ravel(), minlength=256))
    for edge in np.searchsorted(below, np.asarray(levels) * below[-1]):
        kept = cv2.LUT(field, _soft_step(int(edge)))
        yield cv2.blendLinear(sketch.page, sketch.blank, kept, 1 - kept) if below[-1] else sketch.page


@lru_cache(maxsize=256)
def _soft_step(edge: int) -> NDArray[np.float32]:
    """0 below the edge, 1 above it, with a short ramp: a piece of a stroke does not end in a staircase."""
    return np.clip((np.arange(256) - edge) / _GAP_EDGE + 0.5, 0, 1).astype(np.float32)


@corruption(
    "unsteady hand",
    "points are moved, in shares of the side (standard deviation)",
    *(0.002, 0.004, 0.0065, 0.009, 0.0115),
)
def wobble(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    fields = sketch.fields
    bend_x = fields.window(fields.bend_x, sketch.draws[:2])
    bend_y = fields.window(fields.bend_y, sketch.draws[2:4])
    across, down = _places(sketch.size)
    for level in levels:
        reach = level * sketch.size
        x, y = cv2.scaleAdd(bend_x, reach, across), cv2.scaleAdd(bend_y, reach, down)
        yield cv2.remap(sketch.page, x, y, cv2.INTER_CUBIC, borderValue=sketch.paper)


@lru_cache(maxsize=4)
def _places(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    down, across = np.mgrid[0:size, 0:size].astype(np.float32)
    return np.ascontiguousarray(across), np.ascontiguousarray(down)
