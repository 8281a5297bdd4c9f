"""Ticks in a curation file: one row an image, put in and taken out again, and nobody else's rows touched."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from dessin.collection.curation import Change, Curation, read_curation, write_curation
from dessin.errors import DessinError
from dessin.files import cache_folder, locked, sha256_bytes

# How the studio knows its own rows; whatever else is in the file was put there by a person or by `curate`.
MADE = "studio: "


def read_changes(path: Path) -> Mapping[str, Change]:
    """image_id → what the file says of it; empty where there is no file yet."""
    return {change.image_id: change for change in _read(path).changes}


def is_own(change: Change) -> bool:
    """Whether a tick made the row, so that a tick may take it out."""
    return change.action == "drop" and change.reason.startswith(MADE)


def tick(path: Path, image_id: str, reason: str) -> None:
    """Put a drop of the image into the file; the file is made where there is none.

    Raises:
        DessinError: the file already says something of the image, is damaged, or cannot be written.
    """
    with _alone(path):
        changes = read_changes(path)
        if image_id in changes:
            raise DessinError(
                f"{path} already has a row for {image_id}: {changes[image_id].action}.",
                do="Look at the page again; somebody else changed the file.",
            )
        _write(path, {**changes, image_id: Change(image_id, "drop", "", MADE + reason)})


def untick(path: Path, image_id: str) -> None:
    """Take out the row that a tick put in; without one nothing happens.

    Raises:
        DessinError: the row of the image is not a tick's, or the file is damaged or cannot be written.
    """
    with _alone(path):
        changes = dict(read_changes(path))
        change = changes.pop(image_id, None)
        if change is None:
            return
        if not is_own(change):
            raise DessinError(
                f"The row of {image_id} in {path} was not made here.", do="Change it in the file itself."
            )
        _write(path, changes)


def _read(path: Path) -> Curation:
    return read_curation(path) if path.exists() else Curation()


def _write(path: Path, changes: Mapping[str, Change]) -> None:
    write_curation(Curation(tuple(changes[image_id] for image_id in sorted(changes))), path)


def _alone(path: Path) -> AbstractContextManager[None]:
    """Two browser windows tick one after the other, each on what the file then holds."""
    return locked(cache_folder() / "studio" / f"{sha256_bytes(str(path).encode())[:32]}.lock")
