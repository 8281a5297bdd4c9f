"""Forget drawings that were collected here: the files themselves, and everything that was made of them."""

from __future__ import annotations

import streamlit as st

from dessin.studio.curating import forget_rows
from dessin.studio.drawings import Drawings, curation_of
from dessin.studio.inbox import delete, drawn_by
from dessin.studio.plain import show_text
from dessin.studio.teaching import forget
from dessin.studio.texts import Texts
from dessin.studio.workspace import Workspace

_SAID = "forget.said"


def show_forget(workspace: Workspace, name: str, drawings: Drawings, texts: Texts) -> None:
    """A button that forgets all drawings of a collection made here, or those of one person."""
    said = st.session_state.pop(f"{_SAID}:{name}", "")
    if said:
        show_text(said, "good")
    if not drawings.labels:
        return
    with st.expander(texts("forget.title")):
        show_text(texts("forget.says"), "note")
        people = drawn_by(drawings.labels)
        who = ""
        if people:
            who = str(
                st.selectbox(
                    texts("forget.who"),
                    ["", *people],
                    key=f"forget.who:{name}",
                    format_func=lambda one: one or texts("forget.all"),
                )
            )
        chosen = people[who] if who else tuple(drawings.labels)
        sure = st.checkbox(texts("forget.sure"), key=f"forget.sure:{name}")
        if st.button(texts("forget.do", count=len(chosen)), disabled=not sure, key=f"forget.do:{name}"):
            st.session_state[f"{_SAID}:{name}"] = _forget(workspace, name, drawings, chosen, texts)
            st.cache_data.clear()
            st.cache_resource.clear()
            st.rerun()


def _forget(
    workspace: Workspace, name: str, drawings: Drawings, chosen: tuple[str, ...], texts: Texts
) -> str:
    """What was deleted, in words. The models first: they are what was made of the drawings."""
    folders = forget(workspace, name)
    count = delete(drawings.collection.root, chosen, made=True)
    rows = forget_rows(workspace.path(curation_of(workspace, name)), frozenset(chosen))
    return texts("forget.done", count=count, rows=rows, folders=", ".join(folders) or "–")
