"""The container readers against files that Pillow wrote, and against planted faults."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from dessin.images.containers.base import ContainerError
from dessin.images.containers.read import read_container


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def exif_orientation(value: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark
        + struct.pack(order + "IH", 8, 1)
        + struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0)
        + b"\0" * 4
    )


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0" + exif_orientation(1)}),
        ("BMP", {}),
        ("GIF", {}),
    ],
)
def test_size_and_format_are_what_was_written(file_format: str, options: dict[str, object]) -> None:
    container = read_container(encoded(Image.new("RGB", (37, 21), "red"), file_format, **options))
    assert (container.format, container.width, container.height) == (file_format, 37, 21)
    assert container.orientation == 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_orientation_is_read_in_both_byte_orders(file_format: str, order: str) -> None:
    exif = b"Exif\0\0" + exif_orientation(6, order)
    assert read_container(encoded(Image.new("RGB", (8, 5)), file_format, exif=exif)).orientation == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        exif_orientation(0),
        exif_orientation(9),
        exif_orientation(6)[:14],
    ],
)
def test_a_broken_orientation_is_upright(exif: bytes) -> None:
    data = encoded(Image.new("L", (8, 5)), "PNG")
    with_exif = data[:33] + png_chunk(b"eXIf", exif) + data[33:]
    assert read_container(with_exif).orientation == 1


def test_jpeg_metadata_is_not_handed_on_but_colour_markers_are() -> None:
    marker = b"\xff\xe2" + struct.pack(">H", 2 + 9) + b"MPF\0junk!"
    data = encoded(
        Image.new("CMYK", (9, 9)), "JPEG", exif=b"Exif\0\0" + exif_orientation(3), comment=b"hello"
    )
    body = read_container(data[:2] + marker + data[2:]).body
    assert b"MPF" not in body
    assert b"Exif" not in body
    assert b"hello" not in body
    assert b"Adobe" in body


def test_only_the_first_picture_of_a_gif_is_handed_on() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    body = read_container(data).body
    assert len(body) < len(data)
    assert Image.open(BytesIO(body)).n_frames == 1


def test_a_gif_picture_beyond_its_screen_counts_with_its_real_extent() -> None:
    data = bytearray(encoded(Image.new("P", (9, 9)), "GIF"))
    picture = data.index(b",", 13 + 3 * 2)
    data[picture + 5 : picture + 9] = struct.pack("<HH", 50_000, 60_000)
    container = read_container(bytes(data))
    assert (container.width, container.height) == (50_000, 60_000)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_every_truncation_of_the_header_is_refused(file_format: str) -> None:
    data = encoded(Image.new("RGB", (8, 8), "red"), file_format)
    for length in range(16):
        with pytest.raises(ContainerError):
            read_container(data[:length])


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"hello", "not one of PNG"),
        (b"II+\0" + b"\0" * 40, "TIFF of more than 4 GiB"),
        (b"\n <SVG xmlns='x'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "XML"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 20, "film"),
        (b"%PDF-1.7", "PDF"),
        (b"../store/cat/0.png\n", "a link that was saved as text"),
        (b"RIFF\x10\0\0\0WAVEfmt " + b"\0" * 20, "another RIFF"),
        (b"\xff\xd8\xff\xda\0\2" + b"\0" * 9, "without a frame"),
        (b"\xff\xd8\xff\xdb\0\4\0\0oops", "no JPEG marker"),
        (b"GIF89a" + b"\1\0\1\0\0\0\0" + b";", "without a picture"),
        (b"GIF89a" + b"\1\0\1\0\0\0\0" + b"?", "corrupt GIF"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, word: str) -> None:
    with pytest.raises(ContainerError, match=word):
        read_container(data)


def test_png_faults_are_named() -> None:
    data = encoded(Image.new("L", (8, 5)), "PNG")
    flipped = bytearray(data)
    flipped[-20] ^= 1
    with pytest.raises(ContainerError, match="checksum"):
        read_container(bytes(flipped))
    with pytest.raises(ContainerError, match="repeated"):
        read_container(data[:33] + data[8:])
    with pytest.raises(ContainerError, match="missing"):
        read_container(data[:8] + data[33:])
