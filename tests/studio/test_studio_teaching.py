"""Teaching in a process of its own, which outlives who started it, is stopped and gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dessin.auto.state import Asked, AutoState, Measured
from dessin.collection.curation import Change, Curation, read_curation, write_curation
from dessin.errors import DessinError
from dessin.studio import teaching
from dessin.studio.inbox import make_collection
from dessin.studio.teaching import Standing, Teaching, forget, go_on, start, stop, teachings
from dessin.studio.workspace import Workspace, scan_workspace

PATIENCE_S = 60.0
# Stands for `dessin auto`: it says what it was given, and waits until it is ended, or for a file.
PATIENT = """
import pathlib, sys, time
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(exist_ok=True)
print("\\n== audit", flush=True)
while not (out / "go").exists():
    time.sleep(0.02)
print("\\n== report\\ndessin: It went wrong.", flush=True)
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    make_collection(Workspace(tmp_path), "zoo")
    monkeypatch.setattr(teaching, "_DESSIN", (sys.executable, "-c", PATIENT))
    workspace = scan_workspace(tmp_path)
    yield workspace
    for each in teachings(workspace, "zoo/drawings"):
        stop(workspace, "zoo/drawings", each)


def begin(workspace: Workspace) -> Teaching:
    curation = workspace.root / "zoo" / "curation.csv"
    return start(workspace, "zoo/drawings", minutes=2, curation=curation, group="", language="en")


def until(workspace: Workspace, holds: Callable[[Teaching], bool]) -> Teaching:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        last = teachings(workspace, "zoo/drawings")[-1]
        if holds(last):
            return last
        assert time.monotonic() < deadline, last
        time.sleep(0.02)


def stands(standing: Standing) -> Callable[[Teaching], bool]:
    return lambda last: last.standing == standing


def test_it_runs_is_stopped_and_goes_on_in_the_same_folder_by_the_same_command(workspace: Workspace) -> None:
    begun = begin(workspace)
    now = until(workspace, lambda last: last.doing == "audit")
    assert (now.standing, now.accuracy, now.has_model) == ("running", None, False)
    assert 0 < now.share < 1
    with pytest.raises(DessinError, match="already"):
        begin(workspace)
    stop(workspace, "zoo/drawings", now)
    stopped = until(workspace, stands("stopped"))
    again = go_on(workspace, "zoo/drawings", stopped)
    assert again.standing == "running"
    assert again.folder == begun.folder
    assert again.begun.command == begun.begun.command
    assert again.begun.pid != begun.begun.pid
    (again.folder / "go").touch()
    assert "It went wrong." in until(workspace, stands("failed")).said[-1]


def test_it_outlives_the_process_that_started_it(workspace: Workspace) -> None:
    script = f"""
import sys
from pathlib import Path
from dessin.studio import teaching
from dessin.studio.workspace import scan_workspace
teaching._DESSIN = {teaching._DESSIN!r}
teaching.start(scan_workspace(Path({str(workspace.root)!r})), "zoo/drawings", minutes=2,
               curation=Path("none.csv"), group="", language="en")
print("started", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as studio:
        assert studio.stdout is not None
        assert studio.stdout.readline() == "started\n"
        studio.kill()
    now = until(workspace, lambda last: last.doing == "audit")
    assert now.standing == "running"
    assert psutil.pid_exists(now.begun.pid)


def test_another_process_that_has_got_the_number_is_not_taken_for_it_and_never_ended(
    workspace: Workspace,
) -> None:
    begun = begin(workspace)
    stop(workspace, "zoo/drawings", begun)
    file = begun.folder.with_suffix(".json")
    values = json.loads(file.read_text())
    values |= {"pid": os.getpid(), "stopped": False}
    file.write_text(json.dumps(values))
    (last,) = teachings(workspace, "zoo/drawings")
    assert last.standing != "running"
    stop(workspace, "zoo/drawings", last)


def test_what_is_set_aside_later_is_not_in_what_was_begun(workspace: Workspace) -> None:
    file = workspace.root / "zoo" / "curation.csv"
    write_curation(Curation((Change("a/1.png", "drop", "", "x"),)), file)
    begun = begin(workspace)
    write_curation(Curation(), file)
    kept = Path(begun.begun.command[begun.begun.command.index("--curation") + 1])
    assert [change.image_id for change in read_curation(kept).changes] == ["a/1.png"]


def test_a_command_in_a_foreign_file_is_never_run(workspace: Workspace, tmp_path: Path) -> None:
    begun = begin(workspace)
    stop(workspace, "zoo/drawings", begun)
    file = begun.folder.with_suffix(".json")
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"command": ["dessin", "train", "evil.yaml"]}))
    again = go_on(workspace, "zoo/drawings", teachings(workspace, "zoo/drawings")[-1])
    assert again.begun.command == begun.begun.command


def test_how_far_it_is_is_read_from_the_state_of_auto(workspace: Workspace) -> None:
    begun = begin(workspace)
    until(workspace, lambda last: last.doing == "audit")
    asked = Asked(manifest="m", group=None, models=(), seed=0, budget_seconds=120.0)
    measured = Measured(decoding=1.0, speeds=(), flops=1.0)
    state = AutoState(data="d", asked=asked, candidates=(), images=9, measured=measured, seconds=60.0)
    state.write(begun.folder)
    now = teachings(workspace, "zoo/drawings")[-1]
    assert 0.5 <= now.share < 0.9
    state.model_copy(update={"finished": "2026-01-01"}).write(begun.folder)
    assert teachings(workspace, "zoo/drawings")[-1].standing == "finished"


def test_to_forget_ends_it_and_leaves_nothing_of_it(workspace: Workspace) -> None:
    begun = begin(workspace)
    (workspace.root / "zoo" / ".cache").mkdir()
    assert set(forget(workspace, "zoo/drawings")) == {"zoo/models", "zoo/.cache"}
    assert sorted(path.name for path in (workspace.root / "zoo").iterdir()) == ["drawings", "studio.json"]
    assert teaching._process(begun.begun) is None


def test_a_damaged_record_is_left_out(workspace: Workspace) -> None:
    place = workspace.root / "zoo" / "models"
    place.mkdir()
    (place / "1.json").write_text("{")
    assert teachings(workspace, "zoo/drawings") == ()
    assert begin(workspace).name == "2"
