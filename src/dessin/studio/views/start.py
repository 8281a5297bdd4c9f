"""The page Begin: choose a collection of the workspace, or make one."""

from __future__ import annotations

import streamlit as st

from dessin.errors import DessinError
from dessin.studio.drawings import read_drawings
from dessin.studio.inbox import make_class, make_collection
from dessin.studio.plain import (
    go_to,
    keep_collection,
    keep_unlabelled,
    show_guarded,
    show_heading,
    show_text,
)
from dessin.studio.texts import Texts
from dessin.studio.views.forget import show_forget
from dessin.studio.workspace import Workspace, loose_drawings, scan_workspace

_NAMED = 8


def show_start(workspace: Workspace, texts: Texts) -> None:
    """Each collection with what it holds, and buttons that lead on; below, a form that makes one."""
    show_text(texts("start.where", folder=workspace.root), "note")
    if workspace.collections or workspace.unlabelled:
        show_heading(texts("start.choose"))
    for name in workspace.collections:
        _show_collection(workspace, name, texts)
    for name in workspace.unlabelled:
        if name not in workspace.collections:
            _show_unlabelled(workspace, name, texts)
    show_heading(texts("start.make"))
    show_guarded(_ask_new, workspace, texts)


def _show_collection(workspace: Workspace, name: str, texts: Texts) -> None:
    called = workspace.called(name)
    with st.container(border=True):
        show_text(called)
        try:
            drawings = read_drawings(workspace, name)
        except DessinError as error:
            show_text(str(error), "warn")
            return
        classes = ", ".join(map(drawings.name, drawings.collection.classes[:_NAMED]))
        more = ", .." if len(drawings.collection.classes) > _NAMED else ""
        held = texts("start.holds", drawings=len(drawings.labels), classes=len(drawings.members))
        show_text(f"{held} {classes}{more}", "note")
        with st.container(horizontal=True, gap="small"):
            for page in ("collect", "data", "teach"):
                if st.button(texts(f"start.{page}"), key=f"start.{page}:{name}"):
                    keep_collection(name)
                    go_to(page)
            if name in workspace.unlabelled:
                _offer_label(name, texts)
        if name in workspace.made:
            show_forget(workspace, name, drawings, texts)


def _show_unlabelled(workspace: Workspace, name: str, texts: Texts) -> None:
    with st.container(border=True):
        show_text(workspace.called(name))
        count = len(loose_drawings(workspace.path(name)))
        show_text(texts("start.loose", drawings=count), "note")
        _offer_label(name, texts)


def _offer_label(name: str, texts: Texts) -> None:
    if st.button(texts("start.label"), key=f"start.label:{name}"):
        keep_unlabelled(name)
        go_to("label")


def _ask_new(workspace: Workspace, texts: Texts) -> None:
    with st.form("start.make"):
        name = st.text_input(texts("start.name"), key="start.name")
        classes = st.text_input(texts("start.classes"), key="start.classes", help=texts("start.classes_help"))
        if not st.form_submit_button(texts("start.make_it"), type="primary"):
            return
    made = make_collection(workspace, name)
    keep_collection(made)
    st.cache_data.clear()
    workspace = scan_workspace(workspace.root)
    for label in filter(None, map(str.strip, classes.split(","))):
        make_class(read_drawings(workspace, made), label, made=True)
    go_to("collect")
