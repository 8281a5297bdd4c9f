from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dessin.errors import DessinError
from dessin.folders import (
    claim_folder,
    contents,
    going_on,
    hold,
    is_finished,
    is_held,
    result_folder,
)

# A process that is gone: no system counts as far.
GONE = 2**22 + 1


def write(out: Path, text: str = "all") -> Path:
    with result_folder(out, what="a result") as part:
        (part / "maps").mkdir()
        (part / "maps" / "a.png").write_text("a")
        (part / "result.json").write_text(text)
    return out


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


WHOLE = ["maps", "maps/a.png", "result.json"]


def test_a_result_is_seen_once_it_is_whole(tmp_path: Path) -> None:
    with result_folder(tmp_path / "deep" / "out", what="a result") as part:
        (part / "a.txt").write_text("a")
        assert contents(tmp_path / "deep" / "out") == []
    assert names(tmp_path / "deep" / "out") == ["a.txt"]


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("stop", [DessinError("no"), KeyboardInterrupt(), OSError(errno.EIO, "input/output")])
def test_after_an_error_all_is_as_it_was(tmp_path: Path, stop: BaseException, new: bool) -> None:
    out = tmp_path / "out"
    if not new:
        out.mkdir()

    def fail() -> None:
        with result_folder(out, what="a result") as part:
            (part / "a.txt").write_text("a")
            raise stop

    with pytest.raises(type(stop)):
        fail()
    assert names(tmp_path) == ([] if new else ["out"])
    assert names(write(out)) == WHOLE


def test_ctrl_c_says_that_nothing_is_kept(tmp_path: Path) -> None:
    def stopped() -> None:
        with result_folder(tmp_path / "out", what="an audit"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"Nothing of an audit is kept in .*out: the same"):
        stopped()


def test_what_holds_something_is_refused_and_named(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    with pytest.raises(
        DessinError, match=r"not empty, so a result .* it holds maps, result\.json\."
    ) as error:
        write(out, "another")
    assert "it is whole" in str(error.value)
    assert (out / "result.json").read_text() == "all"
    claim_folder(tmp_path / "new", what="a run")
    claim_folder(tmp_path / "new", what="a run")


def test_a_part_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".dessin-part").mkdir(parents=True)
    (out / ".dessin-part" / "half.csv").write_text("half")
    (out / ".lock").touch()
    assert not is_finished(out)
    assert names(write(out)) == WHOLE


@pytest.mark.parametrize("moved", [[], ["maps"], ["maps", "result.json"]])
def test_one_that_was_whole_when_it_was_killed_is_moved_up(tmp_path: Path, moved: list[str]) -> None:
    out = write(tmp_path / "out")
    (out / ".dessin-whole").mkdir()
    for name in set(os.listdir(out)) - {".dessin-whole", *moved}:
        (out / name).rename(out / ".dessin-whole" / name)
    with pytest.raises(DessinError, match="it is whole"):
        write(out)
    assert names(out) == WHOLE
    assert is_finished(out)


HOLDER = """
import sys
from pathlib import Path
from dessin.folders import hold
with hold(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_that_another_process_writes_is_refused_at_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", HOLDER, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(out)
        for blocked in (lambda: write(out), lambda: is_finished(out), lambda: claim(out)):
            with pytest.raises(DessinError, match=r"Another process is writing .*out now\."):
                blocked()
        holder.kill()
    # It left its lock file, and holds nothing.
    assert (out / ".lock").is_file()
    assert not is_held(out)
    assert names(write(out)) == WHOLE


def claim(out: Path) -> None:
    with going_on(out, keeps="What is done"):
        raise AssertionError("held twice")


def test_a_folder_that_was_made_to_be_held_and_got_nothing_is_gone(tmp_path: Path) -> None:
    with hold(tmp_path / "out", wait=False):
        assert is_held(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_are_written_under_are_no_content(tmp_path: Path) -> None:
    mine = [".notes.tmp", ".a.12-0123abcd.tmp.txt"]
    for name in (f".record.json.{GONE}-0123abcd.tmp", f".dessin-{GONE}-0123abcd.tmp", ".lock", *mine):
        (tmp_path / name).touch()
    assert contents(tmp_path) == sorted(mine)
