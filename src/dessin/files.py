"""Files that are whole or absent: temp file, fsync, rename. Also digests, JSON, CSV, locks and the cache."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import psutil
from filelock import FileLock

from dessin.errors import DessinError, quoted
from dessin.progress import warn_once
from dessin.reading import open_regular
from dessin.system import sync

# Names that are written under for a moment, with the process that does.
TEMPORARY = r"\..+[.-](\d+)-[0-9a-f]{8}\.tmp"
# Some spreadsheets take the wide forms too.
_FORMULA = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling to write; on success it is synced and renamed to `path`, else removed.

    Works for a file or a folder (a folder must not exist under the final name).
    """
    if not path.name:
        raise DessinError(f"{path} names no new file.", do="Give it a name, and run again.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield temporary
        sync_tree(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        remove(temporary)


def _sweep(path: Path) -> None:
    """Remove what killed processes were writing for `path`."""
    for name in os.listdir(path.parent):
        found = re.fullmatch(TEMPORARY, name) if name.startswith(f".{path.name}.") else None
        if found and not psutil.pid_exists(int(found[1])):
            remove(path.parent / name)


def remove(path: Path) -> None:
    """Remove a file or a folder, where it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.parent.is_dir():
        path.unlink(missing_ok=True)


def sync_tree(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk."""
    if path.is_dir():
        for child in path.iterdir():
            sync_tree(child)
    sync(path)


def storage_error(path: Path, error: OSError) -> DessinError:
    """Why a path could not be written, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DessinError(
            f"The disk is full: {path} could not be written, and nothing was left under that name.",
            do="Free some space, or choose another --out, and run again.",
        )
    return DessinError(
        f"{path} could not be written: {error.strerror or error}.",
        do="Check that the folder exists and may be written to, then run again.",
    )


def write_bytes(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def json_text(value: object) -> str:
    """Sorted, indented and strict (no NaN), so that two writers give the same bytes and diffs read well."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write a value as `json_text` has it."""
    write_text(path, json_text(value))


def write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], *, comment: str = ""
) -> None:
    """A CSV with `\\n` line ends; `comment` becomes a first line that starts with `# `.

    Cells are exact, for programs join by them. Where a spreadsheet would take one for a formula, it is said.
    """
    start = f"# {comment}\n" if comment else ""
    kept = [tuple(row) for row in rows]
    write_text(path, start + csv_text(columns, kept))
    formula = next((cell for row in (columns, *kept) for cell in row if is_formula(cell)), None)
    if formula is not None:
        warn_once(
            "formulas",
            f"{path.name} holds a name that a spreadsheet takes for a formula: {quoted(formula)}. Import "
            "tables with every column as text, or rename what is called so.",
        )


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]], *, separator: str = ",") -> str:
    """What `write_csv` writes, with another separator where a file has one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", delimiter=separator)
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def is_formula(cell: object) -> bool:
    """Whether a spreadsheet would compute a cell: text with one of = + - @ before it that is no number."""
    if not isinstance(cell, str) or cell[:1] not in _FORMULA or len(cell) < 2:
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def stays_inside(name: str) -> bool:
    """Whether a stranger's name is a plain relative POSIX path that stays below a folder, on every system."""
    path = PurePosixPath(name)
    strange = name.startswith("/") or ".." in path.parts or {"\\", "\0", ":"} & set(name)
    return bool(path.parts) and not strange and path.as_posix() == name


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """The digest of a regular file; of a pipe, which would be waited for, an OSError."""
    with os.fdopen(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Mapping[str, object] | Sequence[object]) -> str:
    """The sha256 of a value's canonical JSON."""
    return sha256_bytes(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock in the cache for the block; freed by the system if the holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path, thread_local=False).acquire()
    except OSError as error:
        raise DessinError(
            f"The cache folder {path.parent} cannot be used: {error.strerror or error}.",
            do="Point DESSIN_CACHE at a folder that may be written to.",
        ) from error
    with held:
        yield


def cache_folder() -> Path:
    """Where derived data lives that all runs share: `$DESSIN_CACHE`, else `~/.cache/dessin`."""
    configured = os.environ.get("DESSIN_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "dessin"
