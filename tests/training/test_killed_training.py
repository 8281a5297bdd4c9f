"""SIGKILL at many moments, resume, and compare bytes: in real processes and, at every step, within one."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import TinyNet, final_bytes, in_a_process, make_data, make_settings, run_tiny

from dessin.training.checkpoint import Checkpoints

STEPS = 10


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # By an installed name: the server does not see pytest's search path. Training then starts in 0.1 s, not 3.
    context.set_forkserver_preload(["dessin.training.loop"])
    return context


@pytest.fixture(scope="module")
def unbroken(processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("unbroken")
    assert run_process(processes, folder, workers=0, resume=False, threads=2) == 0
    return (folder / "final.sha256").read_text()


def run_process(
    processes: ForkServerContext,
    folder: Path,
    *,
    workers: int,
    resume: bool,
    threads: int,
    die: tuple[str, int] | None = None,
) -> int | None:
    process = processes.Process(target=in_a_process, args=(str(folder), workers, resume, threads, die))
    process.start()
    process.join(60)
    return process.exitcode


# A checkpoint syncs model, optimiser, state and two folders, renames once, and then removes the older one.
@pytest.mark.parametrize(
    "die",
    [
        ("fsync", 1),
        ("replace", 1),
        ("fsync", 8),
        ("replace", 2),
        ("rmtree", 1),
        ("step", 1),
        ("step", 3),
        ("step", 5),
        ("rmtree", 5),
        ("replace", 6),
        ("replace", 7),
        ("replace", 8),
        ("unlink", 1),
        ("step", 6),
        ("rmtree", 8),
        ("replace", 14),
        ("step", 10),
    ],
    ids=lambda die: f"{die[0]}-{die[1]}",
)
def test_sigkill_then_resume_ends_with_the_same_bytes(
    die: tuple[str, int], processes: ForkServerContext, unbroken: str, tmp_path: Path
) -> None:
    killed = run_process(processes, tmp_path, workers=2, resume=False, threads=2, die=die)
    assert killed == -signal.SIGKILL
    assert not (tmp_path / "final.sha256").exists()
    # Two threads again, for a kill before the first checkpoint leaves no word of how many there were.
    assert run_process(processes, tmp_path, workers=3, resume=True, threads=2) == 0
    assert (tmp_path / "final.sha256").read_text() == unbroken
    left = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert left == {f"step-{STEPS:08d}", f"best-{STEPS:08d}.safetensors"}
