"""Images made to hurt, of every format that is read and as costly as a file allows; functions give bytes."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import Image, ImageFile

PNG = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def noise(width: int, height: int, mode: str = "RGB", *, seed: int = 0) -> Image.Image:
    """Noise that no format can compress; wide pages repeat a strip, so that they are quick to make."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    strip = np.random.default_rng(seed).integers(0, 256, (min(height, 64), width, channels), dtype=np.uint8)
    page = np.resize(strip, (height, width, channels))
    return Image.frombytes(mode, (width, height), page.tobytes())


# PNG


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png_header(width: int, height: int, depth: int, colour: int, interlace: int = 0) -> bytes:
    return PNG + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """`rows` already hold their filter bytes; `extra` whole chunks come before the pixels."""
    pixels = png_chunk(b"IDAT", zlib.compress(rows, 1))
    return b"".join([png_header(width, height, depth, colour), *extra, pixels, png_chunk(b"IEND", b"")])


def deep_png(width: int, height: int, *, interlace: int = 1, filtered: int = 4) -> bytes:
    """16 bits a channel with transparency, all rows Paeth-filtered; noise that repeats, so it stays small."""
    adam7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    random = np.random.default_rng(1)
    packer, parts = zlib.compressobj(1), []
    for row, column, rows, columns in adam7 if interlace else ((0, 0, 1, 1),):
        across, down = -((column - width) // columns), -((row - height) // rows)
        if across <= 0:
            continue
        # zlib sees 32 KiB back, so what is to stay small repeats within them.
        pattern = random.integers(0, 256, 999, dtype=np.uint8)
        line = bytes([filtered]) + np.resize(pattern, 8 * across).tobytes()
        parts += [packer.compress(line) for _ in range(down)]
    pixels = png_chunk(b"IDAT", b"".join([*parts, packer.flush()]))
    return png_header(width, height, 16, 6, interlace) + pixels + png_chunk(b"IEND", b"")


def many_chunks(count: int, kind: bytes = b"teXt") -> bytes:
    """A tiny PNG with `count` empty chunks."""
    end = png_chunk(b"IDAT", zlib.compress(b"\0\0", 1)) + png_chunk(b"IEND", b"")
    return png_header(1, 1, 8, 0) + png_chunk(kind, b"") * count + end


def tall_png(height: int) -> bytes:
    """One pixel wide; a few kB for any height."""
    return png(1, height, 8, 0, bytes(2 * height))


def text_png(image: Image.Image, length: int) -> bytes:
    """A good picture with a text of `length` characters, packed and plain."""
    whole = encoded(image, "PNG")
    texts = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * length))
    texts += png_chunk(b"tEXt", b"Comment\0" + b"a" * length)
    return whole[:33] + texts + whole[33:]


# JPEG


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def many_segments(count: int) -> bytes:
    """A good JPEG with `count` empty comments."""
    whole = encoded(Image.new("L", (8, 8)), "JPEG")
    return whole[:2] + segment(0xFE, b"") * count + whole[2:]


def scans(width: int, height: int, count: int, *, mode: str = "L") -> bytes:
    """A progressive JPEG whose last scan comes `count` times more; for gray these say next to nothing."""
    whole = encoded(Image.new(mode, (width, height), "white"), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    tables = whole.rindex(b"\xff\xc4", 0, last)
    return whole[:-2] + whole[tables:-2] * count + whole[-2:]


def progressive(width: int, height: int, *, mode: str = "RGB", quality: int = 40, **options: object) -> bytes:
    # Pillow's encoder wants it in one piece.
    ImageFile.MAXBLOCK, before = width * height * 4, ImageFile.MAXBLOCK
    try:
        return encoded(noise(width, height, mode), "JPEG", progressive=True, quality=quality, **options)
    finally:
        ImageFile.MAXBLOCK = before


def raw_jpeg(frame: int, width: int, height: int, components: int, data: bytes, *segments: bytes) -> bytes:
    """A JPEG of any process (`frame` is its SOF marker) around given entropy-coded bytes, which it stuffs."""
    parts = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    named = b"".join(bytes([number + 1, 0]) for number in range(components))
    scan = bytes([components]) + named + b"\0\x3f\0"
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + bytes([16] * 64)),
            segment(frame, struct.pack(">BHHB", 8, height, width, components) + parts),
            *segments,
            segment(0xDA, scan),
            data.replace(b"\xff", b"\xff\0"),
            b"\xff\xd9",
        ]
    )


# GIF, BMP and WebP


def gif(width: int, height: int, *, block: int = 255, image: Image.Image | None = None) -> bytes:
    """A GIF whose data lie in sub-blocks of `block` bytes."""
    whole = encoded(image or noise(width, height, "P"), "GIF")
    start = whole.index(b",", 13 + (3 << ((whole[10] & 7) + 1) if whole[10] & 0x80 else 13)) + 10
    start += 3 << ((whole[start - 1] & 7) + 1) if whole[start - 1] & 0x80 else 0
    position, data = start + 1, []
    while whole[position]:
        data.append(whole[position + 1 : position + 1 + whole[position]])
        position += 1 + whole[position]
    stream = b"".join(data)
    pieces = [stream[place : place + block] for place in range(0, len(stream), block)]
    return whole[: start + 1] + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0;"


def rle_bmp(width: int, height: int, runs: bytes, *, depth: int = 8) -> bytes:
    """An RLE8 or RLE4 BMP of two colours around given runs."""
    palette = b"\xff\xff\xff\0" + b"\0\0\0\0" * (2**depth - 1)
    start = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    kind = 1 if depth == 8 else 2
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, kind, len(runs), 0, 0, 2**depth, 0)
    return head + info + palette + runs


def lossy_webp(width: int, height: int, mode: str = "RGBA") -> bytes:
    """A lossy WebP of noise, its transparency too, at the best quality that its format can hold."""
    for quality in (95, 90, 85, 80, 75, 60):
        with suppress(ValueError):  # its first part would be too large
            return encoded(noise(width, height, mode), "WEBP", method=0, quality=quality)
    raise AssertionError("no quality is low enough")


def sized_webp(whole: bytes, width: int, height: int) -> bytes:
    """An extended WebP whose header says another size."""
    size = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    return whole[:24] + size + whole[30:]


def webp_chunks(count: int) -> bytes:
    """A good WebP with `count` empty chunks behind its picture."""
    whole = encoded(Image.new("RGB", (8, 8), "red"), "WEBP", lossless=True)
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (7).to_bytes(3, "little") * 2
    body = b"WEBP" + extended + whole[12:] + b"abcd\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body)) + body
