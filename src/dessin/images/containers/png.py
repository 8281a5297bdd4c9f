"""PNG: its chunks, each with its checksum, and whether the pixel data are all there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from dessin.images.containers.base import MAX_PARTS, Container, ContainerError, exif_orientation, too_many

MAGIC = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7 (PNG, third edition, section 8.2): first row, first column, row step, column step of the seven passes.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_PIECE = 2**18
# Pillow takes back a filter at 160 MB/s. 8 bits a channel are read up to the largest picture, 16-bit colour
# up to an A4 page at 600 dpi.
_MAX_PIXEL_BYTES = 210_000_000


def read_png(data: bytes) -> Container:
    """PNG, third edition (W3C 2025), sections 5.3 and 11.3; every chunk's CRC is checked.

    Of ancillary chunks only transparency (tRNS) and orientation (eXIf) matter to pixels; texts, profiles and
    unknown ones, however large, are not handed on.
    """
    whole = memoryview(data)
    kept, exif = [whole[:8]], b""
    width = height = 0
    for kind, start, end in chunks(data):
        if (kind == b"IHDR") != (start == 8):
            raise ContainerError("the PNG header is missing or repeated")
        if zlib.crc32(whole[start + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ContainerError("corrupt (a PNG chunk fails its checksum)")
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", data, start + 8)
        if kind == b"eXIf":
            exif = data[start + 8 : end - 4]
        elif kind == b"tRNS" and data[25] == 0 and data[24] in (2, 4):
            kept.append(memoryview(_scaled_level(data[start + 8 : end - 4], depth=data[24])))
        elif kind == b"tRNS" or not (kind[0] & 0x20 or kind in _ANIMATION):  # bit 5: an ancillary chunk
            kept.append(whole[start:end])
    body = b"".join(kept)
    if pixel_bytes(body) > _MAX_PIXEL_BYTES and data[24] == 16:
        raise ContainerError(f"too large a PNG of 16 bits a channel ({width}x{height}); save it with 8 bits")
    return Container("PNG", width, height, exif_orientation(exif), body)


def chunks(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of every chunk up to IEND; a `ContainerError` where they do not end in it."""
    position, kind = 8, b""
    for _ in range(MAX_PARTS):
        (length,) = struct.unpack_from(">I", png, position)
        kind, end = png[position + 4 : position + 8], position + 12 + length
        if end > len(png):
            raise ContainerError("truncated")
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end
    raise too_many("PNG chunks")


def _scaled_level(payload: bytes, depth: int) -> bytes:
    """The tRNS chunk of 2- or 4-bit gray, its level in 8 bits: Pillow scales the pixels only."""
    (level,) = struct.unpack(">H", payload)
    body = b"tRNS" + struct.pack(">H", level * 255 // (2**depth - 1) & 0xFFFF)
    return struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))


def holds_all_pixels(png: bytes) -> bool:
    """Inflate the pixel data of a checked PNG, a piece at a time, and compare its length with the header's.

    A stream that zlib refuses counts as incomplete; an unknown colour type is left to the decoder.
    """
    missing = pixel_bytes(png)
    inflater = zlib.decompressobj()
    try:
        for piece in _pixel_pieces(png):
            stream: bytes | memoryview = piece
            while missing > 0 and stream and not inflater.eof:
                missing -= len(inflater.decompress(stream, _PIECE))
                stream = inflater.unconsumed_tail
    except zlib.error:
        return False
    return missing <= 0


def pixel_bytes(png: bytes) -> int:
    """How many bytes the pixel data of a PNG must inflate to; 0 for an unknown colour type."""
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", png, 16)
    bits = depth * _SAMPLES.get(colour, 0)
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    return bits and sum(
        _rows_bytes(-((row - height) // row_step), -((column - width) // column_step), bits)
        for row, column, row_step, column_step in passes
    )


def _rows_bytes(rows: int, columns: int, bits: int) -> int:
    """Bytes of a pass, with a filter byte a row; an empty pass has none."""
    return max(rows, 0) * (1 + (columns * bits + 7) // 8) if columns > 0 else 0


def _pixel_pieces(png: bytes) -> Iterator[memoryview]:
    whole = memoryview(png)
    for kind, start, end in chunks(png):
        if kind == b"IDAT":
            # Short ones: what zlib leaves of a piece is copied each time.
            for place in range(start + 8, end - 4, _PIECE):
                yield whole[place : min(place + _PIECE, end - 4)]
