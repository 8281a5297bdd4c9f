"""Drawings that come in by the studio: whole, under new names, in their own place, gone if forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from studio_kit import CLASSES, make_drawings, page_of_paper

from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.images.decode import decode
from dessin.studio.drawings import Drawings, read_drawings
from dessin.studio.inbox import (
    Arrived,
    arrived,
    checked_name,
    delete,
    drawn_by,
    folder_of,
    keep,
    make_class,
    make_collection,
    png_of,
    whole,
)
from dessin.studio.workspace import Workspace, scan_workspace


def picture(shade: int = 0) -> Arrived:
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[8:32, 18:22] = shade
    return Arrived(png_of(pixels), ".png", pixels)


def opened(root: Path, name: str) -> tuple[Workspace, Drawings]:
    workspace = scan_workspace(root)
    return workspace, read_drawings(workspace, name)


@pytest.mark.parametrize(
    "name", ["", " ", "..", "a/b", "a\\b", ".hidden", "x" * 61, "a\0b", "nul", "NUL.txt", "a:b", "thumbs"]
)
def test_names_that_some_system_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(DessinError):
        checked_name(name, "class")


def test_a_collection_is_made_with_empty_classes_and_verbs_read_what_comes_in(tmp_path: Path) -> None:
    name = make_collection(Workspace(tmp_path), "동물 zoo")
    _, drawings = opened(tmp_path, name)
    assert drawings.members == {}
    for label in ("cat", "고양이"):
        make_class(drawings, label, made=True)
    workspace, drawings = opened(tmp_path, name)
    assert workspace.called(name) == "동물 zoo"
    assert {label: len(ids) for label, ids in drawings.members.items()} == {"cat": 0, "고양이": 0}
    ids = {keep(folder_of(drawings, label, made=True), picture(), drawings.collection.root)
           for label in drawings.members}  # fmt: skip
    read = read_collection(workspace.path(name))
    assert {item.image_id for item in read.items} == ids
    assert read.classes == ("cat", "고양이")


@pytest.mark.parametrize("label", ["Cat", "train", "Test", "../cat", ""])
def test_a_class_that_is_there_or_means_something_else_is_refused(tmp_path: Path, label: str) -> None:
    name = make_collection(Workspace(tmp_path), "zoo")
    make_class(opened(tmp_path, name)[1], "cat", made=True)
    with pytest.raises(DessinError):
        make_class(opened(tmp_path, name)[1], label, made=True)
    assert [path.name for path in (tmp_path / "zoo" / "drawings").iterdir()] == ["cat"]


def test_a_collection_is_not_made_over_something(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    with pytest.raises(DessinError, match="already"):
        make_collection(Workspace(tmp_path), "zoo")


def test_somebody_elses_drawings_stay_and_new_ones_go_into_an_inbox(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "drawings")
    before = {path: sha256_file(path) for path in data.rglob("*.png")}
    _, drawings = opened(tmp_path, "drawings")
    folder = folder_of(drawings, CLASSES[0], made=False)
    image_id = keep(folder, picture(), data, stem="00")
    assert image_id == f"{CLASSES[0]}/inbox/00.png"
    assert {item.label for item in read_collection(data).items if item.image_id == image_id} == {CLASSES[0]}
    assert {path: sha256_file(path) for path in before} == before
    assert delete(data, [image_id, f"{CLASSES[0]}/00.png"], made=False) == 1
    assert {path: sha256_file(path) for path in data.rglob("*.png")} == before


def test_a_table_of_labels_takes_no_drawings(tmp_path: Path) -> None:
    data = tmp_path / "drawings"
    data.mkdir()
    for number in range(4):
        (data / f"{number}.png").write_bytes(picture(number).data)
    lines = [f"{number}.png,{'lines' if number % 2 else 'stripes'}" for number in range(4)]
    (data / "labels.csv").write_text("\n".join(["image_path,label", *lines]))
    with pytest.raises(DessinError, match="not simply its folders"):
        folder_of(opened(tmp_path, "drawings")[1], "lines", made=False)


def test_two_who_keep_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: keep(folder, picture(n), tmp_path, who="anna"), range(40)))
    assert sorted(ids) == sorted(f"cat/anna_{number}.png" for number in range(1, 41))
    shades = {int(decode((tmp_path / each).read_bytes()).pixels[20, 20, 0]) for each in ids}
    assert shades == set(range(40))


def test_who_drew_is_in_the_name_and_is_found_in_it_again() -> None:
    anna, ben = ("cat/anna_1.png", "dog/anna_2.png"), ("cat/ben_1.png", "dog/ben_4.png")
    assert drawn_by([*anna, *ben, "cat/20261201-101500-ab12.png"]) == {"anna": anna, "ben": ben}


def test_of_a_photograph_of_paper_the_sheet_is_kept_and_a_drawing_as_it_came() -> None:
    photograph = page_of_paper()
    found = arrived(png_of(photograph), ".png")
    assert found.photograph is not None
    assert found.pixels.shape != photograph.shape
    # It is no photograph any more, so it would not be cut again.
    assert arrived(found.data).photograph is None
    assert whole(found).pixels.shape == photograph.shape
    drawing = picture()
    assert arrived(drawing.data, ".png").data == drawing.data


def test_what_is_no_picture_or_too_large_is_refused(tmp_path: Path) -> None:
    for data in (b"no picture", b"\x89PNG" + bytes(9 * 2**20)):
        with pytest.raises(DessinError):
            arrived(data)


def test_a_file_that_is_called_badly_gets_a_name_of_ours(tmp_path: Path) -> None:
    first = keep(tmp_path / "cat", picture(), tmp_path, stem="../../out")
    second = keep(tmp_path / "cat", picture(), tmp_path, stem="anna")
    third = keep(tmp_path / "cat", picture(), tmp_path, stem="ANNA")
    assert len({first, second.casefold(), third.casefold()}) == 3
    assert sorted(path.parent for path in tmp_path.rglob("*.png")) == [tmp_path / "cat"] * 3
    assert {decode(path.read_bytes()).pixels.shape for path in tmp_path.rglob("*.png")} == {(40, 40, 3)}
