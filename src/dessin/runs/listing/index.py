"""The runs below a folder, and an index that makes listing them again quick.

The files are the truth. The index is a SQLite file in the workspace, derived from the records and keyed by
each one's time, size and inode: it may be deleted at any time, and one that is damaged, foreign, locked or
not writable costs time and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from dessin.errors import DessinError
from dessin.runs.listing.find import Found, find_records
from dessin.runs.listing.flat import Flat, Value, flatten

INDEX = ".dessin-index.sqlite"
_TABLE = "CREATE TABLE runs (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID"
# Raised when `flatten` changes what it gives, so that older rows are read anew.
_FLAT = 1
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Entry:
    """A run's folder (POSIX, relative to the workspace) and its flat record, or what is wrong with it."""

    path: str
    values: Flat
    problem: str = ""


@dataclass(frozen=True)
class Workspace:
    """Every run below `root`, sorted by path; `notes` are lines about what was left out or went wrong."""

    root: Path
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


def read_workspace(workspace: str | Path) -> Workspace:
    """Find the runs below a folder; records that the index knows unchanged are not read again.

    Raises:
        DessinError: no such folder, or one that may not be read.
    """
    root = Path(workspace).resolve()
    found, notes = find_records(root)
    reader = f"{_FLAT}:{version('dessin')}"
    stamped = [Found(run.path, f"{reader}:{run.stamp}") for run in found]
    known, trouble = _recall(root / INDEX)
    entries, fresh = [], []
    for run in stamped:
        stamp, entry = known.get(run.path, ("", None))
        if entry is None or stamp != run.stamp:
            entry = _read(root, run.path)
            fresh.append((run, entry))
        entries.append(entry)
    gone = known.keys() - {run.path for run in stamped}
    if not trouble and (fresh or gone):
        trouble = _remember(root / INDEX, fresh, sorted(gone))
    return Workspace(root, tuple(entries), (*notes, trouble) if trouble else notes)


def _read(root: Path, path: str) -> Entry:
    """The entry of one run; whatever its record is, this is no error."""
    # Imported here: the recipe brings torch, and a list that the index knows needs none.
    from dessin.runs.record import read_record

    try:
        return Entry(path, flatten(read_record(root / path).model_dump(mode="json")))
    except (DessinError, OSError, RecursionError) as error:
        return Entry(path, {}, str(error))


def _recall(path: Path) -> tuple[dict[str, tuple[str, Entry]], str]:
    """What the index knows, path → (stamp, entry), and why it cannot be used (or nothing).

    An index that is damaged, or that another program or version wrote, is removed.
    """
    if not path.exists():
        return {}, ""
    try:
        with _transaction(path, "DEFERRED") as index:
            schema = index.execute("SELECT sql FROM sqlite_master").fetchall()
            if not schema:
                return {}, ""
            if schema != [(_TABLE,)]:
                raise sqlite3.DatabaseError("it is not an index of this version")
            rows = index.execute("SELECT path, stamp, record FROM runs").fetchall()
        return {name: (stamp, _unpack(name, record)) for name, stamp, record in rows}, ""
    except sqlite3.OperationalError as error:
        return {}, _unusable(error)
    except (sqlite3.DatabaseError, ValueError):
        return {}, _remove(path)


def _remember(path: Path, fresh: Sequence[tuple[Found, Entry]], gone: Sequence[str]) -> str:
    """Put what was read into the index, in one transaction; why that was not possible, or nothing."""
    rows = [(run.path, run.stamp, _pack(entry)) for run, entry in fresh]
    try:
        # A writer from the start: a reader that turns writer beside another could only give up.
        with _transaction(path, "IMMEDIATE") as index:
            if not index.execute("SELECT 1 FROM sqlite_master").fetchone():
                index.execute(_TABLE)
            index.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", rows)
            index.executemany("DELETE FROM runs WHERE path = ?", [(name,) for name in gone])
    except sqlite3.OperationalError as error:
        return _unusable(error)
    except sqlite3.DatabaseError:
        return _remove(path)
    return ""


@contextmanager
def _transaction(path: Path, kind: str) -> Iterator[sqlite3.Connection]:
    """One short transaction; others wait for it rather than fail."""
    if path.is_symlink():
        raise sqlite3.OperationalError("it is a link")
    index = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
    try:
        index.execute("PRAGMA trusted_schema = OFF")
        index.execute(f"BEGIN {kind}")
        yield index
        index.execute("COMMIT")
    finally:
        index.close()


def _pack(entry: Entry) -> str:
    return json.dumps({"values": entry.values, "problem": entry.problem}, ensure_ascii=False)


def _unpack(path: str, record: str) -> Entry:
    """Raises ValueError where the text is not what `_pack` wrote."""
    packed = json.loads(record)
    if not isinstance(packed, dict) or not isinstance(packed.get("values"), dict):
        raise ValueError(path)
    values: dict[str, Value] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in packed["values"].items()
    }
    return Entry(path, values, str(packed.get("problem", "")))


def _unusable(error: Exception) -> str:
    return f"The index {INDEX} cannot be used ({error}), so every record was read: slower, and the same list."


def _remove(path: Path) -> str:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return _unusable(error)
    return ""
