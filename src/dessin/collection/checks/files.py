"""Checks of the files: unreadable ones, those of another kind, and sizes and aspect ratios far from the
rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dessin.collection.checks.base import Check, Context, Issue
from dessin.collection.measure import Measurement


@dataclass(frozen=True)
class UnreadableFiles(Check):
    """Files that are no image, are cut short, or are refused as unsafe."""

    name: ClassVar[str] = "unreadable"
    title: ClassVar[str] = "Unreadable files"
    short: ClassVar[str] = "unreadable"
    urgent: ClassVar[bool] = True
    dropped: ClassVar[bool] = True
    summary: ClassVar[str] = "These cannot be decoded, so they can be neither trained on nor predicted."

    def run(self, context: Context) -> list[Issue]:
        return [self.issue(row, 1.0, m.reason) for row, m in context.images() if not m.readable]


@dataclass(frozen=True)
class ModeDiffers(Check):
    """Images whose channels are not those of the majority; nothing is said where there is no majority."""

    majority: float = 0.5

    name: ClassVar[str] = "mode_differs"
    title: ClassVar[str] = "Another channel mode"
    short: ClassVar[str] = "other mode"
    section = ""
    summary: ClassVar[str] = (
        "Gray, palette or transparent files among others. dessin reads them all as the recipe asks; "
        "a mode that goes with a class can give the class away."
    )

    def run(self, context: Context) -> list[Issue]:
        modes = Counter(measured.mode for _, measured in context.readable())
        if not modes:
            return []
        total = modes.total()
        usual, count = min(modes.items(), key=lambda item: (-item[1], item[0]))
        if count <= self.majority * total:
            return []
        return [
            self.issue(row, 1 - modes[m.mode] / total, f"{m.mode}; {count / total:.0%} are {usual}")
            for row, m in context.readable()
            if m.mode != usual
        ]


def _distances(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """How far each value is from the median, and the spread (as a standard deviation, from quantiles)."""
    away = np.abs(values - np.median(values))
    return away, 1.4826 * float(np.median(away))


@dataclass(frozen=True)
class OddSize(Check):
    """Images `factor` times larger or smaller than the median, where the collection varies less than that."""

    factor: float = 3.0
    deviations: float = 3.0

    name: ClassVar[str] = "odd_size"
    title: ClassVar[str] = "Unusual sizes"
    short: ClassVar[str] = "odd size"
    summary: ClassVar[str] = "Far larger or smaller than the rest: scans, icons or crops that look different."

    def run(self, context: Context) -> list[Issue]:
        images = list(context.readable())
        if not images:
            return []
        sizes = np.array([np.log(m.width * m.height) / 2 for _, m in images])
        away, spread = _distances(sizes)
        limit = max(float(np.log(self.factor)), self.deviations * spread)
        usual = float(np.exp(np.median(sizes)))
        return [
            self.issue(row, away[i] / (2 * limit), f"{m.width} x {m.height}; {usual:.0f} a side is usual")
            for i, (row, m) in enumerate(images)
            if away[i] > limit
        ]


@dataclass(frozen=True)
class OddAspect(Check):
    """Images `factor` times wider or taller than is usual, where the collection varies less than that."""

    factor: float = 2.0
    deviations: float = 4.0

    name: ClassVar[str] = "odd_aspect"
    title: ClassVar[str] = "Unusual aspect ratios"
    short: ClassVar[str] = "odd aspect"
    summary: ClassVar[str] = "Much wider or taller than the rest: fit squash distorts them, crop cuts them."

    def run(self, context: Context) -> list[Issue]:
        images = list(context.readable())
        if not images:
            return []
        aspects = np.array([np.log(_aspect(m)) for _, m in images])
        away, spread = _distances(aspects)
        limit = max(float(np.log(self.factor)), self.deviations * spread)
        return [
            self.issue(
                row, away[i] / (2 * limit), f"{m.width} x {m.height}, {_aspect(m):.2f} wide for 1 high"
            )
            for i, (row, m) in enumerate(images)
            if away[i] > limit
        ]


def _aspect(measured: Measurement) -> float:
    return measured.width / measured.height
