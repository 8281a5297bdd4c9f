"""Light evened on a photographed page: paper to white, shadows and ruling out, ink in its colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.ground import Pixels
from dessin.images.ink import darkness, ruled_lines

_WHITE = 0.94  # of the paper's level; what is lighter is white
_MAP = 256  # pixels, the longer side on which light is measured
_OVER = 8  # levels beyond twice a ruled line: what is darker is ink
_SOFT = 1.0  # of these pixels, a blur; wider, the edge of a shadow would be seen


def evened(page: Pixels) -> Pixels:
    """Each channel over the local level of the paper, (h, w, 3) uint8."""
    height, width = page.shape[:2]
    scale = min(1.0, _MAP / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    level = np.clip(_level(small) * _WHITE, 1, 255).astype(np.uint8)
    level = cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(page, level, scale=255), dtype=np.uint8)


def _level(small: Pixels) -> NDArray[np.float32]:
    """What blank paper would be at each pixel, float32: a shadow's edge stays where it is."""
    side = max(small.shape[:2])
    kernel = max(3, side // 32 * 2 + 1)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((kernel, kernel), np.uint8)).astype(np.float32)
    base = np.percentile(closed.reshape(-1, 3), 75, axis=0).astype(np.float32)
    luma = closed.mean(axis=-1)
    tint = closed / np.maximum(luma[..., None], 1) - base / max(float(base.mean()), 1.0)
    paper = ((luma > 0.35 * base.mean()) & (np.abs(tint).max(axis=-1) < 0.2)).astype(np.uint8)
    # Where something wide is drawn, and at its soft edge, the paper is as it is around.
    weight = cv2.erode(paper, np.ones((3, 3), np.uint8)).astype(np.float32)
    sigma = side / 40
    bottom = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4
    top = cv2.GaussianBlur(closed * weight[..., None], (0, 0), sigma) + 1e-4 * base
    level = np.where(weight[..., None] > 0, closed, top / bottom[..., None])
    return np.asarray(cv2.GaussianBlur(level, (0, 0), _SOFT), dtype=np.float32)


def without_ruling(page: Pixels) -> Pixels:
    """The evened page (h, w, 3) uint8 without its ruled and squared lines, but where ink crosses them."""
    strength = darkness(page)
    lines = ruled_lines(strength)
    page = page.copy()
    page[(lines > 0) & (strength <= cv2.add(cv2.add(lines, lines), _OVER))] = 255
    return page
