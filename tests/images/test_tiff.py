"""TIFF: what scanners write comes back pixel for pixel, and nothing but what draws is handed to a decoder."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from fuzz_kit import cases, rng
from pictures_by_hand import encoded, picture
from PIL import Image

from dessin.images.containers.read import read_container
from dessin.images.decode import TooManyPixels, Unreadable, decode, read_header

Tags = dict[int, tuple[int, Sequence[int]]]


def tiff(tags: Tags, pieces: Sequence[bytes], order: str = "<", *, after: bytes = b"") -> bytes:
    """A TIFF by hand; each tag is (kind, values), and tag 273 is set to where the pieces lie."""
    place, offsets = 8, []
    for piece in pieces:
        offsets.append(place)
        place += len(piece)
    whole = {273: (4, offsets), 279: (4, [len(piece) for piece in pieces])} | tags
    entries, values = b"", b""
    start = place + len(after)
    for tag, (kind, numbers) in sorted(whole.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'_BBHI'[kind]}", *numbers)
        packed += b"\0" * (-len(packed) % 4)
        if len(packed) > 4:
            values, packed = values + packed, struct.pack(order + "I", start + len(values))
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start + len(values))
    return b"".join([head, *pieces, after, values, struct.pack(order + "H", len(whole)), entries, b"\0" * 4])


def gray(width: int = 4, height: int = 2, **more: tuple[int, Sequence[int]]) -> Tags:
    tags: Tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1])}
    return tags | {int(name[1:]): value for name, value in more.items()}


PLAIN = (None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")


@pytest.mark.parametrize(
    ("mode", "compression"),
    [(mode, c) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16") for c in PLAIN]
    + [("1", "group3"), ("1", "group4")],
)
def test_what_scanners_write_comes_back_exactly(mode: str, compression: str | None) -> None:
    source = picture(mode)
    decoded = decode(encoded(source, compression=compression))
    assert (decoded.mode, decoded.format) == (mode, "TIFF")
    expected = np.asarray(source.convert("RGB")) if mode == "CMYK" else decode(encoded(source, "PNG")).pixels
    assert (decoded.pixels == expected).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_in_tiff_comes_back_nearly(mode: str) -> None:
    decoded = decode(encoded(picture(mode), compression="jpeg", quality=95))
    expected = np.asarray(picture(mode).convert("RGB")).astype(int)
    assert np.abs(decoded.pixels - expected).mean() < 4


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_in_both_orders_and_rows_in_several_strips(order: str) -> None:
    rows = [struct.pack(order + "3H", 65535, 0, 32768), struct.pack(order + "3H", 0, 257, 65535)]
    colour: Tags = {258: (3, [16] * 3), 262: (3, [2]), 277: (3, [3]), 278: (3, [1])}
    decoded = decode(tiff({**gray(1, 2), **colour}, rows, order))
    assert np.abs(decoded.pixels[:, 0].astype(int) - [[255, 0, 128], [0, 1, 255]]).max() <= 1
    deep = decode(tiff(gray(2, 1, _258=(3, [16])), [struct.pack(order + "2H", 65535, 32768)], order))
    assert deep.pixels[0, :, 0].tolist() == [255, 128]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_its_orientation_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(picture(), tiffinfo={274: orientation})
    decoded = decode(data)
    assert (decoded.pixels == decode(encoded(picture(), "PNG", exif=exif)).pixels).all()
    header = read_header(data)
    assert (header.width, header.height) == (decoded.width, decoded.height)


def test_only_what_draws_the_first_page_is_handed_on() -> None:
    pages = [picture(), picture("L"), picture("1")]
    data = encoded(
        pages[0], save_all=True, append_images=pages[1:], tiffinfo={270: "a description", 700: b"<xmp>"}
    )
    container = read_container(data)
    assert b"description" not in container.body
    assert b"xmp" not in container.body
    assert Image.open(BytesIO(container.body)).n_frames == 1
    assert (decode(data).pixels == np.asarray(pages[0])).all()


STRIP = bytes(range(8))
# 64 rows of 400 bytes that are all the same.
SHARED = tiff(gray(400, 64, _278=(3, [1]), _273=(4, [8] * 64), _279=(4, [400] * 64)), [bytes(400)])


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (tiff(gray(_259=(3, [34712])), [STRIP]), "compression 34712"),
        (tiff(gray(_259=(3, [6])), [STRIP]), "compression 6"),
        (tiff(gray(_254=(4, [1])), [STRIP]), "thumbnail"),
        (tiff(gray(_339=(3, [3])), [STRIP]), "other values"),
        (tiff(gray(_262=(3, [8])), [STRIP]), "other values"),
        (tiff(gray(_258=(3, [8, 8])), [STRIP]), "channels"),
        (tiff(gray(4, 3), [STRIP]), "truncated"),
        (tiff(gray(), [STRIP[:-1]]), "truncated"),
        (tiff(gray(_273=(4, [10**6])), [STRIP]), "truncated"),
        (tiff(gray(0, 2), [STRIP]), "zero-size"),
        (SHARED, "on one another"),
        (tiff(gray(4, 2, _278=(3, [0])), [STRIP]), "without rows"),
        (tiff(gray(_322=(4, [0]), _323=(4, [16])), [STRIP]), "without a size"),
        (tiff(gray(_322=(4, [60000]), _323=(4, [60000])), [STRIP]), "too large TIFF tiles"),
        (tiff(gray(_259=(3, [7])), [STRIP]), "JPEG data"),
        (b"II+\0" + bytes(40), "more than 4 GiB"),
        (b"II*\0" + bytes(40), "corrupt|truncated"),
        (b"MM\0*\xff\xff\xff\xff", "truncated"),
        (tiff(gray(100_000, 100_000), [STRIP]), "10,000 million pixels|truncated"),
    ],
)
def test_what_is_not_read_is_said_in_a_few_words(data: bytes, word: str) -> None:
    with pytest.raises(Unreadable, match=word) as caught:
        decode(data)
    assert len(caught.value.reason) < 120


def test_too_many_pixels_are_refused_before_a_decoder_sees_them() -> None:
    data = encoded(Image.new("1", (9000, 9000)), compression="group4")
    assert len(data) < 5000
    with pytest.raises(TooManyPixels, match="81 million pixels"):
        decode(data)


def test_any_cut_and_any_mutation_is_decoded_or_unreadable() -> None:
    random = rng("tiff")
    files = [
        encoded(picture(m), compression=c) for m, c in (("RGB", "tiff_lzw"), ("L", "jpeg"), ("1", "group4"))
    ]
    files.append(tiff(gray(4, 2, _278=(3, [1])), [STRIP[:4], STRIP[4:]], ">"))
    seen = 0
    for _ in range(cases(300)):
        data = bytearray(random.choice(files))
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data))] = random.randrange(256)
        for tried in (bytes(data), bytes(data[: random.randrange(len(data))])):
            try:
                decode(tried)
            except Unreadable:
                seen += 1
    assert seen
