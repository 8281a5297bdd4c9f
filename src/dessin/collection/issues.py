"""The issues of an audit: the table of checks that find them, and the file `issues.csv`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from dessin.collection.checks.base import Check, Context, Issue
from dessin.collection.checks.images import (
    BlankPages,
    CutShort,
    LowContrast,
    ModeDiffers,
    OddAspect,
    OddSize,
    Photographs,
    SeveralObjects,
    UnreadableFiles,
    WhiteInk,
)
from dessin.collection.checks.labels import OddLabels
from dessin.collection.checks.pairs import ExactDuplicates, LabelConflicts, NearDuplicates, SuspectLabels
from dessin.errors import quoted, unknown
from dessin.files import write_csv
from dessin.plugins import Table
from dessin.reading import number_of, read_csv

COLUMNS = ("image_id", "issue", "score", "other_id", "detail")
# In the order in which issues are listed everywhere.
CHECKS: Table[Check] = Table(
    "check",
    Check,  # type: ignore[type-abstract]
    (
        UnreadableFiles(),
        CutShort(),
        ExactDuplicates(),
        NearDuplicates(),
        LabelConflicts(),
        OddLabels(),
        SuspectLabels(),
        BlankPages(),
        LowContrast(),
        WhiteInk(),
        Photographs(),
        SeveralObjects(),
        OddSize(),
        OddAspect(),
        ModeDiffers(),
    ),
)


def default_kinds() -> tuple[str, ...]:
    """The kinds of issues whose images a curation sets aside without being asked to."""
    return tuple(name for name, check in CHECKS.items() if check.dropped)


def run_checks(context: Context) -> tuple[Issue, ...]:
    """All issues, in the order of `CHECKS`, the surest first; each check runs with its defaults."""
    return _sorted(issue for check in CHECKS.values() for issue in check.run(context))


def write_issues(issues: Iterable[Issue], path: Path) -> None:
    rows = map(astuple, _sorted(issues))
    write_csv(path, COLUMNS, ((i, k, f"{s:.4f}", o, d) for i, k, s, o, d in rows))


def read_issues(path: Path) -> tuple[Issue, ...]:
    """Raises `DessinError` for a missing column, an unknown issue or a score that is no number."""
    issues = []
    for row in read_csv(path, COLUMNS)[1]:
        if row["issue"] not in CHECKS:
            raise unknown(f"issue in {path}", row["issue"], CHECKS)
        score = number_of(row["score"], f"{path}, the score of {quoted(row['image_id'])}")
        issues.append(Issue(row["image_id"], row["issue"], score, row["other_id"], row["detail"]))
    return tuple(issues)


def _sorted(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    rank = {name: number for number, name in enumerate(CHECKS)}
    return tuple(sorted(issues, key=lambda i: (rank[i.issue], -i.score, i.image_id, i.other_id)))
