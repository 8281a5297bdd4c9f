from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from member_tables import plausible

from dessin.answers import table as module
from dessin.answers.table import MemberTable, create_table, open_table, places
from dessin.errors import DessinError


def test_what_was_written_is_mapped_read_only(tmp_path: Path) -> None:
    written = create_table(tmp_path / "t.npy", 3, 5, 2)
    written[1] = 0.25
    written.flush()
    mapped = open_table(tmp_path / "t.npy")
    assert mapped.shape == (3, 5, 2)
    assert np.array_equal(mapped, written)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1.0


def test_space_is_reserved_at_once(tmp_path: Path) -> None:
    create_table(tmp_path / "t.npy", 4, 100, 100)
    assert (tmp_path / "t.npy").stat().st_blocks * 512 >= 4 * 4 * 100 * 100


def test_a_full_disk_is_said_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int, _start: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DessinError, match=r"3 members.*the disk is full"):
        create_table(tmp_path / "t.npy", 3, 5, 2)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="No such file"):
        create_table(tmp_path / "missing" / "t.npy", 3, 5, 2)


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_something_else_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.npy").write_bytes(content)
    with pytest.raises(DessinError, match="not a table"):
        open_table(tmp_path / "t.npy")


def test_an_array_of_another_kind_is_no_table(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.zeros((2, 2)))
    with pytest.raises(DessinError, match="float64 of 2 dimensions"):
        open_table(tmp_path / "t.npy")


def test_parts_must_fit_together() -> None:
    table = plausible(3, 10, 4)
    with pytest.raises(ValueError, match="float32"):
        replace(table, probabilities=table.probabilities[:2])
    with pytest.raises(ValueError, match="10 images"):
        replace(table, targets=table.targets[:9])
    with pytest.raises(ValueError, match="share a name"):
        replace(table, names=("a", "b", "a"))


def test_blocks_give_every_row_once_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = mapped(plausible(3, 40, 4), tmp_path)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 3 * 4 * 4 * 7)
    monkeypatch.setattr(module, "_RELEASE_AFTER", 2)
    rows = np.array([39, 3, 3, *range(20)])
    blocks = list(table.over_blocks(rows, lambda block: table.read(block)))
    assert [block.shape[1] for block in blocks] == [7, 7, 7, 2]
    assert np.array_equal(np.concatenate(blocks, axis=1), table.probabilities[:, rows])


def test_letting_go_keeps_the_values(tmp_path: Path) -> None:
    table = plausible(3, 40, 4)
    same = mapped(table, tmp_path)
    same.release()
    assert np.array_equal(same.probabilities, table.probabilities)


def mapped(table: MemberTable, folder: Path) -> MemberTable:
    written = create_table(folder / "mapped.npy", *table.probabilities.shape)
    written[:] = table.probabilities
    written.flush()
    return replace(table, probabilities=open_table(folder / "mapped.npy"))


def test_places_are_those_of_sorted_names() -> None:
    assert places(["c", "a", "b"]).tolist() == [2, 0, 1]
