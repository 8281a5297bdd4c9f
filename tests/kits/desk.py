"""A drawing photographed: on a sheet with lamplight, on a brown desk, seen from aside."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from dessin.images.decode import decode

# Orientation of EXIF → what the camera did to the upright picture before it wrote it.
_UNDONE = {
    1: lambda pixels: pixels,
    3: lambda pixels: pixels[::-1, ::-1],
    6: lambda pixels: np.rot90(pixels, 1),
    8: lambda pixels: np.rot90(pixels, -1),
}


def photographed(drawing: bytes, seed: int = 0, *, height: int = 480, width: int = 640) -> np.ndarray:
    """(height, width, 3) uint8: the drawing on a white sheet, where the seed put it."""
    rng = np.random.default_rng([7, seed])
    page = decode(drawing).pixels
    side = 600
    sheet = cv2.resize(np.asarray(page), (side, side), interpolation=cv2.INTER_AREA)
    grain = cv2.GaussianBlur(rng.normal(0, 30, (height, width)).astype(np.float32), (0, 0), 3)
    desk = np.array([112, 78, 52], np.float32) + 2 * grain[..., None]
    corners = np.array([[0.2, 0.1], [0.8, 0.12], [0.84, 0.9], [0.15, 0.88]]) + rng.uniform(
        -0.03, 0.03, (4, 2)
    )
    corners = (corners * [width, height]).astype(np.float32)
    edge = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    way = cv2.getPerspectiveTransform(edge, corners)
    size = (width, height)
    laid = cv2.warpPerspective(sheet.astype(np.float32), way, size, flags=cv2.INTER_AREA)
    on = cv2.warpPerspective(np.ones((side, side), np.float32), way, size)[..., None]
    light = np.linspace(0.75, 1.0, width, dtype=np.float32)[None, :, None]
    picture = (laid * on * 0.92 + desk * (1 - on)) * light + rng.normal(0, 2, (height, width, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def as_png(pixels: np.ndarray, *, orientation: int = 1) -> bytes:
    """A file of the picture; with an orientation, as a turned camera writes the same one."""
    return _saved(pixels, orientation, "PNG")


def as_jpeg(pixels: np.ndarray, *, orientation: int = 1) -> bytes:
    return _saved(pixels, orientation, "JPEG")


def _saved(pixels: np.ndarray, orientation: int, kind: str) -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(_UNDONE[orientation](pixels))
    Image.fromarray(stored).save(buffer, kind, exif=exif)
    return buffer.getvalue()
