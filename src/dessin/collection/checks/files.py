"""Checks of the files: those that cannot be read, and those of another kind than the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, register
from dessin.collection.issues import Issue


@register
@dataclass(frozen=True)
class UnreadableFiles(Check):
    """Files that are no image, are cut short, or are refused as unsafe."""

    name: ClassVar[str] = "unreadable"
    title: ClassVar[str] = "Unreadable files"
    summary: ClassVar[str] = "These cannot be decoded, so they can be neither trained on nor predicted."

    def run(self, context: Context) -> list[Issue]:
        return [self.issue(row, 1.0, m.reason) for row, m in context.images() if not m.readable]


@register
@dataclass(frozen=True)
class ModeDiffers(Check):
    """Images whose channels are not those of the majority; nothing is said where there is no majority."""

    majority: float = 0.5

    name: ClassVar[str] = "mode_differs"
    title: ClassVar[str] = "Another channel mode"
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
