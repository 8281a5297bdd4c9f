"""A folder as plain bytes, to be sent from one machine to another, and laid down where nothing can escape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from dessin.errors import DessinError


def pack(folder: Path) -> dict[str, bytes]:
    """Every regular file below `folder` by its relative POSIX path; links are left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files below `folder`, which is made.

    Raises:
        DessinError: a name that is not a plain path below the folder; nothing is written then.
    """
    for name in files:
        _check(name)
    folder.mkdir(parents=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _check(name: str) -> None:
    parts = PurePosixPath(name).parts
    plain = parts and not name.startswith("/") and ".." not in parts and not {"\\", "\0", ":"} & set(name)
    if not plain or PurePosixPath(name).as_posix() != name:
        raise DessinError(f"A file sent by a node has the name {name!r}, which is not inside its run folder.")
