"""What happens to the place of a drawing: it is turned, resized, shifted, or not alone on its page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from dessin.trust.robustness.sketch import Pixels, Sketch, box_of

# What is enlarged leaves the page on all sides, so it is enlarged by less than others are reduced.
_ENLARGED = 0.5
_GAP = 0.04


def rotation(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """The page is turned by `levels` degrees about its middle, left or right."""
    sign = 1 if sketch.draws[0] < 0.5 else -1
    middle = (sketch.size - 1) / 2
    pages = []
    for level in levels:
        motion = cv2.getRotationMatrix2D((middle, middle), sign * level, 1.0)
        page = cv2.warpAffine(
            sketch.page,
            motion,
            (sketch.size, sketch.size),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=sketch.paper,
        )
        pages.append(np.asarray(page, dtype=np.uint8))
    return pages


def scale(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """The drawing is smaller by a factor of `levels`, or larger by its root, about the middle."""
    smaller = sketch.draws[0] < 0.5
    return [_smaller(sketch, level) if smaller else _larger(sketch, level**_ENLARGED) for level in levels]


def _smaller(sketch: Sketch, factor: float) -> Pixels:
    side = max(1, round(sketch.size / factor))
    start = (sketch.size - side) // 2
    page = sketch.blank.copy()
    page[start : start + side, start : start + side] = _shrunk(sketch.page, side)
    return page


def _shrunk(picture: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _larger(sketch: Sketch, factor: float) -> Pixels:
    middle = (sketch.size - 1) / 2
    motion = cv2.getRotationMatrix2D((middle, middle), 0.0, factor)
    page = cv2.warpAffine(
        sketch.page,
        motion,
        (sketch.size, sketch.size),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=sketch.paper,
    )
    return np.asarray(page, dtype=np.uint8)


def shift(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """The drawing is moved by `levels` shares of the side, to where there is more room.

    What leaves the page even so is lost.
    """
    angle = math.pi / 2 * sketch.draws[0]
    top, left, bottom, right = sketch.box
    below = _sign(sketch.size - bottom - top, sketch.draws[1])
    aside = _sign(sketch.size - right - left, sketch.draws[2])
    pages = []
    for level in levels:
        reach = level * sketch.size
        down, right = below * round(reach * math.sin(angle)), aside * round(reach * math.cos(angle))
        pages.append(_moved(sketch, down, right))
    return pages


def _sign(room: int, draw: float) -> int:
    """Towards more room after the drawing than before it; where both are equal, the draw decides."""
    if room == 0:
        return 1 if draw < 0.5 else -1
    return 1 if room > 0 else -1


def _moved(sketch: Sketch, down: int, right: int) -> Pixels:
    page = sketch.blank.copy()
    height, width = sketch.size - abs(down), sketch.size - abs(right)
    rows, columns = slice(max(0, down), None), slice(max(0, right), None)
    source = sketch.page[max(0, -down) :, max(0, -right) :][:height, :width]
    page[rows, columns][:height, :width] = source
    return page


def second_drawing(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Another drawing stands beside this one, `levels` times as large; this one makes room.

    Both are complete. This one is moved as far as it must be, and reduced only where there is no room for
    both; the other one stands at a drawn height. The label stays that of this one, the larger.
    """
    if sketch.second is None or not sketch.second.any():
        return [sketch.page] * len(levels)
    return [_beside(sketch, _cut_out(sketch.second), level) for level in levels]


def _cut_out(ink: Pixels) -> Pixels:
    top, left, bottom, right = box_of(ink)
    return ink[top:bottom, left:right]


def _beside(sketch: Sketch, second: Pixels, level: float) -> Pixels:
    size, (top, left, bottom, right) = sketch.size, sketch.box
    height, width = bottom - top, right - left
    # As large by area, and never longer, so that a slender drawing stays the main one beside a square one.
    alike = math.sqrt(height * width / second.size)
    zoom = level * min(alike, max(height, width) / max(second.shape))
    gap = _GAP * size
    side = min(size, int(size * size / (width + gap + zoom * second.shape[1])))
    factor = side / size
    ink = _resized(second, factor * zoom)
    room = min(size, round(factor * gap) + ink.shape[1])
    on_left = sketch.draws[0] < 0.5

    start = (size - side) // 2
    first, last = math.floor(factor * left), math.ceil(factor * right)
    lowest, highest = (room, size - (last - first)) if on_left else (0, size - (last - first) - room)
    column = min(max(start + first, lowest), max(highest, 0))
    page = _placed(sketch, side, start, column - first)

    free = column if on_left else size - (column + last - first)
    slack = max(0, free - room)
    across = int(sketch.draws[1] * (slack + 1))
    place_left = across if on_left else size - across - ink.shape[1]
    down = int(sketch.draws[2] * (size - ink.shape[0] + 1))
    place = page[down : down + ink.shape[0], place_left : place_left + ink.shape[1]]
    place[...] = cv2.subtract(place, ink if page.ndim == 2 else cv2.merge([ink] * 3))
    return page


def _resized(ink: Pixels, factor: float) -> Pixels:
    height, width = (max(1, int(side * factor)) for side in ink.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(ink, (width, height), interpolation=how), dtype=np.uint8)


def _placed(sketch: Sketch, side: int, top: int, left: int) -> Pixels:
    """The page reduced to `side` pixels, its corner at `top` and `left` of a blank one; the rest is cut."""
    small = sketch.page if side == sketch.size else _shrunk(sketch.page, side)
    page = sketch.blank.copy()
    start, end = max(0, left), min(sketch.size, left + side)
    page[top : top + side, start:end] = small[:, start - left : end - left]
    return page
