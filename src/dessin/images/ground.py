"""From Pillow's image to opaque pixels: what is transparent is laid on white, or white ink on black."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Ground = Literal["white", "black"]

# Conversions go strip by strip, so that no second whole picture is held.
_STRIP_PIXELS = 2_000_000
_OPAQUE = 128
# Ink is seen on white from here on; half of what the audit calls low contrast.
_SEEN = 40
_ENOUGH = 0.01


def on_a_ground(image: Image.Image) -> tuple[Pixels, Ground | None]:
    """A loaded image as (H, W, 3) uint8 RGB, and the ground that was laid under what is transparent.

    That is white, as paper is, unless nothing could be seen on it: the picture is transparent along its
    border (the median of it), and less than a hundredth of what is drawn differs from white by 40 levels or
    more in any channel. White ink is laid on black.
    """
    pixels = _opaque(image, "white")
    if not image.has_transparency_data:
        return pixels, None
    if _border_is_clear(image) and _is_faint(image, pixels):
        return _opaque(image, "black"), "black"
    return pixels, "white"


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """(first row, strip) of the image; a small one is its only strip."""
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _opaque(image: Image.Image, ground: Ground) -> Pixels:
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top, strip in _strips(image):
        pixels[top : top + strip.height] = np.asarray(_laid_on(strip, ground))
    return pixels


def _laid_on(image: Image.Image, ground: Ground) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = _eight_bit(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    paper = Image.new("RGB", layer.size, ground)
    paper.paste(layer, mask=layer.getchannel("A"))
    return paper


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit gray to 8-bit, transparent value included (Pillow's own conversion clips instead of scaling)."""
    deep = np.asarray(image).astype(np.uint32)
    gray = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is None:
        return gray
    alpha = Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8))
    return Image.merge("LA", (gray, alpha))


def _alpha(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = _eight_bit(image)
    return np.asarray(image.convert("RGBA").getchannel("A"))


def _border_is_clear(image: Image.Image) -> bool:
    width, height = image.size
    right, bottom = width - 1, height - 1
    sides = ((0, 0, width, 1), (0, bottom, width, height), (0, 0, 1, height), (right, 0, width, height))
    border = np.concatenate([_alpha(image.crop(side)).ravel() for side in sides])
    return bool(np.median(border) < _OPAQUE)


def _is_faint(image: Image.Image, on_white: Pixels) -> bool:
    drawn = seen = 0
    for top, strip in _strips(image):
        rows = on_white[top : top + strip.height]
        darkest = np.minimum(np.minimum(rows[..., 0], rows[..., 1]), rows[..., 2])
        drawn += int(np.count_nonzero(_alpha(strip) >= _OPAQUE))
        seen += int(np.count_nonzero(darkest <= 255 - _SEEN))
    return drawn > 0 and seen < _ENOUGH * drawn
