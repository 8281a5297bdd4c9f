"""The answer key of the doodles, and the audit's issues and the split held against it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dessin.collection.checks.base import Issue
from dessin.collection.issues import CHECKS
from dessin.collection.split.files import Split
from dessin.images.decode import decode
from dessin.images.photograph import find_sheet
from dessin.reading import read_json
from dessin.schema import Section, validated

KEY_FILE = "answer_key.json"
DRAWINGS_FOLDER = "drawings"
# A photograph counts as found where no corner is further off than this, in shares of the picture's sides.
_CORNER = 0.025
_FOUND = 0.9  # of all photographs, for the demo to be content

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


class PlantedPhotograph(Section):
    """A drawing that is there as a photograph of its sheet.

    `corners` of the sheet are x, y as shares of the upright picture's width and height, clockwise from the
    upper left; `lamp` the colour of white paper in that light, of at most 1; `turn` the quarter turns,
    counterclockwise, by which the file is stored turned.
    """

    image_id: str
    corners: tuple[tuple[float, float], ...]
    ruling: Literal["plain", "ruled", "squared"]
    lamp: tuple[float, float, float]
    turn: int


class AnswerKey(Section):
    """`images` counts the files that a reader should list; `skipped` are those it should pass over.

    `photographed` is the share of the doodles that was asked for as photographs.
    """

    seed: int
    classes: tuple[str, ...]
    images: int
    faults: tuple[PlantedFault, ...]
    skipped: tuple[str, ...]
    photographed: float = 0.0
    photographs: tuple[PlantedPhotograph, ...] = ()


def read_answer_key(path: Path) -> AnswerKey:
    """Raises `DessinError` for a missing file or one that is no answer key."""
    return validated(AnswerKey, read_json(path), str(path))


@dataclass(frozen=True)
class Finding:
    """One thing that had to hold: `found` says whether it does, `said` what the audit or the split says."""

    what: str
    image_id: str
    found: bool
    said: str


def check_answers(key: AnswerKey, issues: Iterable[Issue], split: Split) -> tuple[Finding, ...]:
    """A finding for every planted fault, then for what the split must keep apart or together."""
    issues = tuple(issues)
    faults = [_check_fault(fault, issues) for fault in key.faults]
    sided = [fault for fault in key.faults if fault.other_id or fault.issue == "unreadable"]
    sides = [_check_side(fault, split) for fault in sided]
    listed = {row.image_id for row in split.rows} | {issue.image_id for issue in issues}
    litter = []
    for path in key.skipped:
        said = "listed" if path in listed else "not listed"
        litter.append(Finding("no image: passed over", path, path not in listed, said))
    return (*faults, *sides, *litter, *_check_named(key, issues))


def check_corners(key: AnswerKey, drawings: Path) -> tuple[Finding, ...]:
    """Whether the sheets are found where they lie, one finding for all photographs in the folder."""
    if not key.photographs:
        return ()
    found = 0
    for planted in key.photographs:
        pixels = decode((drawings / planted.image_id).read_bytes()).pixels
        sheet = find_sheet(pixels)
        away = sheet.corners / (pixels.shape[1], pixels.shape[0]) - np.array(planted.corners)
        found += sheet.found and bool(np.abs(away).max() <= _CORNER)
    return (_share_found("photographs: the sheet's corners", found, len(key.photographs), ""),)


def _check_named(key: AnswerKey, issues: tuple[Issue, ...]) -> tuple[Finding, ...]:
    """Whether the audit names the photographs, one finding for all of them."""
    if not key.photographs:
        return ()
    planted = {photograph.image_id for photograph in key.photographs}
    named = {issue.image_id for issue in issues if issue.issue == "photograph"}
    wrong = len(named - planted)
    rest = f", and {wrong} drawings that are none" if wrong else ""
    return (_share_found("photographs: named as such", len(named & planted), len(planted), rest),)


def _share_found(what: str, found: int, count: int, rest: str) -> Finding:
    said = f"{found} of {count}{rest}"
    return Finding(what, f"{count} photographs", found >= _FOUND * count and not rest, said)


def false_alarms(key: AnswerKey, issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Issues about sound drawings: copies that are none, and sound files called unreadable or blank."""
    pairs = {frozenset((fault.image_id, fault.other_id)) for fault in key.faults if fault.other_id}
    alone: set[tuple[str, str]] = {(fault.image_id, fault.issue) for fault in key.faults}
    alone |= {(planted.image_id, "photograph") for planted in key.photographs}
    return tuple(
        issue
        for issue in issues
        # What is less urgent, faint or crowded pages, is drawn on purpose.
        if CHECKS[issue.issue].urgent
        and (issue.image_id, issue.issue) not in alone
        and frozenset((issue.image_id, issue.other_id)) not in pairs
    )


def describe_findings(findings: Sequence[Finding], alarms: Sequence[Issue]) -> list[str]:
    """The table that the demo prints: what was planted, where, whether it was found, and what was said."""
    what = max(len(finding.what) for finding in findings)
    where = max(len(finding.image_id) for finding in findings)
    lines = [
        f"{'found ' if finding.found else 'MISSED'}  {finding.what:<{what}}  {finding.image_id:<{where}}  "
        f"{finding.said}"
        for finding in findings
    ]
    found = sum(finding.found for finding in findings)
    lines.append(f"{found} of {len(findings)} as the answer key has it; {len(alarms)} false alarms")
    lines += [f"false alarm: {a.issue} {a.image_id} {a.other_id} {a.detail}".rstrip() for a in alarms]
    return lines


def _check_fault(fault: PlantedFault, issues: tuple[Issue, ...]) -> Finding:
    """A pair may be reported from either of its images."""
    planted = {fault.image_id, fault.other_id}
    about = [issue for issue in issues if issue.image_id in planted]
    matching = [
        issue
        for issue in about
        if issue.issue == fault.issue
        and {issue.image_id, issue.other_id} == planted
        and (not fault.details or issue.detail.startswith(fault.details))
    ]
    shown = matching or about
    said = "; ".join(f"{issue.issue} {issue.detail}".strip() for issue in shown[:2]) or "nothing"
    return Finding(fault.what, fault.image_id, bool(matching), said)


def _check_side(fault: PlantedFault, split: Split) -> Finding:
    sides = {row.image_id: "holdout" if row.fold is None else f"fold {row.fold}" for row in split.rows}
    found = [sides[image_id] for image_id in (fault.image_id, fault.other_id) if image_id in sides]
    if fault.issue == "unreadable":
        what = f"{fault.what}: not in the split"
        return Finding(what, fault.image_id, not found, " ".join(found) or "left out")
    said = " and ".join(found) if len(found) == 2 else f"{len(found)} of 2 kept"
    return Finding(f"{fault.what}: on one side", fault.image_id, len(set(found)) < 2, said)
