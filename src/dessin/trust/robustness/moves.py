"""What happens to the place of a drawing: it is turned, resized, shifted, or not alone on its page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from dessin.trust.robustness.corruption import Page, Pixels, Sketch, box_of, corruption

# What is enlarged leaves the page on all sides, so it is enlarged by less than others are reduced.
_ENLARGED = 0.5
_GAP = 0.04


@corruption("rotation", "degrees, left or right", 4, 9, 16, 25, 36)
def rotation(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    sign = 1 if sketch.draws[0] < 0.5 else -1
    for level in levels:
        yield _about_the_middle(sketch, sign * level, 1.0)


@corruption("scale", "smaller by this factor, or larger by its root", 1.1, 1.25, 1.45, 1.7, 2.0)
def scale(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    smaller = sketch.draws[0] < 0.5
    for level in levels:
        yield _smaller(sketch, level) if smaller else _about_the_middle(sketch, 0.0, level**_ENLARGED)


def _about_the_middle(sketch: Sketch, degrees: float, factor: float) -> Page:
    """The page turned and enlarged about its middle."""
    middle, sides = (sketch.size - 1) / 2, (sketch.size, sketch.size)
    motion = cv2.getRotationMatrix2D((middle, middle), degrees, factor)
    page = cv2.warpAffine(sketch.page, motion, sides, flags=cv2.INTER_CUBIC, borderValue=sketch.paper)
    return np.asarray(page)


def _smaller(sketch: Sketch, factor: float) -> Page:
    side = max(1, round(sketch.size / factor))
    start = (sketch.size - side) // 2
    return _placed(sketch, side, start, start)


def _placed(sketch: Sketch, side: int, top: int, left: int) -> Pixels:
    """The page reduced to `side` pixels, its corner at `top` and `left` of a blank one; the rest is cut."""
    small: Page = sketch.page
    if side != sketch.size:
        small = cv2.resize(sketch.page, (side, side), interpolation=cv2.INTER_AREA)
    page = sketch.blank.copy()
    start, end = max(0, left), min(sketch.size, left + side)
    page[top : top + side, start:end] = small[:, start - left : end - left]
    return page


@corruption("shift", "shares of the side, to where there is room", 0.03, 0.07, 0.12, 0.18, 0.25)
def shift(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """What leaves the page even so is lost."""
    angle = math.pi / 2 * sketch.draws[0]
    top, left, bottom, right = sketch.box
    below = _sign(sketch.size - bottom - top, sketch.draws[1])
    aside = _sign(sketch.size - right - left, sketch.draws[2])
    for level in levels:
        reach = level * sketch.size
        yield _moved(sketch, below * round(reach * math.sin(angle)), aside * round(reach * math.cos(angle)))


def _sign(room: int, draw: float) -> int:
    """Towards more room after the drawing than before it; where both are equal, the draw decides."""
    if room == 0:
        return 1 if draw < 0.5 else -1
    return 1 if room > 0 else -1


def _moved(sketch: Sketch, down: int, right: int) -> Page:
    page = sketch.blank.copy()
    height, width = sketch.size - abs(down), sketch.size - abs(right)
    rows, columns = slice(max(0, down), None), slice(max(0, right), None)
    source = sketch.page[max(0, -down) :, max(0, -right) :][:height, :width]
    page[rows, columns][:height, :width] = source
    return page


@corruption(
    "a second drawing",
    "another drawing beside this one, its size in shares of this one’s",
    *(0.15, 0.3, 0.45, 0.6, 0.8),
)
def second_drawing(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """Both are complete.

    This one is moved as far as it must be, and reduced only where there is no room for both; the other one
    stands at a drawn height. The label stays that of this one, the larger.
    """
    ink = sketch.second
    if ink is None or not ink.any():
        yield from [sketch.page] * len(levels)
        return
    top, left, bottom, right = box_of(ink)
    for level in levels:
        yield _beside(sketch, ink[top:bottom, left:right], level)


def _beside(sketch: Sketch, second: Pixels, level: float) -> Page:
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
