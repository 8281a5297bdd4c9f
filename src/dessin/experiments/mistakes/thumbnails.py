"""Small pictures of drawings for the page, each read once, as `data:` addresses."""

from __future__ import annotations

import cv2
import numpy as np

from dessin.collection.manifest import Manifest
from dessin.images.decode import Pixels, Unreadable, decode, read_image_bytes
from dessin.page.pictures import image_data_uri

SIDE = 208
_QUALITY = 72
_PAPER = 240


class Thumbnails:
    """Drawings of a collection on squares of their own paper; one that cannot be read is a gray square."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._made: dict[str, str] = {}

    def of(self, image_id: str) -> str:
        """The picture of an image as a `data:` address."""
        if image_id not in self._made:
            self._made[image_id] = packed(self._read(image_id))
        return self._made[image_id]

    def _read(self, image_id: str) -> Pixels:
        try:
            pixels = decode(read_image_bytes(self._manifest.path(image_id))).pixels
        except Unreadable:
            return np.full((SIDE, SIDE, 3), _PAPER, dtype=np.uint8)
        scale = SIDE / max(pixels.shape[:2])
        height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def packed(pixels: Pixels) -> str:
    """Pixels (H, W, 3) uint8 as a small WebP."""
    return image_data_uri(np.ascontiguousarray(pixels), kind="webp", quality=_QUALITY)
