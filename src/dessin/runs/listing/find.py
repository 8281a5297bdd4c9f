"""The runs below a folder, found by their records without following links, and what each record says."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from dessin.errors import DessinError
from dessin.folders import is_held
from dessin.page.numbers import listed
from dessin.runs import record as run_record
from dessin.runs.listing.keys import Flat, flatten
from dessin.runs.origin import Origin
from dessin.system import made_up_places

_NAMED = 4
# A home has fewer and a disk more; a minute of looking at the slowest of disks.
MOST_FOLDERS = 50_000
# The status of a run that was killed: its record says running, and nobody works on it.
STOPPED = "stopped"
# Why something is left out.
_HIDDEN = "run(s) in hidden folders, which a stopped program leaves"
_OUTSIDE = "link(s) out of the workspace, not followed"
_CLOSED = "folder(s) that may not be read"
_UNNAMED = "run(s) with names that are not UTF-8"
_MADE_UP = "folder(s) in which the system shows itself"
_REMEMBERED = 5000


@dataclass(frozen=True)
class Found:
    """A run folder (POSIX, relative to the workspace) and a stamp that changes whenever its record does."""

    path: str
    stamp: str


@dataclass(frozen=True)
class Entry:
    """A run's folder (POSIX, relative to the workspace) and its flat record, or what is wrong with it."""

    path: str
    values: Flat
    problem: str = ""


@dataclass(frozen=True)
class Workspace:
    """Every run below `root`, sorted by path; `notes` are lines about what was left out.

    `folders` is how many were looked into.
    """

    root: Path
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    folders: int = 0


def read_workspace(workspace: str | Path) -> Workspace:
    """Find the runs below a folder and read their records.

    Raises:
        DessinError: no such folder, or one that may not be read.
    """
    root = Path(workspace).resolve()
    seen = find_records(root)
    entries = tuple(_stopped(root, _read(root, run)) for run in seen.found)
    return Workspace(root, entries, seen.notes, seen.folders)


def _stopped(root: Path, entry: Entry) -> Entry:
    """A run is marked running until it ends; where no process works on it, it was stopped before that."""
    if entry.values.get("status") != "running" or is_held(root / entry.path):
        return entry
    return replace(entry, values={**entry.values, "status": STOPPED})


# The studio lists again at every click; a record that has not changed is read once.
@lru_cache(maxsize=_REMEMBERED)
def _read(root: Path, run: Found) -> Entry:
    """The entry of one run; whatever its record is, this is no error."""
    try:
        values = flatten(run_record.read_record(root / run.path).model_dump(mode="json"))
        origin = Origin.find(root / run.path)
        known = {} if origin is None else {"origin.who": origin.who, "origin.machine": origin.machine}
        return Entry(run.path, values | known)
    except (DessinError, OSError, RecursionError) as error:
        return Entry(run.path, {}, str(error))


@dataclass(frozen=True)
class Records:
    """Run folders, sorted; how many folders were looked into, and lines about those that were not."""

    found: tuple[Found, ...]
    folders: int
    notes: tuple[str, ...]


def find_records(root: Path) -> Records:
    """Every run folder below `root`, the upper ones first up to `MOST_FOLDERS`.

    A folder with a record is a run, and nothing below it is another. Hidden folders are what a stopped
    program leaves, so a run in one is counted and no more; links are followed nowhere, and those that lead
    out of the workspace are said.
    """
    try:
        os.scandir(root).close()
    except FileNotFoundError:
        raise DessinError(f"There is no folder {root}.", do="Check the path.") from None
    except NotADirectoryError:
        raise DessinError(f"{root} is a file, and a workspace is a folder.", do="Name the folder.") from None
    except OSError as error:
        raise DessinError(f"{root} cannot be read: {error.strerror}.") from None
    walk = _Walk(root)
    walk.go()
    notes = tuple(
        f"Left out: {len(paths)} {reason}: {listed(sorted(paths), most=_NAMED)}."
        for reason, paths in walk.left_out.items()
        if paths
    )
    if walk.more:
        notes += (
            f"Only {walk.folders:,} folders were looked into, the upper ones first: for what lies below the "
            "others, name a folder further down.",
        )
    return Records(tuple(sorted(walk.found, key=lambda found: found.path)), walk.folders, notes)


class _Walk:
    """Goes through the folders below `root`; `left_out` are paths by the reason why.

    `folders` were looked into, and there are `more`.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._made_up = root, made_up_places()
        self.found: list[Found] = []
        self.folders, self.more = 0, False
        self.left_out: dict[str, list[str]] = {
            reason: [] for reason in (_HIDDEN, _OUTSIDE, _CLOSED, _UNNAMED, _MADE_UP)
        }

    def go(self) -> None:
        """Breadth first, so that the bound leaves out what lies deepest."""
        waiting = deque([""])
        while waiting and self.folders < MOST_FOLDERS:
            self.folders += 1
            waiting += self._look(waiting.popleft())
        self.more = bool(waiting)

    def _look(self, path: str) -> list[str]:
        """Keep a folder that is a run; the folders in any other that are to be looked into."""
        try:
            with os.scandir(self._root / path) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
            record = next((entry for entry in entries if _is_record(entry)), None)
            if record is None:
                return [inner for entry in entries if (inner := self._inner(path, entry))]
            self._keep(path or ".", record)
        except OSError:
            self.left_out[_CLOSED].append(path)
        return []

    def _keep(self, path: str, record: os.DirEntry[str]) -> None:
        """A run whose name has no spelling in UTF-8 could not be printed."""
        try:
            path.encode()
        except UnicodeEncodeError:
            self.left_out[_UNNAMED].append(path.encode("utf-8", "backslashreplace").decode())
            return
        status = record.stat(follow_symlinks=False)
        self.found.append(Found(path, f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"))

    def _inner(self, parent: str, entry: os.DirEntry[str]) -> str:
        """The path of a folder to look into, or nothing."""
        path = f"{parent}/{entry.name}" if parent else entry.name
        if entry.is_symlink():
            if entry.is_dir() and not Path(entry.path).resolve().is_relative_to(self._root):
                self.left_out[_OUTSIDE].append(path)
        elif entry.is_dir(follow_symlinks=False):
            if entry.path in self._made_up:
                self.left_out[_MADE_UP].append(path)
            elif not entry.name.startswith("."):
                return path
            elif (self._root / path / run_record.FILE).is_file():
                self.left_out[_HIDDEN].append(path)
        return ""


def _is_record(entry: os.DirEntry[str]) -> bool:
    return entry.name == run_record.FILE and entry.is_file(follow_symlinks=False)
