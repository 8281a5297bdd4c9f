"""The page Name drawings, run without a browser: answers in the file at once, undone, and gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from studio_kit import CLASSES, alert, checked, make_drawings, open_page, words

from dessin.collection.readers.detect import read_collection
from dessin.files import sha256_file
from dessin.reading import read_csv
from dessin.studio.texts import texts_in
from dessin.studio.views import label as page_module
from dessin.studio.workspace import LABELS, loose_drawings, scan_workspace

TEXTS, KOREAN = texts_in("en"), texts_in("ko")
KINDS = ("bars", "dots", "frames")


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with all drawings in one folder; the kind of each is known by its name."""
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(page_module, "MODEL", "test_efficientnet:none")
    made, folder = make_drawings(tmp_path / "made"), tmp_path / "workspace" / "scans"
    folder.mkdir(parents=True)
    for label, kind in zip(CLASSES, KINDS, strict=True):
        for path in (made / label).iterdir():
            path.rename(folder / f"{kind}-{path.name}")
    return folder


def begun(scans: Path, language: str = "en") -> AppTest:
    page = open_page(scans.parent, "label", language)
    page.text_input(key="label.first_names").input(" bars, dots,frames ,")
    return press(page, texts_in(language)("label.offer"))


def press(page: AppTest, label: str) -> AppTest:
    """The page after a button was pressed."""
    return checked(next(each for each in page.button if each.label == label).click().run())


def asked(page: AppTest) -> str:
    """The drawing that is asked about."""
    (figure,) = [part.proto.body for part in page.get("html") if "<figcaption>" in part.proto.body]
    return figure.partition("<figcaption>")[2].partition("<")[0]


def labels(scans: Path) -> dict[str, str]:
    rows = read_csv(scans / LABELS, ("image_path", "label"))[1]
    return {row["image_path"]: row["label"] for row in rows}


def test_keys_are_on_the_buttons_and_answers_in_the_file_at_once(scans: Path) -> None:
    before = {path: sha256_file(path) for path in scans.iterdir()}
    page = begun(scans)
    named = {}
    for _ in range(4):
        image_id = asked(page)
        named[image_id] = image_id.partition("-")[0]
        page = press(page, named[image_id])
        assert labels(scans) == named
    shortcuts = {each.label: each.proto.shortcut for each in page.button}
    assert sorted(shortcuts[kind] for kind in KINDS) == ["1", "2", "3"]
    assert (shortcuts[TEXTS("label.aside")], shortcuts[TEXTS("label.undo")]) == ("s", "u")
    assert page.get("progress")[0].proto.text == TEXTS("label.progress", labelled=4, drawings=28, passed=0)
    assert "is known once" in words(page)
    assert {path: sha256_file(path) for path in before} == before


def test_an_answer_is_taken_back_and_a_new_window_goes_on(scans: Path) -> None:
    page = begun(scans)
    first = asked(page)
    page = press(page, "dots")
    second = asked(page)
    page = press(page, TEXTS("label.aside"))
    page = open_page(scans.parent, "label")
    assert asked(page) not in (first, second)
    assert {"bars", "dots", "frames"} <= {each.label for each in page.button}
    page = press(page, TEXTS("label.undo"))
    assert asked(page) == second
    page = press(page, TEXTS("label.undo"))
    assert asked(page) == first
    assert labels(scans) == {}
    assert next(each for each in page.button if each.label == TEXTS("label.undo")).disabled


def test_two_windows_lose_nothing(scans: Path) -> None:
    one, other = begun(scans), open_page(scans.parent, "label")
    first = asked(one)
    one = press(one, "bars")
    one = press(one, "dots")
    other.button(key=next(each.key for each in other.button if each.label == "bars")).click()
    other = checked(other.run())
    assert len(labels(scans)) == 2, "the other window's answer is about the first drawing too"
    press(other, "frames")
    assert len(labels(scans)) == 3
    press(one, TEXTS("label.undo"))
    assert first in labels(scans)
    assert sorted(labels(scans).values()) == ["bars", "frames"]


