"""Safe decoding: PNG, JPEG, WebP, BMP and GIF bytes to RGB pixels on white, or a short reason why not."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dessin.errors import DessinError
from dessin.images.containers import Container, ContainerError, read_container
from dessin.system import READING

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7 (PNG, third edition, section 8.2): first row, first column, row step, column step of the seven passes.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_PIECE = 2**20


def holds_all_pixels(png: bytes) -> bool:
    """Inflate the pixel data of a checked PNG, a piece at a time, and compare its length with the header's.

    A stream that zlib refuses counts as incomplete; an unknown colour type is left to the decoder.
    """
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", png, 16)
    if colour not in _SAMPLES:
        return True
    bits = depth * _SAMPLES[colour]
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    missing = sum(
        _rows_bytes(-((row - height) // row_step), -((column - width) // column_step), bits)
        for row, column, row_step, column_step in passes
    )
    inflater, stream = zlib.decompressobj(), _pixel_stream(png)
    try:
        while missing > 0 and stream:
            missing -= len(inflater.decompress(stream, _PIECE))
            stream = inflater.unconsumed_tail
    except zlib.error:
        return False
    return missing <= 0


def _rows_bytes(rows: int, columns: int, bits: int) -> int:
    """Bytes of a pass, with a filter byte a row; an empty pass has none."""
    return max(rows, 0) * (1 + (columns * bits + 7) // 8) if columns > 0 else 0


def _pixel_stream(png: bytes) -> bytes:
    parts, position = [], 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        if png[position + 4 : position + 8] == b"IDAT":
            parts.append(png[position + 8 : position + 8 + length])
        position += 12 + length
    return b"".join(parts)


MAX_PIXELS = 40_000_000
MAX_BYTES = 64 * 2**20
Pixels = NDArray[np.uint8]

# Image.open checks against Pillow's own limit and warns; a lower cap of ours keeps it silent.
_PILLOW_LIMIT = Image.MAX_IMAGE_PIXELS or MAX_PIXELS
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(DessinError):  # noqa: N818 (a state of a file, as the tables call it)
    """An image file that cannot be decoded; `reason` is short enough for a table row."""

    def __init__(self, reason: str, *, name: str = "") -> None:
        self.reason = reason
        super().__init__(
            f"{name or 'The image'} cannot be read: {reason}.",
            allowed=f"PNG, JPEG, WebP, BMP and GIF are read, up to {MAX_PIXELS // 10**6} million pixels.",
        )


class TooManyPixels(Unreadable):
    """An image with more pixels than are wanted; it may be a good one."""


class NoMemory(Unreadable):
    """Decoding took more memory than there is."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself: size after the EXIF turn, Pillow mode of the file, format."""

    width: int
    height: int
    mode: str
    format: str


@dataclass(frozen=True, eq=False)
class Decoded(Header):
    """A file's header with its pixels (H, W, 3) uint8 RGB, composited on white and EXIF-turned."""

    pixels: Pixels


def read_header(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Size, mode and format, without decoding a pixel.

    Raises:
        Unreadable: another format, a broken file, or more than `max_pixels`.
    """
    container = _checked(data, max_pixels)
    with _open(container) as image:
        width, height = container.width, container.height
        if container.orientation >= 5:
            width, height = height, width
        return Header(width, height, image.mode, container.format)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode one image (of an animation, the first).

    Raises:
        Unreadable: another format, a broken or truncated file, or more than `max_pixels`.
    """
    container = _checked(data, max_pixels)
    with _open(container) as image:
        if container.format == "PNG" and not holds_all_pixels(container.body):
            raise Unreadable("truncated or corrupt pixel data")
        mode = image.mode
        image.load()
        opaque = _on_white(image)
        if container.orientation in _TURNS:
            opaque = opaque.transpose(_TURNS[container.orientation])
        pixels = np.asarray(opaque)
    height, width = pixels.shape[:2]
    return Decoded(width, height, mode, container.format, pixels)


def read_image_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `max_bytes`.

    Raises:
        Unreadable: missing, not a regular file, no permission, or too large.
    """
    try:
        handle = os.open(path, READING)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file", name=str(path))
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise Unreadable("there is no such file", name=str(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(reason[:1].lower() + reason[1:], name=str(path)) from None
    if len(data) > max_bytes:
        raise Unreadable(f"larger than {max_bytes / 2**20:.0f} MiB", name=str(path))
    return data


def _checked(data: bytes, max_pixels: int) -> Container:
    try:
        container = read_container(data)
    except ContainerError as error:
        raise Unreadable(str(error)) from None
    width, height = container.width, container.height
    if width <= 0 or height <= 0:
        raise Unreadable("zero-size image")
    if width * height > min(max_pixels, _PILLOW_LIMIT):
        raise TooManyPixels(f"too many pixels ({width}x{height})")
    return container


@contextmanager
def _open(container: Container) -> Iterator[Image.Image]:
    """Pillow's image of a checked container; whatever goes wrong inside the block is `Unreadable`."""
    try:
        with Image.open(BytesIO(container.body), formats=(container.format,)) as image:
            if image.size != (container.width, container.height):
                raise Unreadable("corrupt (the header contradicts itself)")
            yield image
    except Unreadable:
        raise
    except MemoryError:
        raise NoMemory("not enough memory") from None
    except Exception as error:  # decoders raise almost any type on hostile bytes
        raise Unreadable(_reason(error)) from None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    if isinstance(error, UnidentifiedImageError) or not text:
        return "corrupt"
    return f"corrupt ({text[:80]})"


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = _eight_bit(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGB", layer.size, "white")
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
