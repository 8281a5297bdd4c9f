"""What a hostile browser may send to the page "Try it" is refused with a sentence; the rest is drawn."""

from __future__ import annotations

import base64
import math
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dessin.errors import DessinError
from dessin.page.numbers import number
from dessin.studio.try_it.canvas import MAX_BYTES, MAX_POINTS, MAX_STROKES, read_given, read_picture

LINE = {"width": 0.01, "points": [[0.1, 0.2], [0.3, 0.4]]}


def sent(*strokes: object, image: object = "") -> dict[str, object]:
    return {"strokes": list(strokes), "image": image}


def png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_strokes_come_through_as_they_were_drawn() -> None:
    given = read_given(sent(LINE, {"width": 0.02, "points": [[0, 1]]}))
    assert isinstance(given, tuple)
    assert [stroke.width for stroke in given] == [0.01, 0.02]
    assert given[0].points.tolist() == LINE["points"]
    assert given[1].points.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("empty", [None, sent()])
def test_an_empty_page_is_nothing(empty: object) -> None:
    assert read_given(empty) is None


def test_a_pasted_picture_comes_through_pixel_by_pixel() -> None:
    data = png(3, 2, zlib.compress(b"\0\x01\x02\x03\0\x04\x05\x06"))
    given = read_given(sent(image=text(data)))
    assert isinstance(given, np.ndarray)
    assert given[..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "value",
    [
        7,
        "strokes",
        [LINE],
        {"strokes": []},
        {**sent(LINE), "more": 1},
        {"strokes": None, "image": ""},
        {"strokes": "abc", "image": ""},
        sent(None),
        sent({"width": 0.01}),
        sent({"width": 0.01, "points": []}),
        sent({"width": 0.01, "points": "abcd"}),
        sent({"width": 0.01, "points": ["ab"]}),
        sent({"width": 0.01, "points": [[0.1, 0.2, 0.3]]}),
        sent({"width": 0.01, "points": [[0.1, None]]}),
        sent({"width": 0.01, "points": [[0.1, True]]}),
        sent({"width": 0.01, "points": [[0.1, math.nan]]}),
        sent({"width": 0.01, "points": [[0.1, math.inf]]}),
        sent({"width": 0.01, "points": [[-1e9, 0.1]]}),
        sent({"width": 0.01, "points": [[0.1, 10**400]]}),
        *(sent({**LINE, "width": width}) for width in (0, -1, 1e9, math.nan, True, "0.1", None)),
        sent(image=5),
        sent(image="not base64!"),
        sent(image=text(b"no picture")),
        sent(image=text(b"\x89PNG\r\n\x1a\n")),
    ],
    ids=str,
)
def test_what_no_canvas_sends_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(DessinError) as refused:
        read_given(value)
    assert str(refused.value)[0].isupper()
    assert str(refused.value).endswith(".")


class Endless(list[object]):
    """Claims a thousand million entries, and is never to be looked through."""

    def __len__(self) -> int:
        return 10**9

    def __iter__(self) -> object:  # type: ignore[override]
        raise AssertionError("looked through")


def test_too_much_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(DessinError, match="1\u202f000\u202f000\u202f000 points"):
        read_given(sent({"width": 0.01, "points": Endless([0])}))
    with pytest.raises(DessinError, match="1\u202f000\u202f000\u202f000 strokes"):
        read_given({"strokes": Endless([0]), "image": ""})
    with pytest.raises(DessinError, match=f"{number(MAX_STROKES + 1)} strokes"):
        read_given(sent(*[LINE] * (MAX_STROKES + 1)))


def test_a_drawing_at_the_bounds_is_taken() -> None:
    given = read_given(sent({"width": 0.01, "points": [[0.5, 0.5]] * MAX_POINTS}))
    assert isinstance(given, tuple)
    assert len(given[0].points) == MAX_POINTS


def test_a_picture_that_is_too_large_or_unfolds_to_too_much_is_refused() -> None:
    with pytest.raises(DessinError, match="8 MiB"):
        read_given(sent(image="A" * (2 * MAX_BYTES)))
    with pytest.raises(DessinError, match="8 MiB"):
        read_picture(bytes(MAX_BYTES + 1))
    bomb = png(60_000, 60_000, zlib.compress(bytes(10**6), 9))
    assert len(bomb) < 10_000
    with pytest.raises(DessinError, match="up to 40 million are read"):
        read_given(sent(image=text(bomb)))


def test_a_transparent_picture_lies_on_white() -> None:
    import io

    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(buffer, "PNG")
    assert (read_picture(buffer.getvalue()) == 255).all()
