"""A drawing's signature: its strokes alone, small and square, for comparing drawings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIGNATURE_SIDE = 64

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def draw_signature(strength: Pixels, mask: Mask) -> Pixels:
    """The strokes (S, S) uint8, trimmed to the ink, in the middle of a square, the strongest at 255.

    Args:
        strength: how far each pixel is from the paper, (H, W) uint8.
        mask: which pixels are ink, (H, W) bool; without ink the signature is empty.
    """
    signature = np.zeros((SIGNATURE_SIDE, SIGNATURE_SIDE), dtype=np.uint8)
    if not mask.any():
        return signature
    (top, bottom), (left, right) = _extent(mask.sum(axis=1)), _extent(mask.sum(axis=0))
    strokes = strength[top:bottom, left:right]
    height, width = _signature_size(strokes.shape[0], strokes.shape[1])
    shrinks = height * width < strokes.size
    strokes = cv2.resize(
        strokes, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    y, x = (SIGNATURE_SIDE - height) // 2, (SIGNATURE_SIDE - width) // 2
    cv2.normalize(strokes, signature[y : y + height, x : x + width], 0, 255, cv2.NORM_MINMAX)
    return signature


def _signature_size(height: int, width: int) -> tuple[int, int]:
    """The longer side fills the signature, the shorter is stretched to the root of its share.

    So a long thin drawing (a guitar, a bottle) keeps enough pixels to tell it from the next one. Even
    sizes put the middle of the drawing in the middle of the square, whichever way it is turned.
    """
    long, short = max(height, width), min(height, width)
    side = max(2, 2 * round(SIGNATURE_SIDE / 2 * (short / long) ** 0.5))
    return (side, SIGNATURE_SIDE) if height < width else (SIGNATURE_SIDE, side)


def _extent(profile: NDArray[np.int64]) -> tuple[int, int]:
    """Where the ink begins and ends along one axis, leaving out 0.1% on either side (specks)."""
    reached = np.cumsum(profile)
    outside = reached[-1] // 1000
    return int(np.searchsorted(reached, outside, side="right")), int(
        np.searchsorted(reached, reached[-1] - outside) + 1
    )
