"""The page Add drawings: classes, and drawings of them by drawing, the camera, files or whole folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dessin.errors import DessinError
from dessin.images.ground import Pixels
from dessin.images.shrink import shrunk
from dessin.language import retold
from dessin.page.numbers import number
from dessin.page.pictures import image_data_uri
from dessin.studio.curating import read_changes
from dessin.studio.drawings import Drawings, curation_of, read_drawings
from dessin.studio.inbox import (
    FILES,
    MOST_FILES,
    MOST_TOGETHER,
    Arrived,
    arrived,
    delete,
    folder_of,
    keep,
    make_class,
    png_of,
    whole,
)
from dessin.studio.plain import Figure, as_label, choose_collection, go_to, show_figures, show_text
from dessin.studio.texts import Texts
from dessin.studio.try_it.canvas import ask_canvas, clear_canvas, read_given
from dessin.studio.try_it.render import render
from dessin.studio.views.help import show_needs
from dessin.studio.views.sheet import by_class, class_title, show_sheet
from dessin.studio.workspace import Workspace

_WAYS = ("draw", "camera", "files", "folder")
_ROOM = "collect"
_PEN = 0.012
_SIDE, _SHOWN, _A_RADIO, _NAMED = 512, 170, 12, 5
_SAID, _LAST, _ROUND = "collect.said", "collect.last", "collect.round"


@dataclass(frozen=True)
class Place:
    """Where drawings of the class that is chosen go."""

    drawings: Drawings
    label: str
    made: bool
    who: str

    @property
    def folder(self) -> Path:
        return folder_of(self.drawings, self.label, made=self.made)

    def keep(self, picture: Arrived, *, stem: str = "") -> str:
        return keep(self.folder, picture, self.drawings.collection.root, stem=stem, who=self.who)


def show_collect(workspace: Workspace, texts: Texts) -> None:
    """Choose a class of a collection, and add drawings to it."""
    if not workspace.collections:
        show_text(texts("collect.none"))
        if st.button(texts("collect.make")):
            go_to("start")
        return
    name = choose_collection(workspace, texts)
    drawings, made = read_drawings(workspace, name), name in workspace.made
    file = workspace.path(curation_of(workspace, name))
    members = by_class(drawings, read_changes(file))
    _ask_class(drawings, made, texts)
    if not members:
        show_text(texts("collect.no_class"), "note")
        return
    label = _choose_label(drawings, members, texts)
    who = st.text_input(texts("collect.who"), key="collect.who", help=texts("collect.who_help"))
    place = Place(drawings, label, made, who.strip())
    _say_last(drawings, made, texts)
    way = st.radio(
        texts("collect.way"),
        _WAYS,
        format_func=lambda one: texts(f"collect.by_{one}"),
        horizontal=True,
        key="collect.way",
    )
    _ADD[str(way)](place, texts)
    show_needs(drawings, read_changes(file), None, texts)
    show_sheet(drawings, label, file, texts)
    if st.button(texts("collect.teach"), type="primary"):
        go_to("teach")


def _ask_class(drawings: Drawings, made: bool, texts: Texts) -> None:
    with (
        st.expander(texts("collect.new"), expanded=not drawings.members),
        st.form("collect.class", clear_on_submit=True, border=False),
    ):
        names = st.text_input(texts("collect.class_name"), key="collect.class_name")
        if st.form_submit_button(texts("collect.add_class")):
            for label in filter(None, map(str.strip, names.split(","))):
                st.session_state["collect.label"] = make_class(drawings, label, made=made)
            st.rerun()


def _choose_label(drawings: Drawings, members: dict[str, list[str]], texts: Texts) -> str:
    """The class to add to; the counts in the names must not make it another widget."""
    labels = list(members)
    if st.session_state.get("collect.label") not in labels:
        st.session_state["collect.label"] = labels[0]
    shown, words = class_title(drawings, members), texts("collect.label")
    if len(labels) > _A_RADIO:
        return str(st.selectbox(words, labels, key="collect.label", format_func=shown))
    return str(
        st.radio(
            words,
            labels,
            key="collect.label",
            format_func=lambda label: as_label(drawings.name(label)),
            # Not in the names: Streamlit would take one that changes for another option.
            captions=[number(len(members[label])) for label in labels],
            horizontal=True,
        )
    )


def _by_drawing(place: Place, texts: Texts) -> None:
    given = read_given(ask_canvas(texts, pen=_PEN, room=_ROOM))
    if st.button(_keep_words(place, texts), disabled=given is None, type="primary") and given is not None:
        pixels = render(given, side=_SIDE) if isinstance(given, tuple) else given
        _kept([place.keep(Arrived(png_of(pixels), ".png", pixels))])
        clear_canvas(_ROOM)
        st.rerun()


def _by_camera(place: Place, texts: Texts) -> None:
    taken = st.camera_input(texts("collect.camera"), key=f"collect.camera:{_round()}")
    if taken is None:
        show_text(texts("collect.camera_help"), "note")
        return
    picture = arrived(taken.getvalue(), Path(taken.name).suffix)
    _show_before(picture, texts)
    if picture.photograph is not None and not st.checkbox(
        texts("collect.sheet"), value=True, key="collect.sheet"
    ):
        picture = whole(picture)
    if st.button(_keep_words(place, texts), type="primary"):
        _kept([place.keep(picture)])
        _next_round()


def _by_files(place: Place, texts: Texts) -> None:
    files = st.file_uploader(
        texts("collect.files"),
        type=list(FILES),
        accept_multiple_files=True,
        key=f"collect.files:{_round()}",
    )
    if files and _fit(files, texts):
        name = as_label(place.drawings.name(place.label))
        words = texts("collect.keep_files", count=len(files), name=name)
        if st.button(words, type="primary"):
            _take([(file.name, file.getvalue) for file in files], lambda _: place, texts)
            _next_round()


def _by_folder(place: Place, texts: Texts) -> None:
    show_text(texts("collect.folder_help"), "note")
    files = st.file_uploader(
        texts("collect.folder"),
        type=list(FILES),
        accept_multiple_files="directory",
        key=f"collect.folder:{_round()}",
    )
    if files and _fit(files, texts):
        labels = Counter(PurePosixPath(file.name).parent.name for file in files)
        known = {label.casefold() for label in place.drawings.members}
        for label, count in labels.items():
            is_known = label.casefold() in known
            words = texts("collect.into" if is_known else "collect.into_new", name=label, count=count)
            show_text(words, "note")
        if st.button(texts("collect.keep_folder", count=len(files), classes=len(labels)), type="primary"):
            _take([(file.name, file.getvalue) for file in files], _into_classes(place), texts)
            _next_round()


def _fit(files: Sequence[UploadedFile], texts: Texts) -> bool:
    """Whether so many pictures may be kept at once; where they may not, it is said."""
    fit = len(files) <= MOST_FILES and sum(file.size for file in files) <= MOST_TOGETHER
    if not fit:
        values = {"count": len(files), "most": MOST_FILES, "mebibytes": MOST_TOGETHER // 2**20}
        show_text(texts("collect.too_many", **values), "error")
    return fit


_ADD: dict[str, Callable[[Place, Texts], None]] = {
    "draw": _by_drawing,
    "camera": _by_camera,
    "files": _by_files,
    "folder": _by_folder,
}


def _into_classes(place: Place) -> Callable[[str], Place]:
    """To each file the class that its folder is called by, made where it is not there."""
    known = {label.casefold(): label for label in place.drawings.members}

    def chosen(name: str) -> Place:
        folder = PurePosixPath(name).parent.name
        if folder.casefold() not in known:
            known[folder.casefold()] = make_class(place.drawings, folder, made=place.made)
        return Place(place.drawings, known[folder.casefold()], place.made, place.who)

    return chosen


def _take(
    files: Sequence[tuple[str, Callable[[], bytes]]], into: Callable[[str], Place], texts: Texts
) -> None:
    """Keep each file that is a picture; the others are said."""
    kept, refused = [], []
    bar = st.progress(0.0, texts("collect.taking"))
    for done, (name, read) in enumerate(files, start=1):
        path = PurePosixPath(name)
        try:
            place = into(name)
            kept.append(place.keep(arrived(read(), path.suffix), stem=path.stem))
        except DessinError as error:
            refused.append(f"{path.name}: {retold(error.seen)}")
        bar.progress(done / len(files), texts("collect.taking"))
    _kept(kept, refused)


def _show_before(picture: Arrived, texts: Texts) -> None:
    figures = [Figure(_address(picture.pixels), texts("collect.learns"))]
    if picture.photograph is not None:
        figures.insert(0, Figure(_address(picture.photograph), texts("try.photograph")))
    show_figures(figures, side=_SHOWN)


def _address(pixels: Pixels) -> str:
    return image_data_uri(shrunk(pixels, _SIDE), kind="webp", quality=80)


def _keep_words(place: Place, texts: Texts) -> str:
    return texts("collect.keep", name=as_label(place.drawings.name(place.label)))


def _kept(image_ids: Sequence[str], refused: Sequence[str] = ()) -> None:
    st.session_state[_LAST] = tuple(image_ids)
    st.session_state[_SAID] = (len(image_ids), tuple(refused))


def _say_last(drawings: Drawings, made: bool, texts: Texts) -> None:
    """What was kept last, and a button that takes it back."""
    count, refused = st.session_state.get(_SAID, (0, ()))
    if count:
        show_text(texts("collect.kept", count=count), "good")
    for line in refused[:_NAMED]:
        show_text(line, "warn")
    if len(refused) > _NAMED:
        show_text(texts("collect.more_refused", count=len(refused) - _NAMED), "warn")
    last = [image_id for image_id in st.session_state.get(_LAST, ()) if image_id in drawings.labels]
    if last and st.button(texts("collect.back", count=len(last))):
        delete(drawings.collection.root, last, made=made)
        _kept(())
        st.rerun()


def _round() -> int:
    return int(st.session_state.get(_ROUND, 0))


def _next_round() -> None:
    """Empty the camera and the list of files, which keep what they hold under one name."""
    st.session_state[_ROUND] = _round() + 1
    st.rerun()
