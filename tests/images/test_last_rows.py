"""A JPEG without its last bytes: used where all rows of pixels are there, refused where a bit is missing."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dessin.images.decode import Unreadable, decode, read_header

pytestmark = pytest.mark.slow


def page(mode: str) -> Image.Image:
    image = Image.new(mode, (203, 147), "white")
    pencil = ImageDraw.Draw(image)
    for number in range(14):
        pencil.line((17 * number % 203, 0, 203 - 31 * number % 203, 147), fill="black", width=2)
    return image


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    assert data.endswith(b"\xff\xd9")
    return data


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0, "optimize": True, "quality": 95}, {"restart_marker_blocks": 5}]
)
def test_only_the_end_mark_may_be_missing(mode: str, options: dict[str, object]) -> None:
    """The last byte before the end mark always holds a bit of the picture: every longer cut loses pixels."""
    data = jpeg(page("RGB").convert(mode), **options)
    whole = decode(data)
    assert not whole.truncated
    for lost in (1, 2):
        cut = decode(data[:-lost])
        assert cut.truncated
        assert (cut.pixels == whole.pixels).all()
    for lost in (*range(3, 60), *range(60, len(data) - 700, 97)):
        with pytest.raises(Unreadable) as caught:
            decode(data[:-lost])
        assert caught.value.reason == "truncated"


def test_a_picture_whose_end_looks_like_made_up_pixels_is_not_used() -> None:
    data = jpeg(Image.new("L", (64, 64), 128), optimize=True)
    with pytest.raises(Unreadable, match="truncated"):
        decode(data[:-2])


def test_bytes_behind_the_data_are_not_taken_for_rows() -> None:
    """A file system that lost the end of a file may fill it up with zeros."""
    data = jpeg(page("RGB"))
    for lost in (2, 50, 1000):
        with pytest.raises(Unreadable, match="truncated"):
            decode(data[:-lost] + bytes(4096))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0, "optimize": True}])
def test_an_end_mark_behind_missing_rows_does_not_help(mode: str, options: dict[str, object]) -> None:
    """The decoder would fill them with gray and say nothing."""
    data = jpeg(page("RGB").convert(mode), **options)
    for lost in range(150, len(data) - 700, 61):
        with pytest.raises(Unreadable, match="truncated"):
            decode(data[:-lost] + b"\xff\xd9")


def test_a_whole_picture_may_end_in_gray() -> None:
    for mode in ("L", "RGB"):
        for options in ({}, {"optimize": True}, {"restart_marker_blocks": 2}, {"progressive": True}):
            gray = Image.new(mode, (70, 50), 128 if mode == "L" else (128, 128, 128))
            gray.paste(page(mode).crop((0, 0, 40, 20)))
            assert (decode(jpeg(gray, **options)).pixels[-1, -1] == 128).all()


def test_a_progressive_one_without_its_end_is_not_used() -> None:
    data = jpeg(page("RGB"), progressive=True)
    with pytest.raises(Unreadable, match="truncated"):
        decode(data[:-2])


def test_the_header_is_read_all_the_same() -> None:
    data = jpeg(page("RGB"))
    assert read_header(data[:-2]).width == read_header(data[:-300]).width == 203


def test_what_follows_the_end_mark_does_not_matter() -> None:
    data = jpeg(page("RGB"))
    found = decode(data + b"rubbish\xff\xd8\xff\xda")
    assert not found.truncated
    assert (found.pixels == np.asarray(decode(data).pixels)).all()
