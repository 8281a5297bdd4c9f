"""A file's format by its first bytes, and the containers of WebP, GIF and BMP."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from dessin.images.containers.base import (
    FORMATS,
    MAX_PARTS,
    Container,
    ContainerError,
    exif_orientation,
    too_many,
)
from dessin.images.containers.heif import is_heif, read_heif
from dessin.images.containers.jpeg import read_jpeg
from dessin.images.containers.png import MAGIC, read_png
from dessin.images.containers.tiff import MAGICS, read_tiff

_FOREIGN = (
    (b"II+\0", "a TIFF of more than 4 GiB"),
    (b"MM\0+", "a TIFF of more than 4 GiB"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"<svg", "SVG"),
    (b"<?xml", "SVG or other XML"),
    (b"<!DOCTYPE", "HTML or SVG"),
    (b"<html", "HTML"),
)
# The largest file in sub-blocks of 255 bytes, which is what encoders write, has half as many.
_MAX_GIF_BLOCKS = 2**19
# Pillow decodes run lengths in Python, up to 0.2 us a run, a byte of filling or a 4-bit pixel.
_MAX_RLE_PIXELS = 8_000_000
_MAX_RLE_BYTES = 4 * 2**20
# Pillow holds five pictures of an animation's size at once.
_MAX_ANIMATED_PIXELS = 16_000_000
# Noise takes 55 ns a pixel to decode and fit, with or without transparency (measured).
_MAX_LOSSY_PIXELS = 32_000_000
_WEBP_PICTURE = (b"VP8X", b"ALPH", b"VP8 ", b"VP8L")


def read_container(data: bytes) -> Container:
    """Recognise an image by its first bytes and read its size.

    Raises:
        ContainerError: another format, or a truncated or contradictory file.
    """
    if not data:
        raise ContainerError("empty file")
    reader = _reader(data)
    if reader is None:
        guess = _guess(data)
        raise ContainerError(f"not one of {FORMATS} ({guess})" if guess else f"not one of {FORMATS}")
    try:
        return reader(data)
    except (struct.error, IndexError):
        raise ContainerError("truncated") from None


def _reader(data: bytes) -> Callable[[bytes], Container] | None:
    if is_heif(data):
        return read_heif
    return next((reader for magic, reader in _READERS if data.startswith(magic)), None)


def _guess(data: bytes) -> str:
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _FOREIGN:
        if start.lower().startswith(magic.lower()):
            return f"looks like {name}"
    # What git leaves on Windows, and some archives, in the place of a link.
    if len(data) < 1024 and b"/" in data and data.isascii() and data.decode().strip().isprintable():
        return "looks like a link that was saved as text: copy the pictures themselves"
    return ""


def _webp(data: bytes) -> Container:
    """WebP container (RFC 9649); the canvas size is in the first chunk. Only what draws is handed on."""
    (length,) = struct.unpack_from("<I", data, 4)
    if data[8:12] != b"WEBP":
        raise ContainerError(f"not one of {FORMATS} (another RIFF file)")
    if length + 8 > len(data):
        raise ContainerError("truncated")
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ContainerError("corrupt (unknown first WebP chunk)")
    animated = kind == b"VP8X" and bool(data[20] & 2)
    if animated and width * height > _MAX_ANIMATED_PIXELS:
        raise ContainerError(f"too large an animated WebP ({width}x{height}); save one picture of it")
    kept, kinds, exif = [], set(), b""
    for kind, start, end in _webp_chunks(data, length + 8):
        kinds.add(kind)
        if kind == b"EXIF" and not exif:
            exif = data[start + 8 : end].removeprefix(b"Exif\0\0")
        elif animated or kind in _WEBP_PICTURE:
            kept.append(memoryview(data)[start:end])
    if b"VP8 " in kinds and width * height > _MAX_LOSSY_PIXELS:
        raise ContainerError(
            f"too large a lossy WebP ({width}x{height}); save it smaller, or as a JPEG or PNG"
        )
    size = struct.pack("<I", 4 + sum(map(len, kept)))
    body = b"".join([b"RIFF", size, b"WEBP", *kept])
    return Container("WEBP", width, height, exif_orientation(exif), body, animated=animated)


def _webp_chunks(data: bytes, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of every chunk of the first `size` bytes, with its padding."""
    position = 12
    for _ in range(MAX_PARTS):
        if position + 8 > size:
            return
        (length,) = struct.unpack_from("<I", data, position + 4)
        end = position + 8 + length + length % 2
        yield data[position : position + 4], position, end
        position = end
    raise too_many("WebP chunks")


def _gif(data: bytes) -> Container:
    """The first picture of a GIF (GIF89a specification), with the control block before it."""
    width, height = struct.unpack_from("<HH", data, 6)
    position = 13 + _gif_palette(data[10])
    header, control, blocks = data[:position], b"", iter(range(_MAX_GIF_BLOCKS))
    while data[position] == 0x21:
        end = _gif_blocks_end(data, position + 2, blocks)
        if data[position + 1] == 0xF9:
            control = data[position:end]
        position = end
    if data[position] != 0x2C:
        raise ContainerError("a GIF without a picture" if data[position] == 0x3B else "corrupt GIF blocks")
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, position + 1)
    end = _gif_blocks_end(data, position + 11 + _gif_palette(data[position + 9]), blocks)
    body = b"".join([header, control, memoryview(data)[position:end], b";"])
    # A picture may lie partly outside the screen; Pillow then enlarges the screen.
    return Container("GIF", max(width, left + frame_width), max(height, top + frame_height), 1, body)


def _gif_palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_blocks_end(data: bytes, position: int, blocks: Iterator[int]) -> int:
    """Where the sub-blocks from `position` on end; `blocks` are those that the file may still have."""
    for _ in blocks:
        if not data[position]:
            return position + 1
        position += 1 + data[position]
    raise ContainerError(f"more than {_MAX_GIF_BLOCKS:,} GIF blocks")


def _bmp(data: bytes) -> Container:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    coded = header >= 40 and struct.unpack_from("<I", data, 30)[0] in (1, 2)
    if coded and (width * abs(height) > _MAX_RLE_PIXELS or len(data) > _MAX_RLE_BYTES):
        raise ContainerError(
            f"too large a run-length BMP ({width}x{abs(height)}, {len(data) / 2**20:.0f} MiB); "
            "save it as a PNG"
        )
    return Container("BMP", width, abs(height), 1, data)


_READERS: tuple[tuple[bytes, Callable[[bytes], Container]], ...] = (
    (MAGIC, read_png),
    (b"\xff\xd8\xff", read_jpeg),
    (b"RIFF", _webp),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"BM", _bmp),
    *((magic, read_tiff) for magic in MAGICS),
)
