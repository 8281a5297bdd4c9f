"""Marks in a curation file: put in, taken back, whoever made the row, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dessin.collection.curation import Change, Curation, read_curation, write_curation
from dessin.errors import DessinError
from dessin.studio.curating import forget_rows, mark, read_changes, set_aside, turn_back, unmark

THEIRS = Curation(
    (
        Change("a/1.png", "keep", "", "stands for 1 dropped copies"),
        Change("b/2.png", "relabel", "c", 'by hand: "so" [instead of nothing]'),
        Change("z/9.png", "drop", "", "exact_duplicate: a copy of a/1.png"),
    )
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_curation(THEIRS, tmp_path / "curation.csv")
    return tmp_path / "curation.csv"


def tick(file: Path, image_id: str, reason: str = "blank") -> None:
    set_aside(file, [image_id], reason, seen={image_id: read_changes(file).get(image_id)})


def untick(file: Path, image_id: str) -> None:
    unmark(file, [image_id], seen={image_id: read_changes(file).get(image_id)})


def test_ticks_come_and_go_and_leave_the_bytes_as_they_were(file: Path) -> None:
    before = file.read_bytes()
    tick(file, "m/5.png", "near_duplicate with m/4.png")
    tick(file, "a/0.png")
    added = {change.image_id: change for change in read_curation(file).changes}
    assert added["m/5.png"].action == "drop"
    assert "near_duplicate with m/4.png" in added["m/5.png"].reason
    assert set(THEIRS.changes) < set(added.values())
    untick(file, "m/5.png")
    untick(file, "a/0.png")
    assert file.read_bytes() == before


def test_a_tick_makes_the_file_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    assert read_changes(file) == {}
    tick(file, "a/0.png")
    assert [change.image_id for change in read_curation(file).changes] == ["a/0.png"]


@pytest.mark.parametrize("image_id", ["a/1.png", "b/2.png"])
def test_what_others_said_comes_back_with_the_tick_taken_out(file: Path, image_id: str) -> None:
    before = file.read_bytes()
    tick(file, image_id)
    tick(file, image_id, "again")
    assert read_changes(file)[image_id].action == "drop"
    untick(file, image_id)
    assert file.read_bytes() == before


def test_what_a_machine_set_aside_is_used_all_the_same_and_set_aside_again(file: Path) -> None:
    before = file.read_bytes()
    untick(file, "z/9.png")
    assert read_changes(file)["z/9.png"].action == "keep"
    tick(file, "z/9.png")
    assert file.read_bytes() == before


def test_a_row_that_somebody_added_meanwhile_stays(file: Path) -> None:
    tick(file, "m/5.png")
    meanwhile = Change("n/1.png", "drop", "", "by hand")
    write_curation(Curation((*read_curation(file).changes, meanwhile)), file)
    untick(file, "m/5.png")
    assert set(read_curation(file).changes) == {*THEIRS.changes, meanwhile}


def test_what_somebody_else_decided_meanwhile_is_not_decided_over(file: Path) -> None:
    tick(file, "m/5.png")
    before = file.read_bytes()
    with pytest.raises(DessinError, match="Somebody else"):
        set_aside(file, ["m/5.png", "n/1.png"], "blank", seen={"m/5.png": None, "n/1.png": None})
    with pytest.raises(DessinError, match="Somebody else"):
        unmark(file, ["z/9.png"], seen={"z/9.png": None})
    assert file.read_bytes() == before


def test_a_change_of_several_is_turned_back_as_a_whole(file: Path) -> None:
    before, rows = file.read_bytes(), read_changes(file)
    ids = ["a/1.png", "b/2.png", "m/5.png"]
    seen = {image_id: rows.get(image_id) for image_id in ids}
    after = mark(file, dict.fromkeys(ids, ("relabel", "d", "it is a d")), seen=seen)
    assert {read_changes(file)[image_id].label for image_id in ids} == {"d"}
    turn_back(file, seen, after)
    assert file.read_bytes() == before
    with pytest.raises(DessinError, match="Somebody else"):
        turn_back(file, seen, after)


def test_rows_of_forgotten_drawings_go_and_no_others(file: Path) -> None:
    assert forget_rows(file, frozenset({"z/9.png", "y/8.png"})) == 1
    assert read_curation(file).changes == THEIRS.changes[:2]
    assert forget_rows(file.with_name("none.csv"), frozenset({"z/9.png"})) == 0


def test_what_is_not_there_is_nothing_to_take_out(file: Path) -> None:
    before = file.read_bytes()
    untick(file, "m/5.png")
    assert file.read_bytes() == before
