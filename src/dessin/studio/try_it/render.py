"""Strokes, or a picture, as a page that a model can look at: brought to the look of others, drawn here, so
that no browser changes what it sees."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.ground import Pixels
from dessin.images.ink import from_paper, ink_box, ink_mask
from dessin.images.shrink import shrunk
from dessin.serving.look import Colour, Look
from dessin.studio.try_it.canvas import PenStroke, Strokes

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
SIDE = 256
_FINEST = 2048
_SUBPIXEL_BITS = 6
# A speck is not blown up to a whole drawing: of the page's side.
_SMALLEST = 0.05


def render(strokes: Strokes, *, side: int = SIDE, paper: Colour = WHITE, ink: Colour = BLACK) -> Pixels:
    """Anti-aliased strokes on a page (side, side, 3) uint8."""
    return coloured(_coverage(strokes, side), paper, ink)


def as_trained(strokes: Strokes, look: Look) -> Strokes:
    """The strokes in the middle of the page, as large and with lines as wide as those of the look.

    Where pens of several widths were used, the one of most of the line gets the look's, and they keep
    their proportions.
    """
    points = np.concatenate([stroke.points for stroke in strokes])
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(float((high - low).max()), _SMALLEST)
    scale = max(look.size - look.thickness, look.thickness) / extent
    wider = look.thickness / _main_width(strokes)
    return tuple(
        PenStroke(stroke.width * wider, (stroke.points - (low + high) / 2) * scale + 0.5)
        for stroke in strokes
    )


def rendered_as_trained(strokes: Strokes, look: Look, *, side: int = SIDE) -> Pixels:
    """The strokes drawn as the drawings of the look, (side, side, 3) uint8."""
    return render(as_trained(strokes, look), side=side, paper=look.paper, ink=look.ink)


def coloured(strength: NDArray[np.float32], paper: Colour, ink: Colour) -> Pixels:
    """How much ink lies on each pixel, (H, W) in 0..1, as pixels (H, W, 3) uint8."""
    low, high = np.array(paper, dtype=np.float32), np.array(ink, dtype=np.float32)
    page: Pixels = np.rint(low + strength[..., None] * (high - low)).astype(np.uint8)
    return page


def _coverage(strokes: Strokes, side: int) -> NDArray[np.float32]:
    """How much of each pixel is inked, (side, side) float32 in 0..1."""
    finer = max(1, min(4, _FINEST // side))
    page = np.zeros((side * finer, side * finer), dtype=np.uint8)
    for stroke in strokes:
        # OpenCV's coordinates are those of pixel centres.
        places = (stroke.points * side * finer - 0.5) * 2**_SUBPIXEL_BITS
        corners = np.round(places).astype(np.int32)
        corners = np.concatenate([corners, corners[-1:]])  # of a single point OpenCV draws nothing
        width = max(1, round(stroke.width * side * finer))
        cv2.polylines(page, [corners], False, 255, width, cv2.LINE_AA, _SUBPIXEL_BITS)
    small = cv2.resize(page, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def _main_width(strokes: Strokes) -> float:
    """The width that most of the line was drawn with: the median, every stroke counting by its length."""
    widths = np.array([stroke.width for stroke in strokes])
    steps = [np.diff(stroke.points, axis=0) for stroke in strokes]
    lengths = np.array([float(np.hypot(s[:, 0], s[:, 1]).sum()) for s in steps]) + widths
    order = np.argsort(widths, kind="stable")
    reached = np.cumsum(lengths[order])
    return float(widths[order][np.searchsorted(reached, reached[-1] / 2)])


def with_width(strokes: Strokes, width: float) -> Strokes:
    """The same strokes by a pen of another width."""
    return tuple(replace(stroke, width=width) for stroke in strokes)


_WORKING = 1024
_FULL = 0.75  # the quantile of the ink's strength that becomes full ink


def picture_as_trained(pixels: Pixels, look: Look, *, side: int = SIDE) -> Pixels:
    """The drawing of a picture (H, W, 3) uint8 on the paper and with the ink of the look, (side, side, 3).

    Lines keep their width relative to the drawing. A picture without ink gives an empty page.
    """
    pixels = shrunk(pixels, _WORKING)
    mask = ink_mask(pixels)
    box = ink_box(mask)
    page = np.zeros((side, side), dtype=np.float32)
    if box is not None:
        top, left, bottom, right = box
        inside = _strength(pixels, mask)[top:bottom, left:right]
        drawing = _resized(inside, look.size * side)
        top, left = ((side - length) // 2 for length in drawing.shape)
        page[top : top + drawing.shape[0], left : left + drawing.shape[1]] = drawing
    return coloured(page, look.paper, look.ink)


def _strength(pixels: Pixels, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far each pixel is from the paper, (H, W) float32: 0 on paper, 1 on the ink of strong lines."""
    apart = from_paper(pixels)
    full = float(np.quantile(apart[mask], _FULL))
    # The soft edge of a line is in no mask, and is ink all the same; what is further off is paper.
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    strength: NDArray[np.float32] = np.where(near, np.minimum(apart / full, 1.0), 0.0).astype(np.float32)
    return strength


def _resized(strength: NDArray[np.float32], longer: float) -> NDArray[np.float32]:
    height, width = strength.shape
    scale = longer / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(strength, size, interpolation=how), dtype=np.float32)
