"""Damaged images of every kind: pixels, or a short reason; `DESSIN_FUZZ=30000` for the long run."""

from __future__ import annotations

import struct
import time
import zlib
from random import Random

import pytest
from crafted_images import encoded, gif, noise, progressive, rle_bmp, scans, text_png, webp_chunks
from fuzz_kit import cases, rng
from PIL import Image

from dessin.images.containers.heif import can_read_avif, can_read_heic
from dessin.images.decode import Unreadable, decode, read_header

pytestmark = pytest.mark.slow

BYTES = bytes(range(256))
SECONDS = 10.0  # for an image of a few kB; a hang, whatever the machine
LENGTHS = (0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    """Well-formed images of all formats that are read here, in the modes that they have."""
    page, clear = noise(33, 21), noise(33, 21, "RGBA", seed=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encoded(page, "PNG"),
        encoded(clear, "PNG", exif=exif),
        encoded(page.quantize(7), "PNG", transparency=bytes([0, 9, 255])),
        encoded(page.convert("1"), "PNG"),
        text_png(page, 100),
        encoded(page, "PNG", save_all=True, append_images=[page.rotate(180)]),
        encoded(page, "JPEG", exif=exif),
        encoded(page, "JPEG", subsampling=2, restart_marker_blocks=2),
        encoded(page.convert("L"), "JPEG", optimize=True),
        encoded(page.convert("CMYK"), "JPEG"),
        progressive(33, 21),
        scans(33, 21, 3),
        encoded(page, "WEBP"),
        encoded(clear, "WEBP"),
        encoded(clear, "WEBP", lossless=True, exif=exif),
        encoded(clear, "WEBP", save_all=True, append_images=[clear.rotate(180)]),
        webp_chunks(3),
        gif(33, 21),
        gif(33, 21, block=3),
        encoded(page.quantize(8), "GIF", transparency=1, save_all=True, append_images=[page.rotate(180)]),
        encoded(page, "BMP"),
        encoded(page.quantize(16), "BMP"),
        encoded(page.convert("1"), "BMP"),
        encoded(page, "TIFF", compression="tiff_lzw"),
        encoded(page, "TIFF", compression="jpeg"),
        encoded(clear, "TIFF", compression="tiff_adobe_deflate"),
        encoded(page.convert("1"), "TIFF", compression="group4"),
        encoded(page.convert("CMYK"), "TIFF", compression="packbits"),
        *boxed(page),
        rle_bmp(33, 21, (b"\x10\1\x11\0\0\0") * 21 + b"\0\1"),
        rle_bmp(33, 21, (b"\x10\1\0\4\1\x10\x0d\1\0\0") * 21 + b"\0\1", depth=4),
    ]


def boxed(page: Image.Image) -> list[bytes]:
    """AVIF and HEIC, where they can be read."""
    files = [encoded(page, "AVIF")] if can_read_avif() else []
    if can_read_heic():
        import pillow_heif

        pillow_heif.register_heif_opener()
        files.append(encoded(page, "HEIF"))
    return files


def mutated(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """One to four injuries: bits, cuts, inserted, doubled or moved pieces, edited lengths, another's end."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        start = random.randrange(len(out) + 1)
        end = min(len(out), start + random.choice((1, 2, 4, 12, 64)))
        kind = random.randrange(8)
        if kind == 0 and start < len(out):
            out[start] ^= 1 << random.randrange(8)
        elif kind == 1:
            del out[start:end]
        elif kind == 2:
            del out[start:]
        elif kind == 3:
            out[start:start] = random.choice((bytes(end - start), random.randbytes(end - start), b"\xff" * 4))
        elif kind == 4:
            out[start:start] = out[start:end]
        elif kind == 5:
            other = random.randrange(len(out) + 1)
            piece = out[start:end]
            del out[start:end]
            out[other:other] = piece
        elif kind == 6:
            form = random.choice(("<I", ">I", "<H", ">H"))
            size = struct.calcsize(form)
            out[start : start + size] = struct.pack(form, random.choice(LENGTHS) & (256**size - 1))
        else:
            other_data = random.choice(others)
            out[start:] = other_data[random.randrange(len(other_data)) :]
    if out[:4] == b"\x89PNG" and random.random() < 0.7:
        _mend(out)
    return bytes(out)


def _mend(png: bytearray) -> None:
    """Right checksums, so that the injury reaches the decoder behind them."""
    position = 8
    while position + 12 <= len(png):
        end = position + 12 + int.from_bytes(png[position : position + 4], "big")
        if end > len(png):
            return
        png[end - 4 : end] = struct.pack(">I", zlib.crc32(png[position + 4 : end - 4]))
        position = end


def reason_of(data: bytes) -> str:
    """Why an image is not read; empty where it is, and then its header says the same as its pixels."""
    try:
        decoded = decode(data, max_pixels=10**6)
    except Unreadable as error:
        return error.reason or "none given"
    assert decoded.pixels.shape == (decoded.height, decoded.width, 3)
    header = read_header(data, max_pixels=10**6)
    assert (header.width, header.height, header.mode) == (decoded.width, decoded.height, decoded.mode)
    return ""


def test_a_damaged_image_is_pixels_or_a_short_reason() -> None:
    random, whole = rng("images"), seeds()
    reasons, read = set(), 0
    for _ in range(cases(1500)):
        data = mutated(random.choice(whole), random, whole)
        start = time.process_time()
        reason = reason_of(data)
        assert time.process_time() - start < SECONDS
        assert len(reason) <= 200
        assert "\n" not in reason
        reasons.add(reason)
        read += not reason
    # A fuzz that only ever fails, or never does, tests nothing.
    assert read
    assert len(reasons) > 10


def test_every_seed_is_well_formed() -> None:
    for data in seeds():
        assert min(decode(data).pixels.shape[:2]) >= 8
