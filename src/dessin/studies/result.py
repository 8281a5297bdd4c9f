"""A study's folder: `study.json` (what it is), `jobs/<job>.json` (how each ended), `results.json`.

It is begun once, gone on with by the same study only, and read by whoever reports on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dessin.collection.split.files import Split, write_split
from dessin.errors import DessinError
from dessin.files import write_text
from dessin.folders import claim_folder, hold
from dessin.progress import warn
from dessin.results import Result
from dessin.runs.record import SPLIT_FILE, STUDY_FILE, Digests
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

TEXT_FILE = "study.yaml"
RESULTS_FILE = "results.json"
Topic = Literal["data", "cleaning", "split", "augmentation", "modelling", "ensemble"]


class Level(Section):
    """One named level, or in a grid one pair of levels; `changes` are its overrides of the base recipe.

    `parts` names the level of each factor: one for a plain study, two for a grid.
    """

    name: str
    parts: tuple[str, ...]
    changes: dict[str, Any] = Field({})


class Job(Section):
    """One run of a study: a level, a seed and a fold. Its folder is `runs/<name>` below the study's."""

    name: str = Field(pattern=r"^[^./\\][^/\\]*$")  # nothing outside the folder
    level: str
    seed: int
    fold: int


class StudyRecord(Result):
    """A study as it was planned, complete, so that another machine can repeat it.

    `base` is the level that the others are compared with. `matters` is the smallest difference of accuracy
    (0..1) that would matter. `threads` is how many each job computes with, on every executor.
    `seen_before` says in words what the design was expected to see before it ran.
    """

    FILE = STUDY_FILE
    WHAT = "the record of a study"
    FOLDER = "study's folder"
    DO = "Name a folder that `dessin study` wrote."

    name: str
    hypothesis: str
    topic: Topic = "modelling"
    factors: tuple[str, ...]
    base: str
    levels: tuple[Level, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    matters: float
    recipe: dict[str, Any]
    data: str
    split: str
    threads: int
    digests: Digests
    jobs: tuple[Job, ...]
    detectable_before: float
    seen_before: str = ""
    created: str
    versions: dict[str, str]


class LevelResult(Section):
    """What the runs of a level gave; accuracy and loss are means over its runs, None where none finished."""

    level: str
    jobs: int
    finished: int
    collapsed: int
    failed: int
    accuracy: Estimate | None
    loss: Estimate | None
    seconds: float


class StudyResults(Result):
    """The levels, each level against the base, and for a grid each factor's main effects."""

    FILE = RESULTS_FILE
    TABLE = "comparisons"
    WHAT = "the results of a study"
    FOLDER = "study's folder"
    DO = "Name a folder that `dessin study` wrote."

    name: str
    levels: tuple[LevelResult, ...]
    comparisons: tuple[Comparison, ...]
    main_effects: tuple[Comparison, ...] = ()
    missing: tuple[str, ...] = ()
    detectable_after: float | None = None
    summary: str
    finished: str


# What may differ between two beginnings of one study: where things are, and what is only said.
_FREE = ("name", "data", "split", "threads", "created", "versions", "detectable_before", "seen_before")


def begin(folder: Path, record: StudyRecord, text: str, split: Split) -> StudyRecord:
    """Make the folder a study, or find it to be this one; returns the record that is in it.

    Raises:
        DessinError: the folder holds another study, one of a newer format, or something else.
    """
    found = read_begun(folder, record)
    if found is None:
        if not folder.exists():
            claim_folder(folder, what="a study")
        with hold(folder, wait=True):
            # Another process may have been first.
            found = read_begun(folder, record)
            if found is None:
                claim_folder(folder, what="a study")
                record.write(folder)
                found = record
    changed = [name for name in record.versions if found.versions.get(name) != record.versions[name]]
    if changed:
        warn(f"The study was begun with other versions of {', '.join(changed)}; this adds to what differs.")
    # After a machine died between two files, the others are missing.
    if not (folder / TEXT_FILE).is_file():
        write_text(folder / TEXT_FILE, text)
    if not (folder / SPLIT_FILE).is_file():
        write_split(split, folder / SPLIT_FILE)
    return found


def read_begun(folder: Path, record: StudyRecord) -> StudyRecord | None:
    """The record of a study that was begun before; None where there is none."""
    found = StudyRecord.find(folder)
    if found is None:
        return None
    different = list(differences(found, record))
    if different:
        raise DessinError(
            f"The folder {folder} holds a study that differs from this one: {'; '.join(different)}.",
            do="Choose another --out; what is planned beforehand is not changed on the way.",
        )
    return found


def differences(found: StudyRecord, wanted: StudyRecord) -> Iterator[str]:
    """What differs between two records, with both values where they are short: nothing for one study."""
    before, now = (record.model_dump(mode="json", exclude=set(_FREE)) for record in (found, wanted))
    for key in before:
        if before[key] == now[key] or key == "jobs":
            continue
        if key == "levels":
            was, is_ = ({level["name"]: level for level in side[key]} for side in (before, now))
            names = [name for name in {**was, **is_} if was.get(name) != is_.get(name)]
            yield f"the levels {', '.join(names)}" if names else "the order of the levels"
        elif key in ("recipe", "digests"):
            names = [name for name in now[key] if before[key].get(name) != now[key][name]]
            what = "its recipe in" if key == "recipe" else "the digest of"
            yield f"{what} {', '.join(names)}"
        else:
            yield f"{key} (was {_short(before[key])}, is {_short(now[key])})"


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
