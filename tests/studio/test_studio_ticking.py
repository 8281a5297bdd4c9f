"""Ticks in a curation file: put in, taken out, and nobody else's rows lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dessin.collection.curation import Change, Curation, read_curation, write_curation
from dessin.errors import DessinError
from dessin.studio.views.issue_list import is_own, read_changes, tick, untick

THEIRS = Curation(
    (
        Change("a/1.png", "keep", "", "stands for 1 dropped copies"),
        Change("b/2.png", "relabel", "c", "by hand"),
        Change("z/9.png", "drop", "", "exact_duplicate: a copy of a/1.png"),
    )
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_curation(THEIRS, tmp_path / "curation.csv")
    return tmp_path / "curation.csv"


def test_ticks_come_and_go_and_leave_the_bytes_as_they_were(file: Path) -> None:
    before = file.read_bytes()
    tick(file, "m/5.png", "near_duplicate with m/4.png")
    tick(file, "a/0.png", "blank")
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
    tick(file, "a/0.png", "blank")
    assert [change.image_id for change in read_curation(file).changes] == ["a/0.png"]


@pytest.mark.parametrize("image_id", ["a/1.png", "b/2.png", "z/9.png"])
def test_rows_of_others_are_neither_taken_out_nor_replaced(file: Path, image_id: str) -> None:
    before = file.read_bytes()
    assert not is_own(read_changes(file)[image_id])
    with pytest.raises(DessinError, match="not made here"):
        untick(file, image_id)
    with pytest.raises(DessinError, match="already has a row"):
        tick(file, image_id, "blank")
    assert file.read_bytes() == before


def test_a_row_that_somebody_added_meanwhile_stays(file: Path) -> None:
    tick(file, "m/5.png", "blank")
    meanwhile = Change("n/1.png", "drop", "", "by hand")
    write_curation(Curation((*read_curation(file).changes, meanwhile)), file)
    untick(file, "m/5.png")
    assert set(read_curation(file).changes) == {*THEIRS.changes, meanwhile}


def test_what_is_not_there_is_nothing_to_take_out(file: Path) -> None:
    before = file.read_bytes()
    untick(file, "m/5.png")
    assert file.read_bytes() == before
