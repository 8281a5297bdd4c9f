"""The drawing surface on the page, and what it sends, checked: strokes, or a picture that was pasted. The
browser is never trusted."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.components.v2.types import ComponentRenderer

from dessin.errors import DessinError
from dessin.images.decode import decode
from dessin.images.ground import Pixels
from dessin.page.numbers import counted, number
from dessin.studio.texts import Texts

# Of the page's side.
_THINNEST, _THICKEST = 0.004, 0.06
_WORDS = ("undo", "clear", "pen", "label", "count", "picture", "empty", "full", "large")


def ask_canvas(texts: Texts, *, pen: float, room: str) -> object:
    """Show the drawing surface of a page, its `room`; what lies on it now, as the browser says it.

    `pen` is the width to begin with, in page sides.
    """
    key = f"{room}.canvas"
    # Streamlit says "not mounted before" by knowing nothing of it: the browser may have kept a drawing then.
    known, now = key in st.session_state, st.session_state.get(_round(room), 0)
    shown = _component()(
        key=key,
        data={
            "room": room,
            "round": now,
            "words": {name: texts(f"canvas.{name}", n="{n}") for name in _WORDS},
            "pen": min(max(pen, _THINNEST), _THICKEST),
            "thinnest": _THINNEST,
            "thickest": _THICKEST,
            "strokes": MAX_STROKES,
            "points": MAX_POINTS,
            "bytes": MAX_BYTES,
            "known": known,
        },
        default={"drawing": None},
        on_drawing_change=_nothing,
    )
    drawing = shown["drawing"]
    if not isinstance(drawing, Mapping):
        return drawing
    # What was sent before the surface was cleared is a drawing that was dealt with.
    return (
        {each: drawing[each] for each in drawing if each != "round"} if drawing.get("round") == now else None
    )


def clear_canvas(room: str) -> None:
    """Let the surface be empty when it is next shown."""
    st.session_state[_round(room)] = st.session_state.get(_round(room), 0) + 1


def _round(room: str) -> str:
    return f"{room}.canvas.round"


@st.cache_resource(show_spinner=False)
def _component() -> ComponentRenderer:
    """Registered once for the server: to register it anew would mount it anew, in the middle of a stroke."""
    html, css, js = (
        files("dessin.studio.try_it").joinpath(f"canvas.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    return st.components.v2.component("dessin_canvas", html=html, css=css, js=js)


def _nothing() -> None:
    """Streamlit runs the page after each stroke only where it has something to call."""


MAX_STROKES = 2_000
MAX_POINTS = 50_000
MAX_BYTES = 8 * 2**20
# Of the page's side.
THINNEST, THICKEST = 0.001, 0.2
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PenStroke:
    """One movement of the pen: `points` (n, 2), x to the right and y down, and its `width`, in page sides."""

    width: float
    points: Points


Strokes = tuple[PenStroke, ...]
Given = Strokes | Pixels


def read_given(value: object) -> Given | None:
    """Strokes, or the pixels (H, W, 3) uint8 of a pasted picture; None where the page is empty.

    Raises:
        DessinError: not what the canvas of this page sends, too much of it, or an unreadable picture.
    """
    if value is None:
        return None
    fields = _fields(value)
    if fields["image"]:
        return read_picture(_bytes(fields["image"]))
    return _strokes(fields["strokes"]) or None


def read_picture(data: bytes) -> Pixels:
    """The pixels (H, W, 3) uint8 of a picture's bytes; refused beyond `MAX_BYTES`, or unreadable."""
    if len(data) > MAX_BYTES:
        raise _too_large()
    return decode(data).pixels


def _fields(value: object) -> Mapping[str, object]:
    # Streamlit hands JSON objects out as mappings of its own.
    if not isinstance(value, Mapping) or set(value) != {"strokes", "image"}:
        raise _refused("it is not made of strokes or a picture")
    return value


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise _refused("its picture is no text")
    if len(text) > 4 * math.ceil(MAX_BYTES / 3):
        raise _too_large()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _refused("its picture is no base64") from None


def _strokes(value: object) -> Strokes:
    entries = _list(value)
    if len(entries) > MAX_STROKES:
        raise _refused(
            f"it has {counted(len(entries), 'stroke')}", f"At most {number(MAX_STROKES)} are drawn."
        )
    lists = [_of_stroke(entry) for entry in entries]
    count = sum(len(points) for _, points in lists)
    if count > MAX_POINTS:
        raise _refused(f"it has {counted(count, 'point')}", f"At most {number(MAX_POINTS)} are drawn.")
    return tuple(PenStroke(width, _points(points)) for width, points in lists)


def _of_stroke(entry: object) -> tuple[float, Sequence[object]]:
    if not isinstance(entry, Mapping) or set(entry) != {"width", "points"}:
        raise _refused("a stroke lacks its width or its points")
    width, points = entry["width"], _list(entry["points"])
    if not _within(width, THINNEST, THICKEST):
        raise _refused("the pen is too thin, too thick, or no number")
    if not points:
        raise _refused("a stroke has no points")
    return float(width), points


def _points(points: Sequence[object]) -> Points:
    for point in points:
        if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != 2:
            raise _refused("a point is no pair of numbers")
        if not all(_within(value, 0.0, 1.0) for value in point):
            raise _refused("a point lies outside the page")
    return np.array(points, dtype=np.float64)


def _within(value: object, low: float, high: float) -> bool:
    """Whether it is a number in the range; NaN is in none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _refused("a list is missing")
    return value


def _refused(why: str, allowed: str = "") -> DessinError:
    return DessinError(f"The drawing cannot be used: {why}.", allowed=allowed, do="Clear it and draw again.")


def _too_large() -> DessinError:
    return DessinError(
        f"The picture has more than {MAX_BYTES // 2**20} MiB.", do="Make it smaller, and try again."
    )
