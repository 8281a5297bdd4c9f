"""Checks of copies, exact and near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, Issue
from dessin.collection.duplicates import Pair


def _labels(context: Context) -> dict[str, str]:
    return {row.image_id: row.label for row in context.manifest.rows}


def _where(pair: Pair, labels: Mapping[str, str]) -> str:
    return "same class" if labels[pair.first] == labels[pair.second] else "across classes"


@dataclass(frozen=True)
class ExactDuplicates(Check):
    """Copies with equal bytes, or with equal pixels in another file."""

    name: ClassVar[str] = "exact_duplicate"
    title: ClassVar[str] = "Exact duplicates"
    short: ClassVar[str] = "exact duplicate"
    summary: ClassVar[str] = (
        "The same picture twice, byte for byte or pixel for pixel: one of them is enough."
    )
    urgent: ClassVar[bool] = True
    pairs: ClassVar[bool] = True
    dropped: ClassVar[bool] = True
    section = "duplicates"

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        return [
            Issue(pair.second, self.name, 1.0, pair.first, f"{pair.kind}, {_where(pair, labels)}")
            for pair in context.pairs
            if pair.kind != "near"
        ]


@dataclass(frozen=True)
class NearDuplicates(Check):
    """Copies that were mirrored, turned, rescaled or compressed; the detail begins with the symmetry."""

    name: ClassVar[str] = "near_duplicate"
    title: ClassVar[str] = "Near-duplicates"
    short: ClassVar[str] = "near-duplicate"
    summary: ClassVar[str] = (
        "The same drawing, perhaps mirrored, turned, rescaled or compressed. "
        "A split keeps them on one side; otherwise validation would be too optimistic."
    )
    urgent: ClassVar[bool] = True
    pairs: ClassVar[bool] = True
    section = "duplicates"

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        return [
            Issue(p.second, self.name, p.similarity, p.first, f"{p.symmetry}, {_where(p, labels)}")
            for p in context.pairs
            if p.kind == "near"
        ]
