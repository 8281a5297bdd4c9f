"""A pair of classes that a model mixes up: drawings on both sides, and maps of what spoke for either."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import streamlit as st

from dessin.images.decode import decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.page.pictures import image_data_uri
from dessin.serving.maps import MapMaker
from dessin.serving.runtime import Runtime
from dessin.serving.studio.plain import Figure, show_figures, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.views.atlas_view import Pair
from dessin.serving.studio.views.choosing import choose
from dessin.serving.studio.views.drawings import Drawings, file_stamp
from dessin.serving.studio.views.thumbnails import thumbnail
from dessin.serving.studio.workspace import Workspace
from dessin.trust.mistakes.result import Atlas, Mistake

_MAPS = 3
_one_at_a_time = Lock()


def choose_model(workspace: Workspace, atlas: Atlas, texts: Texts) -> str:
    """The model whose maps are shown: at first one of the atlas's name; empty where there is none."""
    models = workspace.models
    if not models:
        return ""
    alike = [model for model in models if f"/{model}".endswith(f"/{atlas.name}")]
    index = models.index(alike[0]) if alike else 0
    return choose(texts("mistakes.maps_of"), models, key=f"mistakes.maps:{atlas.name}", index=index)


def show_pair(pair: Pair, atlas: Atlas, drawings: Drawings | None, model: Path | None, texts: Texts) -> None:
    """The mistaken drawings, some of the class that they were taken for, and with a tick the maps."""
    row = pair.row
    true, taken = (atlas.names.get(label, label) for label in (row.label, row.predicted))
    n = next((one.n for one in atlas.classes if one.label == row.label), row.count)
    show_text(texts("mistakes.pair", true=true, taken=taken, count=row.count, n=n))
    if drawings is None:
        return
    root = drawings.collection.root
    left, right = st.columns(2)
    with left:
        show_text(true, "note")
        show_figures([_figure(root, mistake, texts) for mistake in pair.wrong], side=112)
    with right:
        show_text(texts("mistakes.others", taken=taken), "note")
        show_figures([_other(root, image_id) for image_id in pair.others], side=112)
    if model and st.checkbox(texts("mistakes.show_maps"), key=f"mistakes.maps:{row.label}>{row.predicted}"):
        _show_maps(pair, (true, taken), root, model, texts)


def _figure(root: Path, mistake: Mistake, texts: Texts) -> Figure:
    note = texts("mistakes.sure", probability=f"{mistake.probability:.0%}", rank=mistake.rank)
    return Figure(thumbnail(root, mistake.image_id), mistake.image_id.rpartition("/")[2], note)


def _other(root: Path, image_id: str) -> Figure:
    return Figure(thumbnail(root, image_id), image_id.rpartition("/")[2])


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
