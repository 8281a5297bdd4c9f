"""Pixels made smaller, each the mean of those that it stands for."""

from __future__ import annotations

import cv2
import numpy as np

from dessin.images.ground import Pixels


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """`pixels` (H, W, ..) with the longer side at most `side`; what is no larger stays as it is."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def divided(pixels: Pixels, factor: int) -> Pixels:
    """`pixels` shrunk by a whole factor, which is fast; the rest on the right and below is cut off."""
    if factor == 1:
        return pixels
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    whole = pixels[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
