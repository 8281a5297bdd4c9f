"""An issue: one thing that an audit noticed about one image. The rows of `issues.csv`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from dessin.errors import DessinError, unknown
from dessin.files import read_csv, write_csv

COLUMNS = ("image_id", "issue", "score", "other_id", "detail")
ISSUE_KINDS = (
    "unreadable",
    "exact_duplicate",
    "near_duplicate",
    "label_conflict",
    "suspect_label",
    "blank",
    "low_contrast",
    "several_objects",
    "odd_size",
    "odd_aspect",
    "mode_differs",
)


@dataclass(frozen=True)
class Issue:
    """`score` runs from 0 (barely) to 1 (surely); `other_id` is the other image of a pair, or empty."""

    image_id: str
    issue: str
    score: float
    other_id: str = ""
    detail: str = ""


def write_issues(issues: Iterable[Issue], path: Path) -> None:
    rows = sorted(issues, key=lambda i: (ISSUE_KINDS.index(i.issue), -i.score, i.image_id, i.other_id))
    write_csv(path, COLUMNS, ((i, k, f"{s:.4f}", o, d) for i, k, s, o, d in map(astuple, rows)))


def read_issues(path: Path) -> tuple[Issue, ...]:
    """Raises `DessinError` for a missing column, an unknown issue or a score that is no number."""
    issues = []
    for row in read_csv(path, COLUMNS)[1]:
        if row["issue"] not in ISSUE_KINDS:
            raise unknown(f"issue in {path}", row["issue"], ISSUE_KINDS)
        try:
            score = float(row["score"])
        except ValueError:
            raise DessinError(f'{path}: the score "{row["score"]}" is not a number.') from None
        issues.append(Issue(row["image_id"], row["issue"], score, row["other_id"], row["detail"]))
    return tuple(issues)
