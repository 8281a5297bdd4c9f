"""One process at a time works on a run folder: a lock on the folder itself, freed when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dessin.errors import DessinError


@contextmanager
def hold(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a run folder for the block.

    Raises:
        DessinError: another process holds it, and `wait` is false.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder, wait=wait)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DessinError(
            f"Another process is working on the run {folder} now.",
            do="Wait until it ends, or stop it and then use --resume.",
        ) from None
