"""The page "Try it": draw, paste or upload something, and see what a model makes of it."""

from __future__ import annotations

import streamlit as st

from dessin.errors import DessinError
from dessin.images.decode import Pixels
from dessin.images.ink import ink_mask
from dessin.serving.studio.plain import show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.try_it.answer_card import show_answer, show_pictures, show_waiting
from dessin.serving.studio.try_it.canvas import ask_canvas
from dessin.serving.studio.try_it.drawing import Given, read_given, read_picture
from dessin.serving.studio.try_it.look import Look
from dessin.serving.studio.try_it.picture_look import picture_as_trained
from dessin.serving.studio.try_it.render import render, rendered_as_trained
from dessin.serving.studio.try_it.trial import Trial, read_trial
from dessin.serving.studio.try_it.words import ENGLISH, KOREAN
from dessin.serving.studio.views.choosing import choose
from dessin.serving.studio.workspace import Workspace
from dessin.trust.mistakes.strokes import PAGE

_WAYS = ("draw", "upload")
_FILES = ("png", "jpg", "jpeg", "webp", "bmp", "gif")


def show_try_it(workspace: Workspace, texts: Texts) -> None:
    """Choose a model of the workspace, and ask it."""
    own = texts.using(ENGLISH, KOREAN)
    if not workspace.models:
        show_text(own("none"))
        return
    name = choose(own("model"), workspace.models, key="try.model")
    with st.spinner(own("loading")):
        trial = read_trial(workspace, name)
    _desk(trial, own)


# A fragment: after a stroke this alone is run again, and nothing is read from the disk.
@st.fragment
def _desk(trial: Trial, texts: Texts) -> None:
    paper, beside = st.columns(2, gap="large")
    try:
        with paper:
            given = _ask_given(trial, texts)
        with beside:
            _answer(given, trial, texts)
    except DessinError as refused:
        with beside:
            show_text(str(refused), "error")


def _ask_given(trial: Trial, texts: Texts) -> Given | None:
    """What is to be looked at: strokes, or the pixels of a picture; None while there is nothing."""
    way = st.radio(
        texts("way"),
        _WAYS,
        format_func=lambda name: texts(name),
        horizontal=True,
        label_visibility="collapsed",
        key="try.way",
    )
    if way == "draw":
        return read_given(ask_canvas(texts, pen=trial.look.thickness))
    file = st.file_uploader(texts("file"), type=list(_FILES), key="try.file")
    return None if file is None else read_picture(file.getvalue())


def _answer(given: Given | None, trial: Trial, texts: Texts) -> None:
    """The answer above the ticks that it depends on, so that a phone shows it right below the drawing."""
    answer = st.container()
    uploads = st.session_state["try.way"] == "upload"
    with_map = trial.has_maps and st.checkbox(texts("map"), value=True, key="try.map")
    if not trial.has_maps:
        show_text(texts("no_map"), "note")
    look = _ask_look(trial.look, texts, is_picture=uploads if given is None else not isinstance(given, tuple))
    with answer:
        if given is None:
            show_waiting(texts("waiting_file" if uploads else "waiting"))
        else:
            seen = trial.ask(_page(given, look, trial.side, texts), with_map=with_map)
            show_answer(seen, trial, texts)
            show_pictures(seen, texts)


def _ask_look(look: Look, texts: Texts, *, is_picture: bool) -> Look | None:
    """The look that it is to be brought to, if any: drawings unless told not to, pictures when told to."""
    key = "picture" if is_picture else "drawing"
    wanted = st.checkbox(texts("look"), value=not is_picture, key=f"try.look.{key}", help=texts("look_help"))
    words = texts(
        "trained" if look.n else "usual",
        width=f"{look.thickness * PAGE:.1f}",
        polarity=texts("dark" if look.dark_on_light else "light"),
        size=f"{look.size:.0%}",
        n=look.n,
    )
    show_text(words, "note")
    return look if wanted else None


def _page(given: Given, look: Look | None, side: int, texts: Texts) -> Pixels:
    """The pixels (H, W, 3) uint8 that the model is asked about.

    Raises:
        DessinError: a picture without ink is to be brought to a look.
    """
    if isinstance(given, tuple):
        return rendered_as_trained(given, look, side=side) if look else render(given, side=side)
    if look is None:
        return given
    if not ink_mask(given).any():
        raise DessinError(texts("no_ink"))
    return picture_as_trained(given, look, side=side)
