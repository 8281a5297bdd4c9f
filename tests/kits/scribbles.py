"""Small drawings for tests: smooth random strokes, different for every seed, and folders of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def scribble(seed: int, *, height: int = 160, width: int = 200, level: int = 0, pen: int = 2) -> Pixels:
    """Five smooth strokes on white, (height, width, 3) uint8; no two seeds look alike."""
    draw = np.random.default_rng(seed)
    page = np.full((height, width, 3), 255, dtype=np.uint8)
    for _ in range(5):
        corners = draw.uniform(0.12, 0.88, (4, 2)) * (width, height)
        t = np.linspace(0, 1, 24)[:, None]
        curve = sum(weight * (1 - t) ** (3 - k) * t**k * corners[k] for k, weight in enumerate((1, 3, 3, 1)))
        points = (np.asarray(curve) * 16).astype(np.int32)
        cv2.polylines(page, [points], False, (level,) * 3, pen, cv2.LINE_AA, 4)
    return page


def encode(pixels: Pixels, suffix: str = ".png", quality: int = 90) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    return bytes(cv2.imencode(suffix, np.ascontiguousarray(pixels[..., ::-1]), options)[1])


def write_drawings(root: Path, drawings: dict[str, bytes]) -> Path:
    """Write `class/name.png` → bytes below `root`, which is returned."""
    for image_id, data in drawings.items():
        (root / image_id).parent.mkdir(parents=True, exist_ok=True)
        (root / image_id).write_bytes(data)
    return root
