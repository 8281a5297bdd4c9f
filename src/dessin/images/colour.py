"""Luma and local contrast; OpenCV on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from PIL import Image

from dessin.images.ground import Pixels


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """The setting is global, so it is put back."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def to_gray(pixels: Pixels) -> Pixels:
    """RGB (H, W, 3) uint8 to luma (H, W, 1) uint8, with the weights of ITU-R BT.601."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def equalised(pixels: Pixels) -> Pixels:
    """CLAHE on the luma of (H, W, 1 or 3) uint8 (Zuiderveld, Graphics Gems IV, 1994): 8x8 tiles, clip 2."""
    # One a call: the object keeps buffers and is not thread-safe.
    clahe = cv2.createCLAHE(2.0, (8, 8))
    if pixels.shape[2] == 1:
        return np.asarray(clahe.apply(pixels[..., 0]), dtype=np.uint8)[..., None]
    luma, *chroma = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    merged = cv2.merge([clahe.apply(luma), *chroma])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)
