"""What happens on the way to the model: the paper, the ink, a camera, a small file, something on the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.trust.robustness.corruption import BYTE_STEPS, GRAIN_STEPS, Page, Sketch, corruption

_ROUGH = 0.3
_PATCH_TONE = 0.5
_DIRECTIONS = 16


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
