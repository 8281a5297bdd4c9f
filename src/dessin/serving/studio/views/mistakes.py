"""The page Mistakes: an atlas of a model, its pairs with drawings and maps, or one made from here."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dessin.errors import DessinError
from dessin.serving.studio.plain import show_facts, show_heading, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.views.atlas_view import pairs_of
from dessin.serving.studio.views.choosing import choose, one_page
from dessin.serving.studio.views.drawings import Drawings, file_stamp, read_drawings
from dessin.serving.studio.views.jobs import carry_out, new_folder
from dessin.serving.studio.views.mistake_pairs import choose_model, show_pair
from dessin.serving.studio.workspace import Workspace
from dessin.trust.mistakes.result import FILE, Atlas, read_atlas

_A_PAGE = 8


def show_mistakes(workspace: Workspace, texts: Texts) -> None:
    """The atlas that is chosen; without one, a button that makes it."""
    if workspace.atlases:
        _show_atlas(workspace, texts)
    else:
        show_text(texts("mistakes.none"))
    if workspace.models:
        with st.expander(texts("mistakes.make_one"), expanded=not workspace.atlases):
            _offer_atlas(workspace, texts)


def _show_atlas(workspace: Workspace, texts: Texts) -> None:
    name = choose(texts("mistakes.atlas"), workspace.atlases, key="mistakes.atlas")
    folder = workspace.path(name)
    atlas = _atlas(str(folder), file_stamp(folder / FILE))
    accuracy = atlas.accuracy
    interval = f"[{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}], n = {accuracy.n:,}"
    show_facts(
        [
            (texts("mistakes.model"), atlas.name),
            (texts("mistakes.accuracy"), (f"{accuracy.value:.1%}", interval)),
            (texts("mistakes.count"), f"{atlas.mistakes:,}"),
        ]
    )
    for line in atlas.summary:
        show_text(line)
    for line in atlas.cautions:
        show_text(line, "note")
    drawings = _drawings_of(workspace, atlas)
    if drawings is None:
        show_text(texts("mistakes.no_drawings"), "warn")
    _show_pairs(workspace, atlas, drawings, texts)


def _show_pairs(workspace: Workspace, atlas: Atlas, drawings: Drawings | None, texts: Texts) -> None:
    pairs = pairs_of(atlas, drawings.members if drawings else {})
    if not pairs:
        return
    show_heading(texts("mistakes.pairs"))
    model = choose_model(workspace, atlas, texts) if drawings else ""
    for pair in one_page(pairs, _A_PAGE, texts, key="mistakes.pairs"):
        with st.container(border=True):
            show_pair(pair, atlas, drawings, workspace.path(model) if model else None, texts)


def _offer_atlas(workspace: Workspace, texts: Texts) -> None:
    model = choose(texts("mistakes.model"), workspace.models, key="mistakes.of")
    if not workspace.collections:
        show_text(texts("data.none"))
        return
    data = choose(texts("data.collection"), workspace.collections, key="mistakes.data")
    if st.button(texts("mistakes.make"), type="primary"):
        out = new_folder(workspace.root, "mistakes")
        places = ["--data", str(workspace.path(data)), "--out", str(out)]
        carry_out(["mistakes", str(workspace.path(model)), *places], texts("mistakes.making"), texts)
        st.cache_data.clear()
        st.rerun()


def _drawings_of(workspace: Workspace, atlas: Atlas) -> Drawings | None:
    """The collection of the workspace that holds all the drawings of the atlas."""
    for name in workspace.collections:
        try:
            found = read_drawings(workspace, name)
        except DessinError:
            continue
        if all(mistake.image_id in found.labels for mistake in atlas.drawings):
            return found
    return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _atlas(folder: str, stamp: str) -> Atlas:  # noqa: ARG001 (a changed atlas is read anew)
    return read_atlas(Path(folder))
