"""Decoding against real encoded files of every mode, hostile files, and mutations of valid ones."""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dessin.images.decode import Unreadable, decode, read_header

pytestmark = pytest.mark.slow


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG by hand: `rows` already holds the filter bytes; `extra` chunks come before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def picture(width: int = 24, height: int = 16) -> Image.Image:
    """Smooth and without a symmetry, so that JPEG keeps it and every turn shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [columns * 255 // width, rows * 255 // height, (rows + columns) * 255 // (width + height)]
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))


def close(pixels: np.ndarray, colour: tuple[int, int, int], within: int = 0) -> bool:
    return bool((np.abs(pixels.astype(int) - np.array(colour)) <= within).all())


@pytest.mark.parametrize("file_format", ["PNG", "BMP"])
def test_a_lossless_rgb_file_comes_back_exactly(file_format: str) -> None:
    decoded = decode(encoded(picture(), file_format))
    assert (decoded.pixels == np.asarray(picture())).all()
    assert (decoded.width, decoded.height, decoded.mode, decoded.format) == (24, 16, "RGB", file_format)
    assert decoded.pixels.dtype == np.uint8


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_a_lossy_rgb_file_comes_back_nearly(file_format: str) -> None:
    decoded = decode(encoded(picture(), file_format, quality=95))
    assert np.abs(decoded.pixels.astype(int) - np.asarray(picture())).mean() < 4
    assert (decoded.mode, decoded.format) == ("RGB", file_format)


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("1", "PNG"), ("1", "BMP"), ("L", "PNG"), ("L", "JPEG"), ("L", "BMP")],
)
def test_gray_modes_repeat_their_channel(mode: str, file_format: str) -> None:
    source = picture().convert("L").point(lambda level: 255 * (level > 127)).convert(mode)
    decoded = decode(encoded(source, file_format))
    assert decoded.mode == mode
    assert (decoded.pixels[..., 0] == decoded.pixels[..., 1]).all()
    expected = np.asarray(source.convert("L")).astype(int)
    assert np.abs(decoded.pixels[..., 0] - expected).mean() < (6 if file_format == "JPEG" else 0.01)


def test_palette_files_show_their_colours() -> None:
    source = picture().quantize(8)
    for file_format in ("PNG", "GIF", "BMP"):
        decoded = decode(encoded(source, file_format))
        assert decoded.mode == "P"
        assert (decoded.pixels == np.asarray(source.convert("RGB"))).all()


def test_16_bit_gray_is_scaled_not_clipped() -> None:
    deep = np.array([[0, 128, 257, 32768, 65535]], dtype=np.uint16)
    decoded = decode(encoded(Image.fromarray(deep), "PNG"))
    assert decoded.mode == "I;16"
    assert decoded.pixels[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_16_bit_rgb_png_is_read() -> None:
    rows = b"\0" + struct.pack(">6H", 65535, 0, 32768, 0, 65535, 257)
    assert decode(png(2, 1, 16, 2, rows)).pixels.tolist() == [[[255, 0, 128], [0, 255, 1]]]


def test_cmyk_jpeg_is_not_inverted() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    decoded = decode(encoded(cyan, "JPEG", quality=95))
    assert decoded.mode == "CMYK"
    assert close(decoded.pixels, (0, 255, 255), within=6)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_a_transparent_background_is_white_paper(file_format: str) -> None:
    drawing = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    drawing.paste((200, 0, 0, 255), (5, 5, 15, 15))
    decoded = decode(encoded(drawing, file_format, **({"lossless": True} if file_format == "WEBP" else {})))
    assert decoded.mode == "RGBA"
    assert close(decoded.pixels[0], (255, 255, 255))
    assert close(decoded.pixels[7:13, 7:13], (200, 0, 0))


def test_half_transparent_black_is_gray() -> None:
    for mode, colour in (("RGBA", (0, 0, 0, 128)), ("LA", (0, 128))):
        decoded = decode(encoded(Image.new(mode, (4, 4), colour), "PNG"))
        assert decoded.mode == mode
        assert close(decoded.pixels, (127, 127, 127), within=1)


def test_palette_transparency_as_index_and_as_bytes() -> None:
    source = Image.new("P", (3, 1))
    source.putpalette([10, 20, 30, 200, 0, 0, 0, 0, 200])
    source.putdata([0, 1, 2])
    by_index = decode(encoded(source, "PNG", transparency=0)).pixels[0]
    assert by_index.tolist() == [[255, 255, 255], [200, 0, 0], [0, 0, 200]]
    in_gif = decode(encoded(source, "GIF", transparency=0)).pixels[0]
    assert in_gif.tolist() == by_index.tolist()
    by_bytes = decode(encoded(source, "PNG", transparency=bytes([0, 255, 0]))).pixels[0]
    assert by_bytes.tolist() == [[255, 255, 255], [200, 0, 0], [255, 255, 255]]


def test_a_transparent_colour_in_opaque_modes() -> None:
    rgb = decode(
        png(2, 1, 8, 2, b"\0" + bytes([9, 9, 9, 50, 60, 70]), (b"tRNS", struct.pack(">3H", 9, 9, 9)))
    )
    assert rgb.pixels[0].tolist() == [[255, 255, 255], [50, 60, 70]]
    gray = decode(png(2, 1, 8, 0, b"\0" + bytes([9, 50]), (b"tRNS", struct.pack(">H", 9))))
    assert gray.pixels[0, :, 0].tolist() == [255, 50]
    deep = decode(png(2, 1, 16, 0, b"\0" + struct.pack(">2H", 9, 257), (b"tRNS", struct.pack(">H", 9))))
    assert deep.pixels[0, :, 0].tolist() == [255, 1]
    one_bit = decode(png(2, 1, 1, 0, b"\0" + bytes([0b01000000]), (b"tRNS", struct.pack(">H", 1))))
    assert one_bit.pixels[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(("depth", "byte"), [(2, 0b00_01_10_11), (4, 0x05)])
def test_a_transparent_level_of_shallow_gray(depth: int, byte: int) -> None:
    level, count = (1, 4) if depth == 2 else (5, 2)
    data = png(count, 1, depth, 0, b"\0" + bytes([byte]), (b"tRNS", struct.pack(">H", level)))
    top = 2**depth - 1
    levels = [byte >> (8 - depth * (i + 1)) & top for i in range(count)]
    expected = [255 if value == level else value * 255 // top for value in levels]
    assert decode(data).pixels[0, :, 0].tolist() == expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_exif_turns_pixels_and_header_alike(file_format: str, orientation: int) -> None:
    """What a camera stored turned is upright again: the stored pixels are the inverse turn of the scene."""
    scene = picture(24, 16)
    inverse = {
        1: scene,
        2: scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: scene.transpose(Image.Transpose.ROTATE_180),
        4: scene.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: scene.transpose(Image.Transpose.TRANSPOSE),
        6: scene.transpose(Image.Transpose.ROTATE_90),
        7: scene.transpose(Image.Transpose.TRANSVERSE),
        8: scene.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(inverse, file_format, exif=exif, quality=95)
    decoded, header = decode(data), read_header(data)
    assert (decoded.width, decoded.height) == (header.width, header.height) == (24, 16)
    assert np.abs(decoded.pixels.astype(int) - np.asarray(scene)).mean() < 5


def test_the_first_picture_of_an_animation() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime", "blue")]
    for file_format in ("GIF", "WEBP", "PNG"):
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert close(decode(data).pixels, (255, 0, 0), within=4)


def test_too_many_pixels_are_refused_from_the_header_alone() -> None:
    bomb = png(30_000, 30_000, 1, 0, b"")
    for reader in (decode, read_header):
        with pytest.raises(Unreadable) as caught:
            reader(bomb)
        assert caught.value.reason.startswith("900 million pixels (30000x30000); up to 40 million are read")
    data = encoded(picture(), "PNG")
    assert read_header(data, max_pixels=24 * 16).width == 24
    with pytest.raises(Unreadable, match=r"\(24x16\); up to 0.000383 million are read"):
        decode(data, max_pixels=24 * 16 - 1)


def test_a_caller_cannot_lift_the_cap_into_pillows_warning() -> None:
    with pytest.raises(Unreadable, match="100 million pixels"):
        read_header(png(10_000, 10_000, 1, 0, b""), max_pixels=10**12)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_an_inflating_metadata_chunk_is_never_inflated(kind: bytes) -> None:
    bomb = b"name\0\0" + zlib.compress(bytes(8 * 2**20))
    decoded = decode(png(2, 1, 8, 0, b"\0\7\x09", (kind, bomb)))
    assert decoded.pixels[0, :, 0].tolist() == [7, 9]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (png(0, 5, 8, 0, b""), "zero-size"),
        (png(8, 8, 8, 0, b"\7" * 72), "corrupt"),
        (png(8, 8, 8, 0, b"\0" * 71), "truncated"),
        (png(24, 65_535, 8, 2, b"\0" * 73), "truncated"),
        (png(24, 1_000_000, 8, 2, b"\0" * 73), "a side too long (24x1000000); up to 65,535"),
        (png(8, 8, 3, 0, b"\0" * 72), "corrupt"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (encoded(Image.new("L", (8, 8)), "TIFF")[:-30], "truncated"),
        (encoded(Image.new("L", (8, 8)), "PPM"), "not one of PNG"),
        (encoded(picture(), "JPEG")[:-200], "truncated"),
        (encoded(picture(), "BMP")[:-200], "truncated"),
    ],
)
def test_hostile_and_broken_files_say_why_in_a_few_words(data: bytes, word: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(data)
    assert word in caught.value.reason
    assert len(caught.value.reason) < 120
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_a_file_cut_in_half_is_unreadable(file_format: str) -> None:
    data = encoded(picture(64, 64), file_format)
    with pytest.raises(Unreadable):
        decode(data[: len(data) // 2])


def test_metadata_that_makes_pillow_warn_does_not() -> None:
    """Warnings are errors here: a broken EXIF block and a false multi-picture mark must stay silent."""
    broken = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\1" * 30)
    mark = b"\xff\xe2" + struct.pack(">H", 20) + b"MPF\0" + b"\2" * 14
    assert decode(broken[:2] + mark + broken[2:]).format == "JPEG"
    animated = png(1, 1, 8, 0, b"\0\0", (b"acTL", struct.pack(">II", 0, 0)))
    assert decode(animated).width == 1


_SEEDS = [
    encoded(picture(), "PNG"),
    encoded(picture().quantize(4), "PNG", transparency=bytes([0, 9, 255])),
    encoded(picture(), "JPEG", exif=Image.Exif()),
    encoded(picture(), "WEBP"),
    encoded(picture(), "WEBP", lossless=True),
    encoded(picture().quantize(16), "BMP"),
    encoded(picture().quantize(8), "GIF", transparency=1),
]


def _with_valid_checksums(data: bytes) -> bytes:
    """Mend the CRCs of a mutated PNG, so that the mutation reaches the decoder behind them."""
    out, position = bytearray(data), 8
    while position + 12 <= len(out):
        end = position + 12 + int.from_bytes(out[position : position + 4], "big")
        if end > len(out):
            break
        out[end - 4 : end] = struct.pack(">I", zlib.crc32(out[position + 4 : end - 4]))
        position = end
    return bytes(out)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    seed=st.sampled_from(_SEEDS),
    edits=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6),
    cut=st.one_of(st.none(), st.integers(0, 2**16)),
    mend=st.booleans(),
)
def test_any_mutation_is_decoded_or_unreadable(
    seed: bytes, edits: list[tuple[int, int]], cut: int | None, mend: bool
) -> None:
    data = bytearray(seed)
    for position, value in edits:
        data[position % len(data)] = value
    mutated = bytes(data[: cut % len(data)] if cut is not None else data)
    if mend and mutated.startswith(b"\x89PNG"):
        mutated = _with_valid_checksums(mutated)
    try:
        decoded = decode(mutated, max_pixels=10**6)
    except Unreadable:
        return
    assert decoded.pixels.shape == (decoded.height, decoded.width, 3)
    header = read_header(mutated, max_pixels=10**6)
    assert (header.width, header.height, header.mode) == (decoded.width, decoded.height, decoded.mode)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    magic=st.sampled_from(
        [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x30\0\0\0WEBPVP8X", b"GIF89a", b"BM", b""]
    ),
    rest=st.binary(max_size=80),
)
def test_noise_behind_a_magic_number_is_unreadable_or_decoded(magic: bytes, rest: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert decode(magic + rest, max_pixels=10**6).pixels.ndim == 3


def test_threads_decode_alike() -> None:
    expected, results = [decode(data).pixels for data in _SEEDS], {}

    def work(number: int) -> None:
        results[number] = [decode(data).pixels for data in _SEEDS]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert all((a == b).all() for a, b in zip(expected, results[number], strict=True))
