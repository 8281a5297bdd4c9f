"""What an image file's container says before any pixel is decoded: format, size, orientation.

Pillow is then handed only the parts that draw the first picture. Metadata parsers, animations and embedded
second images, where most hostile files strike and most warnings come from, are never entered.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_FOREIGN = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"<svg", "SVG"),
    (b"<?xml", "SVG or other XML"),
    (b"<!DOCTYPE", "HTML or SVG"),
    (b"<html", "HTML"),
)
_ORIENTATION_TAG = 0x0112
_PNG_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# JFIF and Adobe say how colours are stored; every other application segment is metadata.
_JPEG_METADATA = (set(range(0xE1, 0xF0)) - {0xEE}) | {0xFE}


class ContainerError(ValueError):
    """The container is broken or not an accepted one; the message is short enough for a table."""


@dataclass(frozen=True)
class Container:
    """An accepted file: size as stored (before the EXIF turn), EXIF orientation 1..8, bytes to decode."""

    format: str
    width: int
    height: int
    orientation: int
    body: bytes


def read_container(data: bytes) -> Container:
    """Recognise a PNG, JPEG, WebP, BMP or GIF by its first bytes and read its size.

    Raises:
        ContainerError: another format, or a truncated or contradictory file.
    """
    if not data:
        raise ContainerError("empty file")
    for magic, reader in _READERS:
        if data.startswith(magic):
            try:
                return reader(data)
            except (struct.error, IndexError):
                raise ContainerError("truncated") from None
    raise ContainerError(f"not a PNG, JPEG, WebP, BMP or GIF{_guess(data)}")


def _guess(data: bytes) -> str:
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return " (looks like HEIC or AVIF)"
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _FOREIGN:
        if start.lower().startswith(magic.lower()):
            return f" (looks like {name})"
    return ""


def _png(data: bytes) -> Container:
    """PNG, third edition (W3C 2025), sections 5.3 and 11.3; every chunk's CRC is checked."""
    kept, exif = [data[:8]], b""
    width = height = 0
    position, kind = 8, b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, position)
        kind, end = data[position + 4 : position + 8], position + 12 + length
        if end > len(data):
            raise ContainerError("truncated")
        if (kind == b"IHDR") != (position == 8):
            raise ContainerError("the PNG header is missing or repeated")
        if zlib.crc32(data[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ContainerError("corrupt (a PNG chunk fails its checksum)")
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", data, position + 8)
        if kind == b"eXIf":
            exif = data[position + 8 : end - 4]
        if kind == b"tRNS" and data[25] == 0 and data[24] in (2, 4):
            kept.append(_scaled_level(data[position + 8 : end - 4], depth=data[24]))
        elif kind not in _PNG_ANIMATION:
            kept.append(data[position:end])
        position = end
    return Container("PNG", width, height, _orientation(exif), b"".join(kept))


def _scaled_level(payload: bytes, depth: int) -> bytes:
    """The tRNS chunk of 2- or 4-bit gray, its level in 8 bits: Pillow scales the pixels only."""
    (level,) = struct.unpack(">H", payload)
    body = b"tRNS" + struct.pack(">H", level * 255 // (2**depth - 1) & 0xFFFF)
    return struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))


def _jpeg(data: bytes) -> Container:
    """JPEG segments up to the first scan (ITU-T T.81, annex B); the rest is handed on unread."""
    kept, exif = [data[:2]], b""
    width = height = -1
    position = 2
    while True:
        if data[position] != 0xFF:
            raise ContainerError("corrupt (no JPEG marker where one must be)")
        while data[position + 1] == 0xFF:  # fill bytes
            position += 1
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + length
        if end > len(data):
            raise ContainerError("truncated")
        if marker in _JPEG_FRAMES:
            if width >= 0:
                raise ContainerError("corrupt (two JPEG frame headers)")
            height, width = struct.unpack_from(">HH", data, position + 5)
        if marker == 0xDA:
            break
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0" and not exif:
            exif = data[position + 10 : end]
        if marker not in _JPEG_METADATA:
            kept.append(data[position:end])
        position = end
    if width < 0:
        raise ContainerError("corrupt (a JPEG scan without a frame header)")
    return Container("JPEG", width, height, _orientation(exif), b"".join([*kept, data[position:]]))


def _webp(data: bytes) -> Container:
    """WebP container (RFC 9649); the canvas size is in the first chunk."""
    (length,) = struct.unpack_from("<I", data, 4)
    if data[8:12] != b"WEBP":
        raise ContainerError("not a PNG, JPEG, WebP, BMP or GIF (another RIFF file)")
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
    return Container("WEBP", width, height, _orientation(_webp_exif(data)), data)


def _webp_exif(data: bytes) -> bytes:
    position = 12
    while position + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, position + 4)
        if data[position : position + 4] == b"EXIF":
            return data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0")
        position += 8 + length + length % 2
    return b""


def _gif(data: bytes) -> Container:
    """The first picture of a GIF (GIF89a specification), with the control block before it."""
    width, height = struct.unpack_from("<HH", data, 6)
    position = 13 + _gif_palette(data[10])
    header, control = data[:position], b""
    while data[position] == 0x21:
        end = _gif_blocks_end(data, position + 2)
        if data[position + 1] == 0xF9:
            control = data[position:end]
        position = end
    if data[position] != 0x2C:
        raise ContainerError("a GIF without a picture" if data[position] == 0x3B else "corrupt GIF blocks")
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, position + 1)
    end = _gif_blocks_end(data, position + 11 + _gif_palette(data[position + 9]))
    body = b"".join([header, control, data[position:end], b";"])
    # A picture may lie partly outside the screen; Pillow then enlarges the screen.
    return Container("GIF", max(width, left + frame_width), max(height, top + frame_height), 1, body)


def _gif_palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_blocks_end(data: bytes, position: int) -> int:
    while data[position]:
        position += 1 + data[position]
    return position + 1


def _bmp(data: bytes) -> Container:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return Container("BMP", width, abs(height), 1, data)


def _orientation(exif: bytes) -> int:
    """The orientation tag of a TIFF-structured EXIF block; 1 (upright) where it is absent or broken."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


_READERS: tuple[tuple[bytes, Callable[[bytes], Container]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"RIFF", _webp),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"BM", _bmp),
)
