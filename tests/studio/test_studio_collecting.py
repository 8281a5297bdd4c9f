"""The pages Begin, Add drawings and Teach, run without a browser."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from studio_kit import alert, checked, open_page, raw, words

from dessin.collection.curation import Change, read_curation
from dessin.collection.readers.groups import Hands
from dessin.studio import teaching
from dessin.studio.drawings import read_drawings
from dessin.studio.inbox import (
    MOST_FILES,
    MOST_TOGETHER,
    Arrived,
    keep,
    make_class,
    make_collection,
    png_of,
)
from dessin.studio.texts import texts_in
from dessin.studio.views import collect
from dessin.studio.views.help import untestable, usable
from dessin.studio.workspace import Workspace, scan_workspace

TEXTS = texts_in("en")


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A collection made here, of five cats by Anna, six of a class of an awkward name by Ben, and no dog."""
    name = make_collection(Workspace(tmp_path), "zoo")
    root = tmp_path / "zoo" / "drawings"
    label = "dots $x$ [y]"
    for each in ("cat", label, "dog"):
        make_class(read_drawings(scan_workspace(tmp_path), name), each, made=True)
    for each, who, count in (("cat", "anna", 5), (label, "ben", 6)):
        for number in range(count):
            drawn(root / each, who, np.random.default_rng([len(each), number]))
    return tmp_path


def drawn(folder: Path, who: str, random: np.random.Generator, *, turns: int = 0) -> None:
    """A drawing of a few lines by somebody, turned by so many quarters."""
    pixels = np.full((96, 96, 3), 255, np.uint8)
    cv2.polylines(pixels, [random.integers(6, 90, (7, 2), dtype=np.int32)], False, (0, 0, 0), 3)
    pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    keep(folder, Arrived(png_of(pixels), ".png", pixels), folder.parent, who=who)


def button(page: AppTest, key: str, **values: object) -> AppTest:
    """The page after a button was pressed."""
    words = TEXTS(key, **values)
    return checked(next(each for each in page.button if each.label == words).click().run())


def test_a_collection_is_made_with_its_classes(tmp_path: Path) -> None:
    page = open_page(tmp_path, "start")
    assert str(tmp_path) in words(page)
    page.text_input(key="start.name").input("zoo")
    page.text_input(key="start.classes").input("cat, dog , 고양이,")
    button(page, "start.make_it")
    assert sorted(path.name for path in (tmp_path / "zoo" / "drawings").iterdir()) == ["cat", "dog", "고양이"]
    page = open_page(tmp_path, "start")
    assert TEXTS("start.holds", drawings=0, classes=3) in words(page)
    page.text_input(key="start.name").input("zoo")
    assert "there already" in alert(button(page, "start.make_it"))


def test_classes_are_listed_with_their_counts_and_what_is_needed_most_is_said(zoo: Path) -> None:
    page = open_page(zoo, "collect")
    assert "cat" in page.radio(key="collect.label").options
    assert TEXTS("help.too_few", name="dog", count=0, fewest=5) in words(page)
    assert raw(page).count("<img ") == 5
    page.text_input(key="collect.class_name").input("owl")
    button(page, "collect.add_class")
    assert (zoo / "zoo" / "drawings" / "owl").is_dir()
    assert page.radio(key="collect.label").value == "owl"


def tick(page: AppTest, *names: str) -> AppTest:
    for name in names:
        next(box for box in page.checkbox if (box.key or "").endswith(f"cat/{name}")).check()
    return checked(page.run())


def test_drawings_are_set_aside_called_otherwise_and_all_is_taken_back(zoo: Path) -> None:
    file = zoo / "zoo" / "curation.csv"
    page = tick(open_page(zoo, "collect"), "anna_1.png", "anna_2.png")
    button(page, "sheet.aside", count=2)
    assert [(each.image_id, each.action) for each in read_curation(file).changes] == [
        ("cat/anna_1.png", "drop"),
        ("cat/anna_2.png", "drop"),
    ]
    assert TEXTS("data.class_says", count=5, dropped=2) in words(page)
    other = next(option for option in page.selectbox(key="sheet.other").options if option != "cat")
    page = tick(page, "anna_3.png")
    page.selectbox(key="sheet.other").select(other)
    button(page, "sheet.is")
    changes = {each.image_id: each for each in read_curation(file).changes}
    assert (changes["cat/anna_3.png"].action, changes["cat/anna_3.png"].label) == ("relabel", other)
    assert raw(page).count("<img ") == 4
    drawings = read_drawings(scan_workspace(zoo), "zoo/drawings")
    assert sorted(usable(drawings, changes).counts.values()) == [0, 2, 7]
    button(page, "sheet.undo", count=2)
    button(page, "sheet.undo", count=1)
    assert read_curation(file).changes == ()
    assert raw(page).count("<img ") == 5


