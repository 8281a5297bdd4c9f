"""Worker processes: one a device, replaced when they die, gone when they are left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from study_kit import TINY, Inline, study_file
from tiny_run import make_drawings, make_tiny_split

from dessin.errors import DessinError
from dessin.runs.executors import local
from dessin.runs.executors.job import JobSpec
from dessin.runs.executors.local import LocalExecutor
from dessin.runs.executors.record import ended_job
from dessin.runs.record import read_record
from dessin.studies import verb as carry_out
from dessin.studies.verb import study

pytestmark = pytest.mark.slow

# A worker without training: it ends jobs at once, dies of some, and never answers others.
_FAKE = """
import json, os, signal, sys
for line in sys.stdin:
    job = json.loads(line)
    name = job["name"]
    open(os.path.join(job["home"], "pids"), "a").write(f"{os.getpid()} {name}\\n")
    if name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("quits"):
        sys.exit(3)
    if name.startswith("waits"):
        continue
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "") + " " + os.environ["OMP_NUM_THREADS"]
    print(json.dumps({"job": name, "status": "finished", "seconds": 1.0, "host": seen}), flush=True)
"""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_COMMAND", (sys.executable, "-c", _FAKE))


def specs(study: Path, *names: str) -> list[JobSpec]:
    study.mkdir(exist_ok=True)
    return [JobSpec(name, TINY, study, study, study, threads=3) for name in names]


def pids(study: Path) -> dict[str, int]:
    lines = (study / "pids").read_text().splitlines()
    return {line.split()[1]: int(line.split()[0]) for line in lines}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_worker_does_all_jobs_in_order(fake: None, tmp_path: Path) -> None:
    records = list(LocalExecutor(["cpu"]).run(specs(tmp_path, "a", "b", "c")))
    assert [record.job for record in records] == ["a", "b", "c"]
    assert {record.host.split()[-1] for record in records} == {"3"}
    assert len(set(pids(tmp_path).values())) == 1
    assert not alive(pids(tmp_path)["a"])
    assert list(LocalExecutor(["cpu"]).run([])) == []


def test_each_device_has_a_worker_of_its_own(fake: None, tmp_path: Path) -> None:
    records = list(LocalExecutor(["4", "7"]).run(specs(tmp_path, *(f"j{i}" for i in range(20)))))
    assert sorted(record.job for record in records) == sorted(f"j{i}" for i in range(20))
    assert {record.host for record in records} <= {"4 3", "7 3"}
    assert len(set(pids(tmp_path).values())) <= 2


@pytest.mark.parametrize(
    ("bad", "why"), [("killed", "signal 9, perhaps for it was out of memory"), ("quits", "ended with code 3")]
)
def test_a_worker_that_dies_costs_its_job_alone(bad: str, why: str, fake: None, tmp_path: Path) -> None:
    records = list(LocalExecutor(["cpu"]).run(specs(tmp_path, "a", bad, "b", f"{bad}-too", "c")))
    assert [(record.job, record.status) for record in records] == [
        ("a", "finished"),
        (bad, "failed"),
        ("b", "finished"),
        (f"{bad}-too", "failed"),
        ("c", "finished"),
    ]
    assert why in records[1].reason
    assert ended_job(tmp_path, bad) == records[1]
    assert len(set(pids(tmp_path).values())) == 3


def test_leaving_early_ends_the_workers_and_blames_no_job(fake: None, tmp_path: Path) -> None:
    running = LocalExecutor(["cpu"]).run(specs(tmp_path, "a", "waits", "b"))
    assert next(running).job == "a"
    running.close()  # type: ignore[attr-defined]
    assert not any(alive(pid) for pid in pids(tmp_path).values())
    assert not (tmp_path / "jobs" / "waits.json").exists()


def test_no_process_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_COMMAND", (str(tmp_path / "no-such-python"),))
    with pytest.raises(DessinError, match="No process for the jobs"):
        list(LocalExecutor(["cpu"]).run(specs(tmp_path, "a")))


_STUDY = """
import sys, torch
torch.set_num_threads(1)
from dessin.studies.verb import study
study(sys.argv[1], data=sys.argv[2], split=sys.argv[3], out=sys.argv[4])
"""


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"the study ended with {process.wait(0.02)} before it could be killed")


def timeless(folder: Path) -> str:
    values = json.loads((folder / "results.json").read_text())
    del values["finished"]
    for level in values["levels"]:
        del level["seconds"]
    return json.dumps(values)


def test_a_study_killed_in_the_middle_ends_like_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL to the study, while a real worker trains: the finished job stays as it is, byte for byte."""
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "cache"))
    data = make_drawings(tmp_path / "data")
    split = make_tiny_split(data, tmp_path / "split.csv")
    # The second level trains for so long that it cannot end before the kill.
    levels = {"short": {}, "long": {"train": {"epochs": 15}, "optimizer": {"lr": 1e-4}}}
    file, out = study_file(tmp_path / "s.yaml", levels=levels), tmp_path / "killed"
    command = [sys.executable, "-c", _STUDY, str(file), str(data), str(split), str(out)]
    done, under_way = out / "jobs" / "short-seed0-fold0.json", out / "runs" / "long-seed0-fold0"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True) as process:
        until((under_way / "checkpoint").exists, process)
        process.send_signal(signal.SIGKILL)
    before = done.read_bytes(), done.stat().st_mtime_ns
    assert not (out / "results.json").exists()

    torch.set_num_threads(1)
    study(file, data=data, split=split, out=out)
    assert (done.read_bytes(), done.stat().st_mtime_ns) == before
    assert len(read_record(out / "runs" / "short-seed0-fold0").started) == 1
    resumed = read_record(under_way)
    assert len(resumed.started) == 2

    monkeypatch.setattr(carry_out, "LocalExecutor", Inline)
    study(file, data=data, split=split, out=tmp_path / "whole")
    assert timeless(out) == timeless(tmp_path / "whole")
    whole = read_record(tmp_path / "whole" / "runs" / "long-seed0-fold0")
    assert whole.digests.model == resumed.digests.model
