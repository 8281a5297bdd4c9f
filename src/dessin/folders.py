"""Folders of results: one process at a time writes one; it appears whole, or the same command goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dessin.errors import DessinError
from dessin.files import TEMPORARY, remove, storage_error, sync_tree
from dessin.places import check_writable
from dessin.progress import on_stop
from dessin.system import sync

_LOCK = ".lock"
# What is being written, and what is whole and only has to be moved up, each below the folder that gets it.
_PART, _WHOLE = ".dessin-part", ".dessin-whole"
# A look at the lock, as `is_held` takes, is over by then.
_GLANCE_S = 0.2
_NAMED = 3


@contextmanager
def result_folder(path: Path, *, what: str) -> Iterator[Path]:
    """Yield a new folder to write into; once the block ends, `path` holds all that is in it.

    It lies hidden below `path`, so that nothing is seen there before all is. After an error or Ctrl-C `path`
    is as it was before; a part that a killed process left is removed by whoever writes there next.

    Raises:
        DessinError: `path` holds something, is a file or cannot be written; another process writes it now.
    """
    check_writable(path, "folder")
    part = path / _PART
    with hold(path, wait=False):
        with _storing(path):
            _publish(path)
        claim_folder(path, what=what)
        with _storing(path):
            remove(part)
            part.mkdir()
        try:
            with on_stop(f"Nothing of {what} is kept in {path}: the same command begins it anew."):
                yield part
            with _storing(path):
                sync_tree(part)
                part.replace(path / _WHOLE)
                sync(path)
                _publish(path)
        finally:
            remove(part)


def final_place(path: Path) -> Path:
    """Where what is written at `path` will lie, once the results that it is a part of are whole."""
    return Path(*(part for part in path.parts if part not in (_PART, _WHOLE)))


def is_finished(path: Path) -> bool:
    """Whether a folder that `result_folder` writes holds its result.

    Raises:
        DessinError: another process writes it now.
    """
    if not path.is_dir():
        return False
    with hold(path, wait=False), _storing(path):
        _publish(path)
        return bool(contents(path))


def _publish(path: Path) -> None:
    """Move up what is whole; a process that was killed while it did leaves that to the next one."""
    whole = path / _WHOLE
    if whole.is_dir():
        for entry in sorted(whole.iterdir()):
            entry.replace(path / entry.name)
        whole.rmdir()
        sync(path)


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


@contextmanager
def hold(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a folder that one process at a time works on, for the block, by a lock file in it.

    It is made where it is missing, and then removed if nothing came into it. If the holder dies, the system
    frees it.

    Raises:
        DessinError: another process holds it, and `wait` is false; it cannot be made or written.
    """
    if folder.is_file():
        raise DessinError(f"{folder} is a file, and a folder is needed.", do="Choose another --out.")
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, thread_local=False)
        held = lock.acquire() if wait else lock.acquire(timeout=_GLANCE_S, poll_interval=_GLANCE_S / 4)
    except Timeout:
        raise DessinError(
            f"Another process is writing {folder} now.",
            do="Wait until it ends, or stop it and give the same command again.",
        ) from None
    except OSError as error:
        raise storage_error(folder, error) from error
    with held:
        try:
            yield
        finally:
            # While it is held: whoever waits for it then sees that the file is gone, and makes a new one.
            with suppress(OSError):
                (folder / _LOCK).unlink()
                if new:
                    folder.rmdir()


@contextmanager
def going_on(folder: Path, *, keeps: str) -> Iterator[None]:
    """Hold a folder in which the same command goes on; Ctrl-C says that, and what it `keeps`.

    Raises:
        DessinError: as `hold`, which does not wait.
    """
    with (
        hold(folder, wait=False),
        on_stop(f"{keeps} is kept in {folder}: the same command goes on from there."),
    ):
        yield


def is_held(folder: Path) -> bool:
    """Whether a process works on the folder now; one that was killed leaves the lock file, and no lock."""
    lock = folder / _LOCK
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, thread_local=False).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:
        # Of another user, or on a disk that may only be read: nobody can tell, so the record stands.
        return True


def contents(folder: Path) -> list[str]:
    """The names of what lies in a folder, but for locks, temporary names and a part that was not finished."""
    names = (entry.name for entry in folder.iterdir())
    return sorted(name for name in names if name not in (_LOCK, _PART) and not re.fullmatch(TEMPORARY, name))


def claim_folder(path: Path, *, what: str) -> None:
    """Make a new folder for results; one that exists with something in it is refused."""
    check_writable(path, "folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        found = contents(path)
    except OSError as error:
        raise storage_error(path, error) from error
    if found:
        raise DessinError(
            f"The folder {path} already exists and is not empty, so {what} is not written there: it holds "
            f"{', '.join(found[:_NAMED])}{', ..' if len(found) > _NAMED else ''}.",
            do="If that is the result, it is whole. Choose another --out, or move the folder away.",
        )
