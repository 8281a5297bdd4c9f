"""SIGKILL at many moments, resume, and compare bytes, in real processes."""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from tiny_training import EVERYTHING, in_a_process

pytestmark = pytest.mark.slow

STEPS = 10


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # What training imports, by installed names, so that a process starts in 0.1 s and not in 5.
    context.set_forkserver_preload(["dessin.training.loop", "torch._dynamo", "torch._inductor"])
    return context


@pytest.fixture(scope="module")
def unbroken(processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("unbroken")
    assert run_process(processes, folder, workers=0, resume=False) == 0
    return (folder / "final.sha256").read_text()


def run_process(
    processes: ForkServerContext,
    folder: Path,
    *,
    workers: int,
    resume: bool,
    threads: int = 1,
    die: tuple[str, int] | None = None,
    settings: dict[str, Any] | None = None,
) -> int | None:
    arguments = (str(folder), workers, resume, threads, die, settings)
    process = processes.Process(target=in_a_process, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode


def workers_of(die: tuple[str, int]) -> tuple[int, int]:
    """How many processes read before it dies and when it goes on: some where it dies in a step."""
    return (2, 3) if die[0] == "step" else (0, 0)


# A checkpoint syncs model, optimiser, state and two folders, renames once, and then removes the older one.
@pytest.mark.parametrize(
    "die",
    [
        ("fsync", 1),
        ("replace", 1),
        ("rmtree", 1),
        ("step", 1),
        ("step", 5),
        ("rmtree", 5),
        ("replace", 7),
        ("replace", 8),
        ("unlink", 1),
        ("rmtree", 8),
        ("replace", 14),
        ("step", 10),
    ],
    ids=lambda die: f"{die[0]}-{die[1]}",
)
def test_sigkill_then_resume_ends_with_the_same_bytes(
    die: tuple[str, int], processes: ForkServerContext, unbroken: str, tmp_path: Path
) -> None:
    before, after = workers_of(die)
    assert run_process(processes, tmp_path, workers=before, resume=False, die=die) == -signal.SIGKILL
    assert not (tmp_path / "final.sha256").exists()
    assert run_process(processes, tmp_path, workers=after, resume=True) == 0
    assert (tmp_path / "final.sha256").read_text() == unbroken
    left = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert left == {f"step-{STEPS:08d}", f"best-{STEPS:08d}.safetensors"}


def test_sigkill_from_outside_while_a_checkpoint_is_half_written(
    processes: ForkServerContext, unbroken: str, tmp_path: Path
) -> None:
    # It stops itself in the middle of its fourth checkpoint, so that the moment cannot be missed.
    stopped = (str(tmp_path), 1, False, 1, ("fsync", 17), None, signal.SIGSTOP)
    process = processes.Process(target=in_a_process, args=stopped)
    process.start()
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("checkpoint/.step-*.tmp/model.safetensors")):
        assert time.monotonic() < deadline
        assert process.is_alive()
    process.kill()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert run_process(processes, tmp_path, workers=0, resume=True) == 0
    assert (tmp_path / "final.sha256").read_text() == unbroken


def test_a_resumed_run_takes_over_the_number_of_threads(processes: ForkServerContext, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run_process(processes, whole, workers=0, resume=False, threads=2) == 0
    run_process(processes, broken, workers=0, resume=False, threads=2, die=("step", 7))
    assert run_process(processes, broken, workers=0, resume=True, threads=1) == 0
    assert (broken / "final.sha256").read_text() == (whole / "final.sha256").read_text()
    state = json.loads((broken / f"checkpoint/step-{STEPS:08d}/state.json").read_text())
    assert state["threads"] == 2


@pytest.fixture(scope="module")
def everything(processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("everything")
    assert run_process(processes, folder, workers=0, resume=False, settings=EVERYTHING) == 0
    state = json.loads((folder / "checkpoint/step-00000015/state.json").read_text())
    assert [row["averaged"] for row in state["curve"]] == [0, 0, 0, 2]
    return (folder / "final.sha256").read_text()


# 15 steps; a checkpoint syncs model, optimiser, averages, state and two folders.
@pytest.mark.parametrize(
    "die",
    [("step", 1), ("step", 4), ("step", 6), ("step", 9), ("step", 13), ("replace", 9), ("replace", 19),
     ("rmtree", 15), ("fsync", 100), ("fsync", 111)],
    ids=lambda die: f"{die[0]}-{die[1]}",
)  # fmt: skip
def test_with_every_ingredient_on_sigkill_and_resume_end_with_the_same_bytes(
    die: tuple[str, int], processes: ForkServerContext, everything: str, tmp_path: Path
) -> None:
    settings = EVERYTHING
    before, after = workers_of(die)
    assert run_process(processes, tmp_path, workers=before, resume=False, die=die, settings=settings) == -9
    assert run_process(processes, tmp_path, workers=after, resume=True, settings=settings) == 0
    assert (tmp_path / "final.sha256").read_text() == everything


def test_with_every_ingredient_on_the_seed_decides(
    processes: ForkServerContext, everything: str, tmp_path: Path
) -> None:
    for seed, same in ((7, True), (8, False)):
        folder = tmp_path / str(seed)
        settings = {**EVERYTHING, "seed": seed}
        assert run_process(processes, folder, workers=0, resume=False, settings=settings) == 0
        assert ((folder / "final.sha256").read_text() == everything) == same
