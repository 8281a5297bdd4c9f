"""Marks in a curation file: a drawing set aside, used all the same, or called otherwise, and back again.

A mark is a row whose reason says that the studio made it, and which row of somebody else it stands for, so
that to take it back leaves the file as it was.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import get_args

from dessin.collection.curation import Action, Change, Curation, read_curation, write_curation
from dessin.errors import DessinError
from dessin.files import cache_folder, locked, sha256_bytes

# How the studio knows its own rows; whatever else is in the file was put there by a person or by `curate`.
MADE = "studio: "
_BEFORE, _END = " [instead of ", "]"

Rows = Mapping[str, Change | None]


def read_changes(path: Path) -> Mapping[str, Change]:
    """image_id → what the file says of it; empty where there is no file yet."""
    changes = read_curation(path).changes if path.exists() else ()
    return {change.image_id: change for change in changes}


def is_own(change: Change) -> bool:
    """Whether the studio made the row."""
    return change.reason.startswith(MADE)


def reason_of(change: Change) -> str:
    """The reason for people: without what the studio knows its rows by."""
    return change.reason.removeprefix(MADE).partition(_BEFORE)[0]


def is_aside(change: Change | None) -> bool:
    """Whether the drawing is set aside."""
    return change is not None and change.action == "drop"


def set_aside(path: Path, image_ids: Collection[str], reason: str, *, seen: Rows) -> Rows:
    """Set drawings aside: what the studio only kept in spite of somebody's row is left to that row again.

    Returns and raises as `mark`.
    """
    back = [image_id for image_id in image_ids if _was_aside(seen.get(image_id))]
    rows = dict(unmark(path, back, seen={each: seen.get(each) for each in back})) if back else {}
    drop: tuple[Action, str, str] = ("drop", "", reason)
    others = {image_id: drop for image_id in image_ids if image_id not in back}
    return {**rows, **mark(path, others, seen={each: seen.get(each) for each in others})}


def _was_aside(change: Change | None) -> bool:
    return change is not None and is_own(change) and change.action == "keep" and is_aside(_replaced(change))


def mark(path: Path, wanted: Mapping[str, tuple[Action, str, str]], *, seen: Rows) -> Rows:
    """Mark drawings: image_id → action, label and reason; `seen` is what the page knew of them.

    Returns:
        The rows that are there now, for `turn_back`.

    Raises:
        DessinError: somebody else has changed one of them since.
    """
    with alone(path):
        changes = dict(read_changes(path))
        _check_seen(path, changes, seen)
        for image_id, (action, label, reason) in wanted.items():
            changes[image_id] = _marked(changes.get(image_id), image_id, action, label, reason)
        _write(path, changes)
    return {image_id: changes[image_id] for image_id in wanted}


def unmark(path: Path, image_ids: Collection[str], *, seen: Rows) -> Rows:
    """Use drawings again: the studio's own marks are taken back, and what others set aside is kept.

    Returns and raises as `mark`.
    """
    with alone(path):
        changes = dict(read_changes(path))
        _check_seen(path, changes, seen)
        for image_id in image_ids:
            _unmark(changes, image_id)
        _write(path, changes)
    return {image_id: changes.get(image_id) for image_id in image_ids}


def turn_back(path: Path, before: Rows, after: Rows) -> None:
    """Put the rows of `before` in the place of those of `after`.

    Raises:
        DessinError: somebody else has changed one of them since.
    """
    with alone(path):
        changes = dict(read_changes(path))
        _check_seen(path, changes, after)
        for image_id, change in before.items():
            changes.pop(image_id, None)
            if change is not None:
                changes[image_id] = change
        _write(path, changes)


def forget_rows(path: Path, image_ids: frozenset[str]) -> int:
    """Take out every row of these drawings; how many there were."""
    if not path.exists():
        return 0
    with alone(path):
        changes = read_changes(path)
        kept = {image_id: change for image_id, change in changes.items() if image_id not in image_ids}
        if len(kept) < len(changes):
            _write(path, kept)
    return len(changes) - len(kept)


def alone(path: Path) -> AbstractContextManager[None]:
    """Two browser windows change a file one after the other, each what it then holds."""
    return locked(cache_folder() / "studio" / f"{sha256_bytes(str(path).encode())[:32]}.lock")


def _marked(before: Change | None, image_id: str, action: Action, label: str, reason: str) -> Change:
    if before is not None and is_own(before):
        before = _replaced(before)
    text = MADE + reason
    if before is not None:
        text += (
            f"{_BEFORE}{json.dumps([before.action, before.label, before.reason], ensure_ascii=False)}{_END}"
        )
    return Change(image_id, action, label, text)


def _unmark(changes: dict[str, Change], image_id: str) -> None:
    change = changes.get(image_id)
    if change is None:
        return
    if is_own(change):
        del changes[image_id]
        before = _replaced(change)
        if before is not None:
            changes[image_id] = before
    elif change.action == "drop":
        changes[image_id] = _marked(change, image_id, "keep", "", "it is used all the same")


def _replaced(change: Change) -> Change | None:
    """The row of somebody else that one of the studio's stands for."""
    _, found, rest = change.reason.partition(_BEFORE)
    if not found:
        return None
    try:
        action, label, reason = json.loads(rest.removesuffix(_END))
    except (ValueError, TypeError):  # changed by hand
        return None
    whole = action in get_args(Action) and all(isinstance(text, str) for text in (label, reason))
    return Change(change.image_id, action, label, reason) if whole else None


def _check_seen(path: Path, changes: Mapping[str, Change], seen: Rows) -> None:
    for image_id, row in seen.items():
        if changes.get(image_id) != row:
            now = changes[image_id].action if image_id in changes else "nothing"
            raise DessinError(
                f"Somebody else has changed what {path} says of {image_id}: {now}.",
                do="Look at the page again, and decide anew.",
            )


def _write(path: Path, changes: Mapping[str, Change]) -> None:
    drawings = read_curation(path).drawings if path.exists() else ""
    write_curation(Curation(tuple(changes[image_id] for image_id in sorted(changes)), drawings), path)
