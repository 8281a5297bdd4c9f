"""Light evened on a photographed page: paper to white, shadows out, ink in its colour; ruling weakened."""

from __future__ import annotations

import cv2
import numpy as np

from dessin.images.ground import Pixels

_WHITE = 0.94  # of the paper's level; what is lighter is white
_INK = 0.86  # of the paper's level around it
_MAP = 256  # pixels, the longer side on which light is measured


def evened(page: Pixels) -> Pixels:
    """Each channel over the local level of the paper, (h, w, 3) uint8."""
    height, width = page.shape[:2]
    scale = min(1.0, _MAP / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    level = np.clip(_level(small) * _WHITE, 1, 255).astype(np.uint8)
    level = cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(page, level, scale=255), dtype=np.uint8)


def _level(small: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What blank paper would be at each pixel, float32."""
    side = max(small.shape[:2])
    kernel = max(3, side // 32 * 2 + 1)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((kernel, kernel), np.uint8)).astype(np.float32)
    base = np.percentile(closed.reshape(-1, 3), 75, axis=0).astype(np.float32)
    luma = closed.mean(axis=-1)
    tint = closed / np.maximum(luma[..., None], 1) - base / max(float(base.mean()), 1.0)
    paper = (luma > 0.35 * base.mean()) & (np.abs(tint).max(axis=-1) < 0.2)
    paper &= (small.astype(np.float32) > _INK * closed).all(axis=-1)
    weight = paper.astype(np.float32)
    sigma = side / 40
    bottom = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4
    top = cv2.GaussianBlur(small.astype(np.float32) * weight[..., None], (0, 0), sigma) + 1e-4 * base
    return np.asarray(top / bottom[..., None], dtype=np.float32)


def without_ruling(page: Pixels) -> Pixels:
    """Long straight faint lines, along and across, weakened to a sixth; (h, w, 3) uint8."""
    ink = 255 - page
    height, width = page.shape[:2]
    strong = np.percentile(ink.max(axis=-1), 99)
    along = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, max(9, width // 10)), np.uint8))
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((max(9, height // 10), 1), np.uint8))
    lines = cv2.max(along, across)
    lines[lines.max(axis=-1) > 0.6 * strong] = 0
    return np.asarray(cv2.add(page, (lines * (5 / 6)).astype(np.uint8)))
