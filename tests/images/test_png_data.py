"""The length of PNG pixel data, with the length worked out by hand for each kind."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from dessin.images.containers.png import holds_all_pixels


def png(
    size: tuple[int, int], depth: int, colour: int, data: bytes, interlace: int = 0, pieces: int = 1
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    stream = zlib.compress(data)
    step = -(-len(stream) // pieces)
    chunks = [(b"IHDR", header)]
    chunks += [(b"IDAT", stream[start : start + step]) for start in range(0, len(stream), step)]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("size", "depth", "colour", "interlace", "length"),
    [
        ((8, 8), 8, 0, 0, 8 * 9),
        ((9, 2), 1, 0, 0, 2 * 3),
        ((5, 3), 4, 3, 0, 3 * 4),
        ((3, 2), 16, 6, 0, 2 * 25),
        ((3, 2), 8, 2, 0, 2 * 10),
        ((3, 2), 8, 4, 0, 2 * 7),
        # Adam7 of 8x8: passes of 1x1, 1x1, 1x2, 2x2, 2x4, 4x4 and 4x8 (rows x columns)
        ((8, 8), 8, 0, 1, 2 + 2 + 3 + 6 + 10 + 20 + 36),
        ((1, 1), 8, 2, 1, 4),
        # 3x2: passes 1, 4, 6 and 7 alone hold pixels: 1x1, 1x1, 1x1 and 1x3
        ((3, 2), 8, 0, 1, 2 + 2 + 2 + 4),
    ],
)
def test_one_byte_less_is_too_little(
    size: tuple[int, int], depth: int, colour: int, interlace: int, length: int
) -> None:
    assert holds_all_pixels(png(size, depth, colour, bytes(length), interlace))
    assert holds_all_pixels(png(size, depth, colour, bytes(length + 1), interlace))
    assert not holds_all_pixels(png(size, depth, colour, bytes(length - 1), interlace))


def test_data_over_several_chunks_and_beyond_one_piece() -> None:
    size, length = (2000, 1000), 1000 * 2001
    assert holds_all_pixels(png(size, 8, 0, bytes(length), pieces=7))
    assert not holds_all_pixels(png(size, 8, 0, bytes(length - 1), pieces=7))


def test_a_stream_that_is_no_stream() -> None:
    data = png((8, 8), 8, 0, bytes(72))
    assert not holds_all_pixels(data.replace(b"IDAT\x78", b"IDAT\x00"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_pillow_writes_is_whole(mode: str) -> None:
    for size in ((1, 1), (7, 5), (64, 33)):
        buffer = BytesIO()
        Image.new(mode, size).save(buffer, "PNG")
        assert holds_all_pixels(buffer.getvalue())
