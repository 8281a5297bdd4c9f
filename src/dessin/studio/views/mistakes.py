"""The page Mistakes: an atlas of a model, its pairs with drawings and maps, or one made from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import streamlit as st

from dessin.errors import DessinError
from dessin.images.decode import decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.page.numbers import number, percent, share
from dessin.page.pictures import image_data_uri
from dessin.serving.maps import MapMaker
from dessin.serving.runtime import Runtime
from dessin.statistics.metrics import Confusion
from dessin.studio.drawings import Drawings, curation_of, file_stamp, read_drawings
from dessin.studio.plain import (
    Figure,
    carry_out,
    choose,
    one_page,
    show_facts,
    show_figures,
    show_heading,
    show_text,
)
from dessin.studio.texts import Texts
from dessin.studio.views.sheet import show_relabel
from dessin.studio.workspace import Workspace
from dessin.trust.mistakes.result import Atlas, Mistake

OF_PAIR, TYPICAL = 6, 3
_CELL = 128


@dataclass(frozen=True)
class Pair:
    """A pair of classes: drawings of the one taken for the other, the surest first, and some of the other."""

    row: Confusion
    wrong: tuple[Mistake, ...]
    others: tuple[str, ...]


def pairs_of(atlas: Atlas, members: Mapping[str, Sequence[str]]) -> tuple[Pair, ...]:
    """The atlas's pairs, the most frequent first; `members` has the collection's drawings of each class.

    Drawings that were themselves mistaken are not shown as what their class looks like.
    """
    mistaken = {mistake.image_id for mistake in atlas.drawings}
    by_pair: dict[tuple[str, str], list[Mistake]] = {}
    for mistake in atlas.drawings:
        by_pair.setdefault((mistake.label, mistake.predicted), []).append(mistake)
    pairs = []
    for row in atlas.pairs:
        wrong = sorted(by_pair.get((row.label, row.predicted), ()), key=lambda one: -one.probability)
        others = [image_id for image_id in members.get(row.predicted, ()) if image_id not in mistaken]
        pairs.append(Pair(row, tuple(wrong[:OF_PAIR]), tuple(others[:TYPICAL])))
    return tuple(pairs)


_MAPS = 3
_one_at_a_time = Lock()


def choose_model(workspace: Workspace, atlas: Atlas, texts: Texts) -> str:
    """The model whose maps are shown: at first one of the atlas's name; empty where there is none."""
    models = workspace.models
    if not models:
        return ""
    alike = (place for place, model in enumerate(models) if f"/{model}".endswith(f"/{atlas.name}"))
    key = f"mistakes.maps:{atlas.name}"
    return choose(texts("mistakes.maps_of"), models, key=key, index=next(alike, 0), called=workspace.called)


def show_pair(
    pair: Pair,
    atlas: Atlas,
    drawings: Drawings | None,
    file: Path | None,
    model: Path | None,
    texts: Texts,
) -> None:
    """The mistaken drawings, each to be called what it was taken for, some of that class, and with a tick the
    maps; `file` is the curation file."""
    row = pair.row
    true, taken = (atlas.names.get(label, label) for label in (row.label, row.predicted))
    n = next((one.n for one in atlas.classes if one.label == row.label), row.count)
    show_text(texts("mistakes.pair", true=true, taken=taken, count=row.count, n=n))
    if drawings is None:
        return
    left, right = st.columns(2)
    with left:
        show_text(true, "note")
        with st.container(horizontal=True, gap="small"):
            for one in pair.wrong:
                with st.container(width=_CELL):
                    show_figures([drawings.figure(one.image_id, _sure(one, texts))], side=_CELL)
                    if file is not None and row.predicted in drawings.members:
                        show_relabel(one.image_id, row.predicted, drawings, file, texts)
    with right:
        show_text(texts("mistakes.others", taken=taken), "note")
        show_figures(map(drawings.figure, pair.others), side=112)
    if model and st.checkbox(texts("mistakes.show_maps"), key=f"mistakes.maps:{row.label}>{row.predicted}"):
        _show_maps(pair, (true, taken), drawings.collection.root, model, texts)


def _sure(mistake: Mistake, texts: Texts) -> str:
    return texts("mistakes.sure", probability=percent(mistake.probability), rank=mistake.rank)


