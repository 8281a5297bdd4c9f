"""The page, and a rectangle into the square (letterbox, squash, crop, trim): the only way to a model's
pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dessin.images.colour import equalised, to_gray
from dessin.images.ground import Pixels
from dessin.images.ink import border_median, ink_box, ink_mask
from dessin.images.photograph import on_paper
from dessin.images.spec import Fitting, ImageSpec, Interpolation, Page

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_MAX_CANVAS = 60_000_000  # pixels; the largest picture with its margins has 50
_TRIM_MARGIN = 0.06  # of the ink's longer side, left free on every side


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image as each of the models wants it: pixels (channels, S, S) uint8 by how they are fitted.

    `page` says whether a photograph of paper was found, cut to the sheet and evenly lit; it is None where no
    model looks for one.
    """

    squares: Mapping[Fitting, Pixels]
    page: bool | None = None


def prepare_for(pixels: Pixels, fittings: Iterable[Fitting]) -> Prepared:
    """Decoded pixels (H, W, 3) uint8 for several models, the page looked for once for all of them."""
    wanted = tuple(fittings)
    looks = any(spec.page == "auto" for spec, _ in wanted)
    paper = page_of(pixels, "auto" if looks else "off")
    squares = {
        (spec, how): _fitted(paper if spec.page == "auto" else pixels, spec, how) for spec, how in wanted
    }
    return Prepared(squares, paper is not pixels if looks else None)


def page_of(pixels: Pixels, page: Page) -> Pixels:
    """What is looked at: the page of a photograph where one is looked for, else the very same array."""
    return on_paper(pixels) if page == "auto" else pixels


def prepare(pixels: Pixels, spec: ImageSpec, interpolation: Interpolation) -> Pixels:
    """Decoded pixels (H, W, 3) uint8 to a model's input (channels, S, S) uint8, contiguous and writable.

    With `page: auto` all else is done to the sheet of paper in a photograph, if there is one.
    `letterbox` keeps the whole picture and fills up with its background colour, `squash` ignores the aspect,
    `crop` takes the largest centred square, `trim` letterboxes the ink with a small margin. Resizing is
    antialiased (Pillow). CLAHE comes last, on the luma of the fitted square.
    """
    return prepare_for(pixels, [(spec, interpolation)]).squares[spec, interpolation]


def _fitted(pixels: Pixels, spec: ImageSpec, interpolation: Interpolation) -> Pixels:
    if spec.fit == "trim":
        pixels = _trimmed(pixels)
    if spec.colour == "gray":
        pixels = to_gray(pixels)
    resample = _RESAMPLING[interpolation]
    if spec.fit == "squash":
        square = _resized(pixels, (spec.size, spec.size), resample)
    elif spec.fit == "crop":
        square = _cropped(pixels, spec.size, resample)
    else:
        square = _letterboxed(pixels, spec.size, resample)
    if spec.clahe:
        square = equalised(square)
    return square.transpose(2, 0, 1).copy()


def _trimmed(pixels: Pixels) -> Pixels:
    """The ink with its margin, (h, w, 3); what lies outside the picture is background. Blank: unchanged."""
    box = ink_box(ink_mask(pixels))
    if box is None:
        return pixels
    top, left, bottom, right = box
    margin = max(1, round(_TRIM_MARGIN * max(bottom - top, right - left)))
    if (bottom - top + 2 * margin) * (right - left + 2 * margin) > _MAX_CANVAS:
        # A long thin strip, whose margins would be many times its own size.
        ink = Image.fromarray(pixels[top:bottom, left:right])
        return _trimmed(np.asarray(ink.reduce(2)))
    height, width = pixels.shape[:2]
    canvas = np.empty((bottom - top + 2 * margin, right - left + 2 * margin, 3), dtype=np.uint8)
    canvas[:] = np.tile(border_median(pixels), (canvas.shape[1], 1))  # by rows, which is much faster
    first_row, last_row = max(0, top - margin), min(height, bottom + margin)
    first_column, last_column = max(0, left - margin), min(width, right + margin)
    row, column = first_row - (top - margin), first_column - (left - margin)
    inside = pixels[first_row:last_row, first_column:last_column]
    canvas[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return canvas


def _letterboxed(pixels: Pixels, size: int, resample: Image.Resampling) -> Pixels:
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    top, left = _padding(height * scale, size), _padding(width * scale, size)
    inside = _resized(pixels, (size - 2 * left, size - 2 * top), resample)
    if not top and not left:
        return inside
    canvas = np.empty((size, size, pixels.shape[2]), dtype=np.uint8)
    canvas[:] = border_median(pixels)
    canvas[top : size - top, left : size - left] = inside
    return canvas


def _padding(side: float, size: int) -> int:
    """Equal padding on both ends, so that flipping and fitting commute; at least one pixel stays."""
    return min(math.floor((size - side) / 2 + 0.5), (size - 1) // 2)


def _cropped(pixels: Pixels, size: int, resample: Image.Resampling) -> Pixels:
    height, width = pixels.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return _resized(pixels, (size, size), resample, (left, top, left + side, top + side))


def _resized(
    pixels: Pixels,
    size: tuple[int, int],
    resample: Image.Resampling,
    box: tuple[float, float, float, float] | None = None,
) -> Pixels:
    channels = pixels.shape[2]
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    out = np.asarray(image.resize(size, resample, box))
    return out.reshape(*out.shape[:2], channels)
