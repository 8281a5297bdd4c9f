"""Checks of the ink: pages with none, faint ones, and pages with several drawings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, Issue


@dataclass(frozen=True)
class BlankPages(Check):
    """Pages without ink, or with a few specks only."""

    specks: float = 0.001

    name: ClassVar[str] = "blank"
    title: ClassVar[str] = "Blank pages"
    short: ClassVar[str] = "blank"
    urgent: ClassVar[bool] = True
    summary: ClassVar[str] = "There is nothing, or next to nothing, on these pages to learn from."

    def run(self, context: Context) -> list[Issue]:
        issues = []
        for row, measured in context.readable():
            if measured.blank or measured.ink < self.specks:
                score = 1.0 if measured.blank else 1 - 0.5 * measured.ink / self.specks
                issues.append(self.issue(row, score, f"{measured.ink:.3%} of the page is ink"))
        return issues


@dataclass(frozen=True)
class LowContrast(Check):
    """Drawings whose strongest strokes differ from the paper by less than `least` of 255 levels."""

    least: float = 80.0

    name: ClassVar[str] = "low_contrast"
    title: ClassVar[str] = "Low contrast"
    short: ClassVar[str] = "low contrast"
    summary: ClassVar[str] = "Even the strongest strokes are faint; CLAHE (image.clahe) may help."

    def run(self, context: Context) -> list[Issue]:
        return [
            self.issue(row, 1 - m.contrast / self.least, f"strokes {m.contrast:.0f} levels from the paper")
            for row, m in context.readable()
            if m.contrast < self.least and not m.blank
        ]


@dataclass(frozen=True)
class SeveralObjects(Check):
    """Pages with a second drawing that is large and far enough from the first one.

    The score is the second's size over `full_size` of the first's, times the white space between them over
    `full_gap` of the whole drawing's diagonal, each at most 1.
    """

    full_size: float = 0.5
    full_gap: float = 0.15
    least: float = 0.4

    name: ClassVar[str] = "several_objects"
    title: ClassVar[str] = "Several objects"
    short: ClassVar[str] = "several objects"
    summary: ClassVar[str] = "More than one separate drawing on the page; the label may fit only one of them."

    def run(self, context: Context) -> list[Issue]:
        issues = []
        for row, measured in context.readable():
            size = min(measured.second_size / self.full_size, 1.0)
            score = size * min(measured.second_gap / self.full_gap, 1.0)
            if score >= self.least and not measured.blank:
                detail = f"{measured.objects} objects; the second is {measured.second_size:.0%} of the first"
                issues.append(self.issue(row, score, detail))
        return issues
