"""The page "Try it": draw, paste or upload something, and see what a model makes of it."""

from __future__ import annotations

import streamlit as st

from dessin.errors import DessinError
from dessin.experiments.mistakes.strokes import PAGE
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
    paper, beside = st.columns([1, 1], gap="large")
    error, page = "", None
    with paper:
        try:
            page = _ask_page(trial, texts)
        except DessinError as refused:
            error = str(refused)
    with beside:
        if error:
            show_text(error, "error")
        elif page is None:
            show_waiting(texts("waiting" if _way() == "draw" else "waiting_file"))
        else:
            _show_seen(page, trial, texts)


def _ask_page(trial: Trial, texts: Texts) -> Pixels | None:
    """What is to be looked at, (H, W, 3) uint8, or None while there is nothing."""
    way = st.radio(
        texts("way"),
        _WAYS,
        format_func=lambda name: texts(name),
        horizontal=True,
        label_visibility="collapsed",
        key="try.way",
    )
    given = _drawn(trial, texts) if way == "draw" else _uploaded(texts)
    look = _ask_look(trial.look, given, texts)
    if given is None:
        return None
    if isinstance(given, tuple):
        return rendered_as_trained(given, look, side=trial.side) if look else render(given, side=trial.side)
    if look is None:
        return given
    if not ink_mask(given).any():
        raise DessinError(texts("no_ink"))
    return picture_as_trained(given, look, side=trial.side)


def _way() -> str:
    return str(st.session_state.get("try.way", _WAYS[0]))


def _drawn(trial: Trial, texts: Texts) -> Given | None:
    return read_given(ask_canvas(texts, pen=trial.look.thickness))


def _uploaded(texts: Texts) -> Given | None:
    file = st.file_uploader(texts("file"), type=list(_FILES), key="try.file")
    return None if file is None else read_picture(file.getvalue())


def _ask_look(look: Look, given: Given | None, texts: Texts) -> Look | None:
    """The look that it is to be brought to, if any: drawings unless told not to, pictures when told to."""
    is_picture = _way() == "upload" if given is None else not isinstance(given, tuple)
    key = "picture" if is_picture else "drawing"
    wanted = st.checkbox(texts("look"), value=not is_picture, key=f"try.look.{key}", help=texts("look_help"))
    show_text(_in_words(look, texts), "note")
    return look if wanted else None


def _in_words(look: Look, texts: Texts) -> str:
    return texts(
        "trained" if look.n else "usual",
        width=f"{look.thickness * PAGE:.1f}",
        polarity=texts("dark" if look.dark_on_light else "light"),
        size=f"{look.size:.0%}",
        n=look.n,
    )


def _show_seen(page: Pixels, trial: Trial, texts: Texts) -> None:
    answer, pictures = st.container(), st.container()
    wants_map = trial.has_maps and st.checkbox(texts("map"), value=True, key="try.map")
    seen = trial.ask(page, with_map=wants_map)
    with answer:
        show_answer(seen, trial, texts)
    with pictures:
        show_pictures(seen, texts)
    if not trial.has_maps:
        show_text(texts("no_map"), "note")
