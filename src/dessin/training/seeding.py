"""Make torch's own arithmetic and draws a function of (seed, step), and put everything back afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

from dessin.randomness import derive

_DEBUGGING: Any = torch.utils.deterministic


@contextmanager
def reproducible(device: torch.device, threads: int) -> Iterator[None]:
    """Within the block, equal inputs give equal bytes: fixed threads, deterministic kernels, own generator.

    The number of threads is part of it, for it decides in which order floats are summed.
    """
    if device.type == "cuda":
        # Read by cuBLAS when it starts; without it, its sums may differ from call to call.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        _DEBUGGING.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
    )
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        try:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True, warn_only=True)
            # A debugging aid that writes every new tensor twice.
            _DEBUGGING.fill_uninitialized_memory = False
            torch.backends.cudnn.benchmark = False
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1], warn_only=before[2])
            _DEBUGGING.fill_uninitialized_memory = before[3]
            torch.backends.cudnn.benchmark = before[4]


def seed_step(seed: int, step: int) -> None:
    """Dropout and drop-path of this step depend on (seed, step) alone, not on what ran before."""
    torch.manual_seed(derive(seed, "step", step))
