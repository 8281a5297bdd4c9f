"""The drawing surface on the page: a component of Streamlit's own kind, with the files beside this one."""

from __future__ import annotations

from importlib.resources import files

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from dessin.serving.studio.texts import Texts
from dessin.serving.studio.try_it.drawing import MAX_BYTES, MAX_POINTS, MAX_STROKES

KEY = "try.canvas"
# Of the page's side.
_THINNEST, _THICKEST = 0.004, 0.06
_WORDS = ("undo", "clear", "pen", "canvas", "count", "picture", "empty", "full", "large")


def ask_canvas(texts: Texts, *, pen: float) -> object:
    """Show the drawing surface; what lies on it now, as the browser says it.

    `pen` is the width to begin with, in page sides.
    """
    # Streamlit says "not mounted before" by knowing nothing of it: the browser may have kept a drawing then.
    known = KEY in st.session_state
    shown = _component()(
        key=KEY,
        data={
            "words": {name: texts(name, n="{n}") if name == "count" else texts(name) for name in _WORDS},
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
    return shown["drawing"]


@st.cache_resource(show_spinner=False)
def _component() -> ComponentRenderer:
    """Registered once for the server: to register it anew would mount it anew, in the middle of a stroke."""
    html, css, js = (
        files("dessin.serving.studio.try_it").joinpath(f"canvas.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    return st.components.v2.component("dessin_canvas", html=html, css=css, js=js)


def _nothing() -> None:
    """Streamlit runs the page after each stroke only where it has something to call."""
