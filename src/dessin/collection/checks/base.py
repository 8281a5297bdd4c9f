"""What a check is, what it sees, and the table of all checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from dessin.collection.duplicates import Pair
from dessin.collection.issues import ISSUE_KINDS, Issue
from dessin.collection.label_review import LabelReview
from dessin.collection.manifest import Manifest, Row
from dessin.collection.measure import Measurement
from dessin.collection.scan import Scan
from dessin.errors import unknown


@dataclass(frozen=True)
class Context:
    """Everything that a check may look at; `labels` is what models say, where they were asked."""

    manifest: Manifest
    scan: Scan
    pairs: tuple[Pair, ...]
    labels: LabelReview | None = None

    def images(self) -> Iterator[tuple[Row, Measurement]]:
        """Every row with its measurement."""
        return zip(self.manifest.rows, self.scan.measurements, strict=True)

    def readable(self) -> Iterator[tuple[Row, Measurement]]:
        return ((row, measured) for row, measured in self.images() if measured.readable)


@dataclass(frozen=True)
class Check(ABC):
    """One thing to look for; its fields are its parameters, each with a default.

    Attributes:
        name: the issue it reports, one of `ISSUE_KINDS`.
        title: the issue in words, for a heading.
        summary: one sentence that says what it means and what to do about it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def run(self, context: Context) -> list[Issue]:
        """The issues found, with scores from 0 (barely) to 1 (surely)."""

    def issue(self, row: Row, score: float, detail: str) -> Issue:
        return Issue(row.image_id, self.name, round(min(max(score, 0.0), 1.0), 4), detail=detail)


CHECKS: dict[str, type[Check]] = {}
Registered = TypeVar("Registered", bound=type[Check])


def register(check: Registered) -> Registered:
    """Put a check into the table under its name, which must be a known issue."""
    if check.name not in ISSUE_KINDS:
        raise unknown("issue", check.name, ISSUE_KINDS)
    CHECKS[check.name] = check
    return check
