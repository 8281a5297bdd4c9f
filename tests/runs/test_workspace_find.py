"""The runs of a workspace: read from their records, whatever these are and whoever writes meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import made_record

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.reading import read_json
from dessin.runs import record as record_module
from dessin.runs.listing import find
from dessin.runs.listing.find import Workspace, read_workspace
from dessin.runs.record import FILE as RECORD
from dessin.runs.record import write_record
from dessin.system import made_up_places

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    for name in ("runs/a", "runs/b", "studies/colour/runs/gray-0-0", "deep/er/still"):
        write_record(folder / name, made_record(name))
    return folder


def paths(found: Workspace) -> list[str]:
    return [entry.path for entry in found.entries]


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The records that are read from their files from now on."""
    seen: list[str] = []
    genuine = record_module.read_record

    def counted(run: Path) -> record_module.RunRecord:
        seen.append(run.name)
        return genuine(run)

    monkeypatch.setattr(record_module, "read_record", counted)
    return seen


def test_runs_are_found_at_any_depth_and_studies_runs_too(workspace: Path) -> None:
    found = read_workspace(workspace)
    assert paths(found) == ["deep/er/still", "runs/a", "runs/b", "studies/colour/runs/gray-0-0"]
    assert found.notes == ()
    assert found.entries[0].values["recipe.optimizer.lr"] == 2e-4


def test_only_records_that_changed_are_read_again(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_workspace(workspace)
    seen = reads(monkeypatch)
    assert read_workspace(workspace) == first
    assert seen == []
    write_record(workspace / "runs/b", made_record("b", seed=7))
    shutil.rmtree(workspace / "runs/a")
    again = read_workspace(workspace)
    assert seen == ["b"]
    assert paths(again) == ["deep/er/still", "runs/b", "studies/colour/runs/gray-0-0"]
    assert again.entries[1].values["recipe.seed"] == 7


def test_a_record_replaced_by_one_of_the_same_size_and_time_is_read_again(workspace: Path) -> None:
    read_workspace(workspace)
    path = workspace / "runs/a" / RECORD
    before = path.stat()
    write_record(workspace / "runs/a", made_record("runs/a", seed=5))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert read_workspace(workspace).entries[1].values["recipe.seed"] == 5


def test_damaged_and_newer_records_are_entries_and_no_errors(workspace: Path) -> None:
    values = read_json(workspace / "runs/a" / RECORD)
    write_json(workspace / "runs/a" / RECORD, values | {"format": 99})
    (workspace / "runs/b" / RECORD).write_bytes(b'{"format": 1, "na')
    (workspace / "deep/er/still" / RECORD).write_text("[" * 100_000)
    for _ in range(2):
        found = {entry.path: entry for entry in read_workspace(workspace).entries}
        assert "newer dessin" in found["runs/a"].problem
        assert "not valid JSON" in found["runs/b"].problem
        assert found["deep/er/still"].problem
        assert not found["studies/colour/runs/gray-0-0"].problem


def test_hidden_runs_and_links_are_said_and_not_followed(workspace: Path, tmp_path: Path) -> None:
    write_record(workspace / ".a.123.tmp", made_record("hidden"))
    outside = tmp_path / "outside"
    write_record(outside / "run", made_record("run"))
    (workspace / "elsewhere").symlink_to(outside)
    (workspace / "again").symlink_to(workspace / "runs")
    (workspace / "circle").symlink_to(workspace)
    found = read_workspace(workspace)
    assert len(found.entries) == 4
    assert any("hidden" in note and ".a.123.tmp" in note for note in found.notes)
    assert any("elsewhere" in note and "again" not in note for note in found.notes)


def test_a_name_that_is_no_text_is_said(workspace: Path) -> None:
    strange = os.fsdecode(b"runs/\xff\xfe")
    (workspace / strange).mkdir()
    shutil.copy(workspace / "runs/a" / RECORD, workspace / strange / RECORD)
    found = read_workspace(workspace)
    assert len(found.entries) == 4
    assert "not UTF-8" in found.notes[0]


def test_where_the_system_shows_itself_is_not_looked_into(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "made_up_places", lambda: frozenset({str(workspace / "deep")}))
    found = read_workspace(workspace)
    assert paths(found) == ["runs/a", "runs/b", "studies/colour/runs/gray-0-0"]
    assert found.notes == ("Left out: 1 folder(s) in which the system shows itself: deep.",)
    assert found.folders == 8


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="Linux shows its processes below /proc")
def test_the_places_of_processes_and_devices_are_known() -> None:
    assert {"/proc", "/sys"} <= made_up_places()
    assert "/" not in made_up_places()


def test_so_many_folders_are_looked_into_and_no_more(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upper ones first: what lies deepest is left out, and that is said."""
    whole = read_workspace(workspace)
    assert whole.folders == 11
    monkeypatch.setattr(find, "MOST_FOLDERS", 11)
    assert read_workspace(workspace) == whole
    monkeypatch.setattr(find, "MOST_FOLDERS", 7)
    found = read_workspace(workspace)
    assert paths(found) == ["runs/a", "runs/b"]
    assert found.folders == 7
    assert "Only 7 folders were looked into, the upper ones first" in found.notes[0]


def test_a_workspace_that_is_none_is_refused(workspace: Path) -> None:
    with pytest.raises(DessinError, match="no folder"):
        read_workspace(workspace / "nowhere")
    with pytest.raises(DessinError, match="is a file"):
        read_workspace(workspace / "runs/a" / RECORD)


def test_listing_leaves_nothing_behind(workspace: Path) -> None:
    before = sorted(workspace.rglob("*"))
    read_workspace(workspace)
    assert sorted(workspace.rglob("*")) == before


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from made_runs import made_record
from dessin.runs.record import write_record
from dessin.system import made_up_places
from dessin.runs.listing.find import read_workspace

root, own = Path(sys.argv[1]), sys.argv[2]
for number in range(20):
    write_record(root / f"{own}-{number:02d}", made_record(seed=number))
    found = read_workspace(root)
    mine = {e.path: e.values["recipe.seed"] for e in found.entries if e.path.startswith(own)}
    assert mine == {f"{own}-{i:02d}": i for i in range(number + 1)}, mine
    assert not found.notes, found.notes
"""


def test_two_processes_that_write_and_list_at_once_lose_nothing(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    command = [sys.executable, "-c", WRITER, str(root)]
    here = str(Path(__file__).parents[1] / "kits")
    both = [subprocess.Popen([*command, own, here], stderr=subprocess.PIPE) for own in ("left", "right")]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    assert len(read_workspace(root).entries) == 40
