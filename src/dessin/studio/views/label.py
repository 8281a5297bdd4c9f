"""The page Name drawings: those of a folder without classes, by keys or clicks, the most useful first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dessin.collection.names import class_names
from dessin.errors import DessinError, listing
from dessin.files import sha256_bytes
from dessin.images.decode import decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.shrink import shrunk
from dessin.labelling.choose import Outlook
from dessin.labelling.images import Unlabelled, read_unlabelled
from dessin.labelling.session import Session, describe_outlook
from dessin.page.pictures import image_data_uri
from dessin.progress import quiet
from dessin.studio.drawings import file_stamp
from dessin.studio.inbox import checked_name
from dessin.studio.plain import (
    Figure,
    as_label,
    choose_unlabelled,
    go_to,
    keep_collection,
    show_figures,
    show_heading,
    show_text,
)
from dessin.studio.texts import Texts
from dessin.studio.workspace import LABELS, Workspace, loose_drawings, scan_workspace

# As of `dessin label`.
MODEL = "tf_efficientnet_lite0"
_MORE, _EVERY = 50, 10
_SIDE = 420
_SESSION, _OUTLOOK, _TROUBLE = "label.session", "label.outlook", "label.trouble"


def show_label(workspace: Workspace, texts: Texts) -> None:
    """The drawing to be named next, a button a class, and how far it is."""
    if not workspace.unlabelled:
        show_text(texts("label.none", folder=workspace.root))
        return
    name = choose_unlabelled(workspace, texts)
    session = _session(workspace.path(name), texts)
    trouble = st.session_state.pop(_TROUBLE, "")
    if trouble:
        show_text(trouble, "error")
    _show_progress(session, texts)
    if not session.classes:
        _ask_classes(session, texts)
        return
    row = session.ask()
    if row is None:
        _show_done(session, texts)
    else:
        _ask(session, row, texts)
    _show_outlook(session, texts)
    if session.labels:
        show_text(texts("label.written", file=session.file), "note")
        if st.button(texts("label.teach")):
            # Since the first label the folder is a collection.
            st.cache_data.clear()
            found = scan_workspace(workspace.root).collections
            path = workspace.path(name)
            keep_collection(next(each for each in found if workspace.path(each) in (path, path / LABELS)))
            go_to("teach")


def _session(folder: Path, texts: Texts) -> Session:
    """The session of this window, begun anew where drawings came or went."""
    image_ids = loose_drawings(folder)
    stamp = sha256_bytes("\n".join((str(folder), *image_ids)).encode())
    kept = st.session_state.get(_SESSION)
    if kept is None or kept[0] != stamp:
        with st.spinner(texts("label.reading"), show_time=True), quiet():
            drawings = _seen(str(folder), stamp, image_ids)
        kept = stamp, Session.begin(drawings, folder / LABELS, ())
        st.session_state[_SESSION] = kept
        st.session_state.pop(_OUTLOOK, None)
    session: Session = kept[1]
    return session


@st.cache_resource(max_entries=4, show_spinner=False)
def _seen(folder: str, stamp: str, _image_ids: tuple[str, ...]) -> Unlabelled:  # noqa: ARG001
    return read_unlabelled(Path(folder), MODEL, _image_ids)


def _show_progress(session: Session, texts: Texts) -> None:
    labelled, passed, drawings = len(session.labels), len(session.passed), session.drawings
    words = texts("label.progress", labelled=labelled, drawings=len(drawings.image_ids), passed=passed)
    st.progress((labelled + passed) / len(drawings.image_ids), words)
    if drawings.unreadable:
        show_text(texts("label.unreadable", names=listing(drawings.unreadable)), "warn")


def _ask_classes(session: Session, texts: Texts) -> None:
    with st.form("label.first", border=False):
        names = st.text_input(texts("label.first"), key="label.first_names")
        if st.form_submit_button(texts("label.offer"), type="primary"):
            session.add_classes([checked_name(each, "class") for each in names.split(",") if each.strip()])
            st.rerun()


def _ask(session: Session, row: int, texts: Texts) -> None:
    """One drawing: a click, a key, or a class that is typed says what it is of."""
    image_id = session.drawings.image_ids[row]
    path = image_path(session.drawings.root, image_id)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show_figures([Figure(_large(str(path), file_stamp(path)), image_id)], side=_SIDE)
    suggested = session.suggested(row)
    names = class_names(session.classes)
    with right:
        show_heading(texts("label.what"))
        with st.container(horizontal=True, gap="small"):
            # A key of the row: pressed twice in haste, it names no drawing that nobody has seen yet.
            for number, label in enumerate(suggested, start=1):
                st.button(
                    as_label(names[label]),
                    key=f"label.is:{row}:{number}",
                    shortcut=str(number),
                    type="primary" if number == 1 and session.labels else "secondary",
                    on_click=_act(session.answer, row, label),
                )
        show_text(texts("label.likeliest"), "note")
        others = [label for label in session.classes if label not in suggested]
        st.selectbox(
            texts("label.other"),
            others,
            index=None,
            key=f"label.other:{row}",
            format_func=lambda label: names.get(label, label),
            placeholder=texts("label.other_help"),
            accept_new_options=True,
            on_change=_act(_name_otherwise, session, row),
        )
        with st.container(horizontal=True, gap="small"):
            st.button(
                texts("label.aside"),
                key=f"label.aside:{row}",
                shortcut="s",
                on_click=_act(session.put_aside, row),
            )
            _show_undo(session, texts, f"label.undo:{row}")


def _show_undo(session: Session, texts: Texts, key: str) -> None:
    st.button(
        texts("label.undo"), key=key, shortcut="u", disabled=not session.can_undo, on_click=_act(session.undo)
    )


def _name_otherwise(session: Session, row: int) -> None:
    name = st.session_state.get(f"label.other:{row}")
    if name:
        session.answer(row, name if name in session.classes else checked_name(name, "class"))


def _act(do: Callable[..., object], *arguments: object) -> Callable[[], None]:
    """Do it when it is asked for; what goes wrong is said on the page."""

    def act() -> None:
        try:
            do(*arguments)
        except DessinError as error:
            st.session_state[_TROUBLE] = str(error)

    return act


def _show_done(session: Session, texts: Texts) -> None:
    show_text(texts("label.done"), "good")
    with st.container(horizontal=True, gap="small"):
        if session.passed:
            st.button(texts("label.again", count=len(session.passed)), on_click=_act(session.ask_again))
        _show_undo(session, texts, "label.undo")


def _show_outlook(session: Session, texts: Texts) -> None:
    """Estimated anew after every ten labels, for it takes a moment."""
    tens = len(session.labels) // _EVERY
    kept: tuple[int, Outlook | None] = st.session_state.get(_OUTLOOK, (-1, None))
    if kept[0] != tens:
        kept = tens, session.outlook(_MORE)
        st.session_state[_OUTLOOK] = kept
    show_heading(texts("label.outlook"))
    show_text(describe_outlook(kept[1]))


@st.cache_data(max_entries=200, show_spinner=False)
def _large(path: str, stamp: str) -> str:  # noqa: ARG001 (a changed file is another picture)
    return image_data_uri(
        shrunk(decode(read_image_bytes(Path(path))).pixels, 2 * _SIDE), kind="webp", quality=80
    )