def test_too_many_pictures_or_bytes_at_once_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(collect, "show_text", lambda text, style: said.append(f"{style}: {text}"))
    one, large = SimpleNamespace(size=1), SimpleNamespace(size=MOST_TOGETHER)
    assert collect._fit([one] * MOST_FILES, TEXTS)
    assert said == []
    assert not collect._fit([one] * (MOST_FILES + 1), TEXTS)
    assert not collect._fit([large, one], TEXTS)
    assert [line[:27] for line in said] == ["error: These are 1\u202f001 pict", "error: These are 2 pictures"]


def test_what_another_window_did_meanwhile_is_said_and_stays(zoo: Path) -> None:
    from dessin.studio.curating import set_aside

    file = zoo / "zoo" / "curation.csv"
    page = tick(open_page(zoo, "collect"), "anna_1.png")
    set_aside(file, ["cat/anna_1.png"], "the other window", seen={"cat/anna_1.png": None})
    before: tuple[Change, ...] = read_curation(file).changes
    page = button(page, "sheet.aside", count=1)
    assert "Somebody else" in words(page)
    assert read_curation(file).changes == before


def test_teaching_is_begun_followed_and_stopped(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = "import time; print('== audit', flush=True); time.sleep(600)"
    monkeypatch.setattr(teaching, "_DESSIN", (sys.executable, "-c", patient))
    page = open_page(zoo, "teach")
    page.number_input(key="teach.minutes").set_value(3)
    checked(page.run())
    button(page, "teach.start", minutes=3)
    workspace = scan_workspace(zoo)
    (now,) = teaching.teachings(workspace, "zoo/drawings")
    assert (now.standing, now.begun.minutes) == ("running", 3)
    assert TEXTS("teach.goes_on") in words(page)
    button(page, "teach.stop")
    (now,) = teaching.teachings(workspace, "zoo/drawings")
    assert now.standing != "running"
    assert TEXTS("teach.go_on") in [each.label for each in page.button]


@pytest.mark.parametrize(
    ("different", "key", "values"),
    [
        (1, "help.copies", {"name": "cat", "count": 5}),
        (2, "help.few_differ", {"count": 10, "differ": 4, "fewest": 5}),
    ],
)
def test_drawings_that_are_copies_are_said_before_anything_is_taught(
    tmp_path: Path, different: int, key: str, values: dict[str, object]
) -> None:
    root = tmp_path / make_collection(Workspace(tmp_path), "zoo")
    for place, label in enumerate(("cat", "dog")):
        for number in range(5):
            random = np.random.default_rng([place, number % different])
            drawn(root / label, "anna", random, turns=number)
    page = button(open_page(tmp_path, "teach"), "teach.start", minutes=5)
    assert TEXTS(key, **values) in alert(page)
    assert teaching.teachings(scan_workspace(tmp_path), "zoo/drawings") == ()
    assert (tmp_path / "zoo" / ".cache" / "scans").is_dir(), "forgotten with the drawings"


def test_too_few_people_to_test_on_are_said_where_they_are_asked_for(tmp_path: Path) -> None:
    name = make_collection(Workspace(tmp_path), "zoo")
    for place, label in enumerate(("cat", "dog")):
        for number in range(8):
            random = np.random.default_rng([place, number])
            drawn(tmp_path / name / label, ("anna", "ben", "carol", "dora")[number % 4], random)
    drawings = read_drawings(scan_workspace(tmp_path), name)
    hands = Hands(r"/([a-z]+)_\d", "beginnings", images=16, groups=4, example="anna")
    assert untestable(drawings, {}, hands, tmp_path / "cache", TEXTS) == TEXTS("help.few_people")
    assert untestable(drawings, {}, None, tmp_path / "cache", TEXTS) == ""


def test_drawings_of_one_person_are_forgotten_and_what_was_deleted_is_said(zoo: Path) -> None:
    curation = zoo / "zoo" / "curation.csv"
    page = tick(open_page(zoo, "collect"), "anna_1.png")
    button(page, "sheet.aside", count=1)
    (zoo / "zoo" / "models").mkdir()
    page = open_page(zoo, "start")
    page.selectbox(key="forget.who:zoo/drawings").select("anna")
    page.checkbox(key="forget.sure:zoo/drawings").check()
    page = checked(page.run())
    page = button(page, "forget.do", count=5)
    assert TEXTS("forget.done", count=5, rows=1, folders="zoo/models") in words(page)
    assert list((zoo / "zoo" / "drawings" / "cat").iterdir()) == []
    assert len(list((zoo / "zoo" / "drawings").glob("*/ben_*.png"))) == 6
    assert read_curation(curation).changes == ()