def _show_maps(pair: Pair, names: tuple[str, str], root: Path, model: Path, texts: Texts) -> None:
    show_text(texts("mistakes.maps_note"), "note")
    figures = []
    with st.spinner(texts("mistakes.mapping")):
        for mistake in pair.wrong[:_MAPS]:
            path = image_path(root, mistake.image_id)
            for label, name in zip((mistake.label, mistake.predicted), names, strict=True):
                picture = _map(str(model), _stamp(model), str(path), file_stamp(path), label)
                caption = texts("mistakes.speaks_for", name=name)
                figures.append(Figure(picture, caption, mistake.image_id.rpartition("/")[2]))
    show_figures(figures, side=150)


def _stamp(model: Path) -> str:
    """Changes with a model's own files and its bundle's."""
    return " ".join(file_stamp(folder) for folder in (model, model / "bundle", model / "committee"))


@st.cache_resource(max_entries=2, show_spinner=False)
def _maker(model: str, stamp: str) -> MapMaker:  # noqa: ARG001 (a changed model is read anew)
    return MapMaker(Runtime.load(model))


@st.cache_data(max_entries=500, show_spinner=False)
def _map(model: str, stamp: str, path: str, path_stamp: str, label: str) -> str:  # noqa: ARG001
    pixels = decode(read_image_bytes(Path(path))).pixels
    with _one_at_a_time:
        return image_data_uri(_maker(model, stamp).make(pixels, label).overlay, kind="webp", quality=80)


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
    atlas = _atlas(str(folder), file_stamp(folder / Atlas.FILE))
    value, interval = share(atlas.accuracy).split(" ", 1)
    show_facts(
        [
            (texts("mistakes.model"), atlas.name),
            (texts("mistakes.accuracy"), (value, f"{interval}, n = {number(atlas.accuracy.n)}")),
            (texts("mistakes.count"), number(atlas.mistakes)),
        ]
    )
    for line in atlas.summary:
        show_text(line)
    for line in atlas.cautions:
        show_text(line, "note")
    name = _collection_of(workspace, atlas)
    if not name:
        show_text(texts("mistakes.no_drawings"), "warn")
    _show_pairs(workspace, atlas, name, texts)


def _show_pairs(workspace: Workspace, atlas: Atlas, name: str, texts: Texts) -> None:
    drawings = read_drawings(workspace, name) if name else None
    file = workspace.path(curation_of(workspace, name)) if name else None
    pairs = pairs_of(atlas, drawings.members if drawings else {})
    if not pairs:
        return
    show_heading(texts("mistakes.pairs"))
    chosen = choose_model(workspace, atlas, texts) if drawings else ""
    model = workspace.path(chosen) if chosen else None
    for pair in one_page(pairs, _A_PAGE, texts, key="mistakes.pairs"):
        with st.container(border=True):
            show_pair(pair, atlas, drawings, file, model, texts)


def _offer_atlas(workspace: Workspace, texts: Texts) -> None:
    model = choose(texts("mistakes.model"), workspace.models, key="mistakes.of", called=workspace.called)
    if not workspace.collections:
        show_text(texts("data.none"))
        return
    data = choose(
        texts("data.collection"), workspace.collections, key="mistakes.data", called=workspace.called
    )
    if st.button(texts("mistakes.make"), type="primary"):
        asked = ["mistakes", str(workspace.path(model)), "--data", str(workspace.path(data))]
        carry_out(workspace, asked, texts("mistakes.making"), texts)


def _collection_of(workspace: Workspace, atlas: Atlas) -> str:
    """The one collection here that holds all the drawings of the atlas; empty for none, and for two, of which
    nobody can tell."""
    found = []
    for name in workspace.collections:
        with suppress(DessinError):
            held = read_drawings(workspace, name)
            if all(mistake.image_id in held.labels for mistake in atlas.drawings):
                found.append(name)
    return found[0] if len(found) == 1 else ""


@st.cache_resource(max_entries=16, show_spinner=False)
def _atlas(folder: str, stamp: str) -> Atlas:  # noqa: ARG001 (a changed atlas is read anew)
    return Atlas.read(Path(folder))
