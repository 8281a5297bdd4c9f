from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dessin import files, progress, reading
from dessin.errors import DessinError


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    files.write_text(target, "old")

    def fail_half_way() -> None:
        with files.atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DessinError, match="disk is full"):
        files.write_text(tmp_path / "a.txt", "x" * 1000)
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_was_writing_goes_when_the_file_is_written_again(tmp_path: Path) -> None:
    gone = 2**22 + 1
    dead = tmp_path / f".a.txt.{gone}-0123abcd.tmp"
    others = [f".a.txt.{os.getpid()}-0123abcd.tmp", f".b.txt.{gone}-0123abcd.tmp", ".a.txt.mine.tmp"]
    for path in (dead, *(tmp_path / name for name in others)):
        path.write_text("half")
    files.write_text(tmp_path / "a.txt", "all")
    assert sorted(os.listdir(tmp_path)) == sorted(["a.txt", *others])
    dead.mkdir()
    (dead / "in it").touch()
    files.write_text(tmp_path / "a.txt", "all")
    assert not dead.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_really_full_device_is_said_too() -> None:
    with pytest.raises(DessinError, match="could not be written"):
        files.write_text(Path("/dev/full/x"), "y")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_the_digest_of_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe or a device"):
        files.sha256_file(tmp_path / "pipe")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with files.atomic_path(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("1")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "a").read_text() == "1"


def test_csv_round_trip_with_awkward_values(tmp_path: Path) -> None:
    rows = [("a,b", 'quote"d', "two\nlines"), ("é", "a\u2028b", " x ")]
    files.write_csv(tmp_path / "t.csv", ("x", "y", "z"), rows, comment="made by a test")
    comment, read = reading.read_csv(tmp_path / "t.csv", ("x", "y", "z"))
    assert comment == "made by a test"
    assert [tuple(row.values()) for row in read] == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column c"),
        ("c\n1,2\n", "row 1"),
        ("c,d\n1\n", "row 1"),
        ("", "has no column c"),
    ],
)
def test_a_bad_csv_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DessinError, match=message):
        reading.read_csv(tmp_path / "t.csv", ("c",))


def test_json_is_canonical_and_strict(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    files.write_json(tmp_path / "b.json", {"a": "é", "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "c.json", {"x": float("nan")})
    assert not (tmp_path / "c.json").exists()


def test_the_lock_excludes_another_process(tmp_path: Path) -> None:
    code = (
        "import fcntl,sys\n"
        f"f=open({str(tmp_path / 'lock')!r},'a')\n"
        "try: fcntl.flock(f, fcntl.LOCK_EX|fcntl.LOCK_NB); print('free')\n"
        "except OSError: print('held')\n"
    )
    with files.locked(tmp_path / "lock"):
        inside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (inside.stdout.strip(), after.stdout.strip()) == ("held", "free")


def test_only_what_was_written_is_synced(tmp_path: Path) -> None:
    (tmp_path / "somebody-elses").mkdir()
    os.mkfifo(tmp_path / "somebody-elses" / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    files.write_text(tmp_path / "mine.txt", "x")
    assert (tmp_path / "mine.txt").read_text() == "x"


FORMULAS = ("=1+1", '=HYPERLINK("http://x.test","cat")', "+cat", "-cat", "@cat", "-1+1", "\uff1dcat")
PLAIN = ("cat", "1", "-1", "+1", "-0.5", "-1e-9", "-", "", "a=b", "'=1", "c@t", " =1", "\u22121")


@pytest.mark.parametrize("cell", [*FORMULAS, *PLAIN])
def test_a_cell_is_written_exactly_and_a_formula_is_told_from_a_number(cell: str, tmp_path: Path) -> None:
    files.write_csv(tmp_path / "t.csv", ("image_id", "n"), [(cell, 1)])
    assert reading.read_csv(tmp_path / "t.csv", ("image_id",))[1] == [{"image_id": cell, "n": "1"}]
    assert files.is_formula(cell) == (cell in FORMULAS)


def test_a_name_that_is_a_formula_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_quiet", False)
    monkeypatch.setattr(progress, "_said", set())
    files.write_csv(tmp_path / "plain.csv", ("image_id", "change"), [("a.png", -0.5), ("b.png", "-0.5")])
    assert not capsys.readouterr().err
    for name in ("one.csv", "two.csv"):
        files.write_csv(tmp_path / name, ("image_id", "n"), [("a.png", 1), ("=1+1.png", 2)])
    said = capsys.readouterr().err
    assert said.startswith("WARNING: one.csv holds a name that a spreadsheet takes for a formula: =1+1.png.")
    assert len(said.splitlines()) == 1
