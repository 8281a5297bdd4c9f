"""The suite: which corruptions, in which order, and the digest that names this very table.

Levels are shares of the image's side or of its range (degrees, factors, JPEG's quality and pixels a side
where that is the usual measure), so they mean the same at every size. The first is hardly seen; in the fifth
a person still names the drawing. A change of any number, of the order, or of what a corruption does, is a
new `VERSION`: results of two versions are never compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.files import digest_of
from dessin.plugins import Table
from dessin.trust.robustness.corruption import (
    BYTE_STEPS,
    GRAIN_STEPS,
    Corruption,
    Page,
    Pixels,
    Sketch,
    box_of,
    corruption,
)

VERSION = 1
SEED = 0

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), dtype=np.uint8)
_GAP_EDGE = 12.0  # steps of the field
# A line of no width keeps 1 - 60 x 0.0115 = 31% of its ink in the strongest of the suite's levels.
_FADES = 60.0
# What is enlarged leaves the page on all sides, so it is enlarged by less than others are reduced.
_ENLARGED = 0.5
_GAP = 0.04
_ROUGH = 0.3
_PATCH_TONE = 0.5
_DIRECTIONS = 16


# What happens to the lines: another pen, strokes that are missing, an unsteady hand.


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


# What happens to the place of a drawing: it is turned, resized, shifted, or not alone on its page.


@corruption("rotation", "degrees, left or right", 4, 9, 16, 25, 36)
def rotation(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    sign = 1 if sketch.draws[0] < 0.5 else -1
    for level in levels:
        yield _about_the_middle(sketch, sign * level, 1.0)


@corruption("scale", "smaller by this factor, or larger by its root", 1.1, 1.25, 1.45, 1.7, 2.0)
def scale(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    smaller = sketch.draws[0] < 0.5
    for level in levels:
        if smaller:
            side = max(1, round(sketch.size / level))
            start = (sketch.size - side) // 2
            yield _placed(sketch, side, start, start)
        else:
            yield _about_the_middle(sketch, 0.0, level**_ENLARGED)


def _about_the_middle(sketch: Sketch, degrees: float, factor: float) -> Page:
    """The page turned and enlarged about its middle."""
    middle, sides = (sketch.size - 1) / 2, (sketch.size, sketch.size)
    motion = cv2.getRotationMatrix2D((middle, middle), degrees, factor)
    page = cv2.warpAffine(sketch.page, motion, sides, flags=cv2.INTER_CUBIC, borderValue=sketch.paper)
    return np.asarray(page)


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
    top, left, bottom, right_end = sketch.box
    below = _sign(sketch.size - bottom - top, sketch.draws[1])
    aside = _sign(sketch.size - right_end - left, sketch.draws[2])
    for level in levels:
        down = below * round(level * sketch.size * math.sin(angle))
        right = aside * round(level * sketch.size * math.cos(angle))
        page, (height, width) = sketch.blank.copy(), (sketch.size - abs(down), sketch.size - abs(right))
        source = sketch.page[max(0, -down) :, max(0, -right) :][:height, :width]
        page[max(0, down) :, max(0, right) :][:height, :width] = source
        yield page


def _sign(room: int, draw: float) -> int:
    """Towards more room after the drawing than before it; where both are equal, the draw decides."""
    if room == 0:
        return 1 if draw < 0.5 else -1
    return 1 if room > 0 else -1


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
    place[...] = cv2.subtract(place, sketch.in_channels(ink))
    return page


def _resized(ink: Pixels, factor: float) -> Pixels:
    height, width = (max(1, int(side * factor)) for side in ink.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(ink, (width, height), interpolation=how), dtype=np.uint8)


# What happens on the way to the model: the paper, the ink, a camera, a small file, something on the page.


@corruption("paper", "darker and rougher paper, in shares of the white", 0.04, 0.11, 0.2, 0.32, 0.46)
def paper(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """Its shades and fibres are a third as strong."""
    texture = sketch.fields.window(sketch.fields.paper, sketch.draws[:2])
    for level in levels:
        light = cv2.LUT(texture, _light(level))
        yield cv2.multiply(sketch.page, sketch.in_channels(light), scale=1 / 255)


@lru_cache(maxsize=64)
def _light(level: float) -> NDArray[np.uint8]:
    """What paper of each texture gives back of the light, in 255ths."""
    texture = (np.arange(256) - 128) / BYTE_STEPS
    return np.asarray(np.rint(255 * np.clip(1 - level * (1 + _ROUGH * texture), 0, 1)), dtype=np.uint8)


@corruption("faded ink", "shares of the contrast that are lost", 0.2, 0.4, 0.6, 0.75, 0.86)
def faded_ink(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    for level in levels:
        yield cv2.addWeighted(sketch.page, 1 - level, sketch.blank, level, 0.0)


@corruption(
    "light on dark", "the share of the page that is a negative; at last all of it", 0.05, 0.2, 0.45, 0.7, 1.0
)
def inverted(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """From one edge on: blending with the negative would lose the drawing halfway, where all is gray."""
    order = _sweep(sketch.size, int(sketch.draws[0] * _DIRECTIONS))
    negative = cv2.bitwise_not(sketch.page)
    for level in levels:
        page = sketch.page.copy()
        cv2.copyTo(negative, cv2.compare(order, level, cv2.CMP_LT), page)
        yield page


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


@corruption("blur", "standard deviation in shares of the side", 0.003, 0.006, 0.0095, 0.014, 0.019)
def blur(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    for level in levels:
        yield cv2.GaussianBlur(sketch.page, (0, 0), level * sketch.size, borderType=cv2.BORDER_REPLICATE)


@corruption("noise", "standard deviation in shares of the range", 0.03, 0.08, 0.15, 0.24, 0.36)
def noise(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """Grain of a camera in the dark."""
    grain = sketch.in_channels(sketch.fields.window(sketch.fields.grain, sketch.draws[:2]))
    page = sketch.page.astype(np.int16)
    for level in levels:
        yield cv2.addWeighted(page, 1.0, grain, 255 * level / GRAIN_STEPS, 0.0, dtype=cv2.CV_8U)


@corruption("JPEG", "quality, at the model’s own size", 50, 25, 10, 6, 3)
def jpeg(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    gray = sketch.page.ndim == 2
    # OpenCV has blue first, and JPEG does not treat red and blue alike.
    page = sketch.page if gray else cv2.cvtColor(sketch.page, cv2.COLOR_RGB2BGR)
    for level in levels:
        _, data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(level)])
        found = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)
        yield np.asarray(found if gray else cv2.cvtColor(found, cv2.COLOR_BGR2RGB))


@corruption(
    "occlusion",
    "a gray patch, its width in shares of the drawing’s longer side",
    *(0.1, 0.2, 0.3, 0.4, 0.5),
)
def occlusion(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """Its middle lies on the ink."""
    top, left, bottom, right = sketch.box
    row, column = _on_ink(sketch)
    tone = tuple(_PATCH_TONE * level for level in sketch.paper)
    for level in levels:
        half = level * max(bottom - top, right - left) / 2
        rows, columns = (slice(max(0, round(at - half)), max(0, round(at + half))) for at in (row, column))
        page = sketch.page.copy()
        page[rows, columns] = tone if page.ndim == 3 else tone[0]
        yield page


def _on_ink(sketch: Sketch) -> tuple[int, int]:
    """A row and a column, drawn in proportion to the ink; the middle of a blank page."""
    reached = np.cumsum(sketch.ink, dtype=np.int64)
    if not reached[-1]:
        return sketch.size // 2, sketch.size // 2
    place = int(np.searchsorted(reached, int(sketch.draws[0] * reached[-1]), side="right"))
    return divmod(place, sketch.size)


@corruption("low resolution", "pixels a side", 88, 66, 50, 40, 32)
def low_resolution(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
    """An image that has fewer stays as it is."""
    for level in levels:
        side = min(int(level), sketch.size)
        small = cv2.resize(sketch.page, (side, side), interpolation=cv2.INTER_AREA)
        yield cv2.resize(small, (sketch.size, sketch.size), interpolation=cv2.INTER_LINEAR)


SUITE: tuple[Corruption, ...] = (
    *(line_thicker, line_thinner, strokes_missing, wobble),
    *(rotation, scale, shift, second_drawing),
    *(paper, faded_ink, inverted),
    *(blur, noise, jpeg, occlusion, low_resolution),
)
_ALL = Table("corruption", Corruption, SUITE)


def corruptions() -> tuple[Corruption, ...]:
    """Those of the suite, in its order, and after them those of plugins, which are measured beside it."""
    return tuple(_ALL.values())


def suite_digest() -> str:
    """The sha256 of the version and of every name and level."""
    return digest_of([VERSION, *([row.name, *row.levels] for row in SUITE)])
