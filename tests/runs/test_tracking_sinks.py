"""Trackers that fail, die, hang or are not there: each is dropped with a reason, and no run is stopped."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from test_tracking_messages import a_record, a_row
from tracked_run import need, read_tensorboard

from dessin.runs.tracking import sinks as sinks_module
from dessin.runs.tracking.sinks import Sinks
from dessin.runs.tracking.worker import why


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    need("tensorboard")


def workers() -> list[psutil.Process]:
    """The trackers' processes that this one started."""
    marked = "dessin.runs.tracking.worker"
    return [child for child in psutil.Process().children() if marked in child.cmdline()]


def started(folder: Path) -> Sinks:
    sinks = Sinks(["tensorboard"], folder)
    sinks.start(a_record({}))
    return sinks


def ended(sinks: Sinks) -> tuple[object, str]:
    sinks.finish(a_record({}).changed(status="finished"))
    sinks.close()
    assert workers() == []
    return sinks.decision.value, sinks.decision.reason


def test_every_row_arrives_in_order_and_a_row_told_twice_is_there_once(tmp_path: Path) -> None:
    sinks = started(tmp_path)
    for epoch in (*range(50), 3, 49):
        sinks.epoch(1, a_row(epoch=epoch, train_loss=float(epoch)))
    assert ended(sinks)[0] == "tensorboard"
    assert read_tensorboard(tmp_path).points["train_loss"] == [(epoch, float(epoch)) for epoch in range(50)]


def test_no_call_waits_but_the_last(tmp_path: Path) -> None:
    """Rows are handed over while the process that writes them stands still."""
    sinks = started(tmp_path)
    (worker,) = workers()
    os.kill(worker.pid, signal.SIGSTOP)
    for epoch in range(100):
        sinks.epoch(1, a_row(epoch=epoch, train_loss=0.5))
    os.kill(worker.pid, signal.SIGCONT)
    assert ended(sinks)[0] == "tensorboard"
    assert len(read_tensorboard(tmp_path).points["train_loss"]) == 100


def test_a_process_that_dies_is_dropped(tmp_path: Path) -> None:
    sinks = started(tmp_path)
    (worker,) = workers()
    worker.kill()
    sinks.epoch(1, a_row())
    sinks.epoch(1, a_row(epoch=3))
    assert ended(sinks) == ("tensorboard failed", "tensorboard: its process ended with status -9")


def test_a_process_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks_module, "FIRST_SECONDS", 0.5)
    sinks = started(tmp_path)
    (worker,) = workers()
    os.kill(worker.pid, signal.SIGSTOP)
    monkeypatch.setattr(sinks_module, "_END_SECONDS", 0.2)
    before = time.monotonic()
    assert ended(sinks) == ("tensorboard failed", "tensorboard: it did not answer in time")
    assert time.monotonic() - before < 5.0
    assert not psutil.pid_exists(worker.pid)


def test_a_library_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "path" / "tensorboard").mkdir(parents=True)
    absent = 'raise ModuleNotFoundError("No module named \'tensorboard\'", name="tensorboard")\n'
    (tmp_path / "path" / "tensorboard" / "__init__.py").write_text(absent)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    value, reason = ended(started(tmp_path / "run"))
    assert value == "tensorboard failed"
    assert reason == "tensorboard: it is not installed: pip install 'dessin[track]'"


def test_a_broken_library_is_not_called_absent() -> None:
    error = ModuleNotFoundError("No module named 'google'", name="google")
    assert why(error, "tensorboard") == "ModuleNotFoundError: No module named 'google'"


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "tracking").write_text("a file where the folder should be")
    sinks = started(tmp_path)
    sinks.epoch(1, a_row())
    value, reason = ended(sinks)
    assert value == "tensorboard failed"
    assert "cannot be started" in reason


def test_a_state_file_that_is_damaged_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / "tensorboard.json").write_text("{")
    value, reason = ended(started(tmp_path))
    assert value == "tensorboard failed"
    assert "is not valid JSON" in reason