def test_more_classes_than_keys_are_in_a_list_and_a_name_that_cannot_be_is_said(scans: Path) -> None:
    page = open_page(scans.parent, "label")
    page.text_input(key="label.first_names").input("a/b")
    page = press(page, TEXTS("label.offer"))
    assert "cannot be the name of a class" in alert(page)
    page.text_input(key="label.first_names").input(",".join(f"kind {number}" for number in range(11)))
    page = press(page, TEXTS("label.offer"))
    (others,) = page.selectbox
    assert others.options == ["kind 9", "kind 10"]
    checked(others.select("kind 10").run())
    assert list(labels(scans).values()) == ["kind 10"]


def test_all_are_named_in_the_end_and_those_put_aside_are_asked_about_again(scans: Path) -> None:
    for path in sorted(scans.iterdir())[6:]:
        path.unlink()
    page = begun(scans)
    aside = asked(page)
    page = press(page, TEXTS("label.aside"))
    for _ in range(5):
        page = press(page, "bars")
    assert TEXTS("label.done") in words(page)
    page = press(page, TEXTS("label.again", count=1))
    assert asked(page) == aside
    press(page, "dots")
    assert len(labels(scans)) == 6


def test_the_folder_is_a_collection_then_and_can_still_be_gone_on_with(scans: Path) -> None:
    assert scan_workspace(scans.parent).collections == ()
    assert scan_workspace(scans.parent).unlabelled == ("scans",)
    page = press(press(begun(scans), "bars"), "dots")
    assert TEXTS("label.teach") in [each.label for each in page.button]
    workspace = scan_workspace(scans.parent)
    assert (workspace.collections, workspace.unlabelled) == (("scans",), ("scans",))
    assert len(read_collection(scans).items) == 2
    page = open_page(scans.parent, "start")
    assert [each.key for each in page.button if (each.key or "").startswith("start.label")] == [
        "start.label:scans"
    ]


def test_beside_other_folders_the_table_is_the_collection(scans: Path) -> None:
    make_drawings(scans / "earlier" / "sorted")
    page = press(press(begun(scans), "bars"), "dots")
    workspace = scan_workspace(scans.parent)
    assert workspace.collections == ("scans/earlier/sorted", f"scans/{LABELS}")
    assert len(read_collection(workspace.path(f"scans/{LABELS}")).items) == 2
    press(page, TEXTS("label.teach"))
    assert page.session_state["kept.data.collection"] == f"scans/{LABELS}"


def test_a_drawing_that_cannot_be_read_is_said_and_left_out(scans: Path) -> None:
    (scans / "broken.png").write_bytes(b"no picture")
    page = open_page(scans.parent, "label")
    assert TEXTS("label.unreadable", names="broken.png") in words(page)
    assert page.get("progress")[0].proto.text == TEXTS("label.progress", labelled=0, drawings=28, passed=0)


def test_a_table_of_something_else_is_not_written_over(scans: Path) -> None:
    (scans / LABELS).write_text("image_path,label\nelsewhere.png,cat\n")
    before = (scans / LABELS).read_bytes()
    assert "elsewhere.png" in alert(open_page(scans.parent, "label"))
    assert (scans / LABELS).read_bytes() == before


def test_what_is_no_folder_of_loose_drawings_is_not_listed(scans: Path) -> None:
    root = scans.parent
    make_drawings(root / "school" / "classes")
    (root / "page").mkdir()
    (root / "page" / "index.html").write_text("<p>")
    shutil.copytree(scans, root / "study" / "pictures")
    (root / "study" / "record.json").write_text("{}")
    for name in ("one.png", "two.png"):
        shutil.copy(next(scans.iterdir()), root / "page" / name)
        shutil.copy(next(scans.iterdir()), root / "school" / "classes" / name)
    assert scan_workspace(root).unlabelled == ("scans",)
    assert len(loose_drawings(scans)) == 28


def test_without_such_a_folder_it_is_said_where_to_put_one(tmp_path: Path) -> None:
    assert str(tmp_path) in words(open_page(tmp_path, "label"))


def test_korean_is_shown(scans: Path) -> None:
    assert KOREAN("label.what") in words(begun(scans, "ko"))


def test_a_damaged_memory_costs_no_label(scans: Path) -> None:
    press(begun(scans), "bars")
    for file in (scans.parents[1] / "cache" / "labelling").glob("*.json"):
        file.write_text("{")
    page = open_page(scans.parent, "label")
    assert len(labels(scans)) == 1
    press(page, TEXTS("label.undo"))
    assert labels(scans) == {}
