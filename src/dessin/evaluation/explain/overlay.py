"""A map over its drawing, in colour: what counts glows, and the lines stay to be seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.decode import Pixels

# From a weak yellow to a strong red, as (R, G, B); how far they cover the drawing.
_RAMP = np.array([[255, 222, 110], [244, 140, 40], [188, 24, 44]], dtype=np.float32)
_COVER = 0.7
_LEVELS = np.linspace(0.0, 1.0, 256, dtype=np.float32)
_COLOURS = np.stack([np.interp(_LEVELS, (0.0, 0.5, 1.0), channel) for channel in _RAMP.T], axis=1)
_ALPHA = (_COVER * _LEVELS**0.75)[:, None]
# What 256 levels of a map add to a pixel, and the share of the pixel itself that stays.
_ADDED = (_ALPHA * _COLOURS).astype(np.float32)
_KEPT = (1.0 - _ALPHA).astype(np.float32)


def overlay(pixels: Pixels, values: NDArray[np.float32]) -> Pixels:
    """Pixels (H, W, 3) uint8 under a map (h, w) float32 in 0..1, enlarged to fit: (H, W, 3) uint8."""
    height, width = pixels.shape[:2]
    fitted = cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    level = np.rint(np.clip(fitted, 0.0, 1.0) * 255).astype(np.uint8)
    mixed: Pixels = np.rint(pixels * _KEPT[level] + _ADDED[level]).astype(np.uint8)
    return mixed


def side_by_side(pictures: list[Pixels], *, gap: int = 6) -> Pixels:
    """Pictures of equal height (H, W, 3) uint8 in a row, white between them."""
    height = pictures[0].shape[0]
    blank = np.full((height, gap, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (blank, picture)][1:]
    return np.concatenate(parts, axis=1)
