"""The answer key of the doodles: every planted fault, and what an audit has to say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dessin.files import read_json, write_json
from dessin.schema import Section, validated

KEY_FILE = "answer_key.json"
DRAWINGS_FOLDER = "drawings"

FaultIssue = Literal[
    "unreadable", "exact_duplicate", "near_duplicate", "label_conflict", "blank", "low_contrast"
]


class PlantedFault(Section):
    """`issue` is the name that the audit must use, and its detail begins with one of `details` (if any).

    A pair may be found from either side, so a quarter turn has two names.
    """

    what: str
    issue: FaultIssue
    image_id: str
    other_id: str = ""
    details: tuple[str, ...] = ()


class AnswerKey(Section):
    """`images` counts the files that a reader should list; `skipped` are those it should pass over."""

    seed: int
    classes: tuple[str, ...]
    images: int
    faults: tuple[PlantedFault, ...]
    skipped: tuple[str, ...]


def write_answer_key(key: AnswerKey, path: Path) -> None:
    write_json(path, key.model_dump(mode="json"))


def read_answer_key(path: Path) -> AnswerKey:
    """Raises `DessinError` for a missing file or one that is no answer key."""
    return validated(AnswerKey, read_json(path), str(path))
