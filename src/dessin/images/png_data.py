"""Whether a PNG holds as many pixels as it claims: Pillow fills missing rows with black and says nothing."""

from __future__ import annotations

import struct
import zlib

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
