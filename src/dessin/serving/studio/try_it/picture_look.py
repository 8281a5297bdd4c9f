"""A picture of a drawing brought to the look of others: its paper, its ink, and its size on the page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.decode import Pixels
from dessin.images.ink import background, ink_box, ink_mask
from dessin.serving.studio.try_it.look import Look
from dessin.serving.studio.try_it.render import SIDE, coloured

_WORKING = 1024
_FULL = 0.75  # the quantile of the ink's strength that becomes full ink


def picture_as_trained(pixels: Pixels, look: Look, *, side: int = SIDE) -> Pixels:
    """The drawing of a picture (H, W, 3) uint8 on the paper and with the ink of the look, (side, side, 3).

    Lines keep their width relative to the drawing. A picture without ink gives an empty page.
    """
    pixels = _smaller(pixels)
    mask = ink_mask(pixels)
    box = ink_box(mask)
    page = np.zeros((side, side), dtype=np.float32)
    if box is not None:
        top, left, bottom, right = box
        inside = _strength(pixels, mask)[top:bottom, left:right]
        _lay(page, _resized(inside, look.size * side))
    return coloured(page, look.paper, look.ink)


def _strength(pixels: Pixels, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far each pixel is from the paper, (H, W) float32: 0 on paper, 1 on the ink of strong lines."""
    apart = np.abs(pixels.astype(np.int16) - np.array(background(pixels), dtype=np.int16)).max(axis=2)
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


def _lay(page: NDArray[np.float32], drawing: NDArray[np.float32]) -> None:
    """Put a drawing, which is no larger, into the middle of a page."""
    height, width = drawing.shape
    top, left = (page.shape[0] - height) // 2, (page.shape[1] - width) // 2
    page[top : top + height, left : left + width] = drawing


def _smaller(pixels: Pixels) -> Pixels:
    scale = _WORKING / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = tuple(max(1, round(length * scale)) for length in pixels.shape[1::-1])
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
