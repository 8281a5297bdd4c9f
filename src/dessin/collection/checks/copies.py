"""Checks of copies: exact, near, and those that carry two labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, register
from dessin.collection.duplicates import Pair
from dessin.collection.issues import Issue


def _labels(context: Context) -> dict[str, str]:
    return {row.image_id: row.label for row in context.manifest.rows}


def _where(pair: Pair, labels: Mapping[str, str]) -> str:
    return "same class" if labels[pair.first] == labels[pair.second] else "across classes"


@register
@dataclass(frozen=True)
class ExactDuplicates(Check):
    """Copies with equal bytes, or with equal pixels in another file."""

    name: ClassVar[str] = "exact_duplicate"
    title: ClassVar[str] = "Exact duplicates"
    summary: ClassVar[str] = (
        "The same picture twice, byte for byte or pixel for pixel: one of them is enough."
    )

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        return [
            Issue(pair.second, self.name, 1.0, pair.first, f"{pair.kind}, {_where(pair, labels)}")
            for pair in context.pairs
            if pair.kind != "near"
        ]


@register
@dataclass(frozen=True)
class NearDuplicates(Check):
    """Copies that were mirrored, turned, rescaled or compressed; the detail begins with the symmetry."""

    name: ClassVar[str] = "near_duplicate"
    title: ClassVar[str] = "Near-duplicates"
    summary: ClassVar[str] = (
        "The same drawing, perhaps mirrored, turned, rescaled or compressed. "
        "A split keeps them on one side; otherwise validation would be too optimistic."
    )

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        return [
            Issue(p.second, self.name, p.similarity, p.first, f"{p.symmetry}, {_where(p, labels)}")
            for p in context.pairs
            if p.kind == "near"
        ]


@register
@dataclass(frozen=True)
class LabelConflicts(Check):
    """Every image of a set of copies, joined transitively, that carries more than one label."""

    name: ClassVar[str] = "label_conflict"
    title: ClassVar[str] = "Label conflicts"
    summary: ClassVar[str] = "Copies of one drawing lie in different classes: at least one label is wrong."

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        partners: dict[str, list[Pair]] = defaultdict(list)
        for pair in context.pairs:
            partners[pair.first].append(pair)
            partners[pair.second].append(pair)
        issues = []
        for members in _clusters(partners):
            if len({labels[member] for member in members}) > 1:
                issues += [self._issue(member, members, partners[member], labels) for member in members]
        return issues

    def _issue(self, member: str, members: list[str], pairs: list[Pair], labels: Mapping[str, str]) -> Issue:
        """Names the most similar image of another label; where only a chain leads to one, the first."""
        other = min(image_id for image_id in members if labels[image_id] != labels[member])
        score = min(pair.similarity for pair in pairs)
        kind = "through another copy"
        for pair in sorted(pairs, key=lambda p: (-p.similarity, p.first, p.second)):
            partner = pair.second if pair.first == member else pair.first
            if labels[partner] != labels[member]:
                other, score = partner, pair.similarity
                kind = pair.kind if pair.kind != "near" else pair.symmetry
                break
        return Issue(member, self.name, score, other, f"{kind}; {labels[member]} here, {labels[other]} there")


def _clusters(partners: Mapping[str, list[Pair]]) -> list[list[str]]:
    """The images that pairs join, transitively; each cluster sorted, in the order of its first image."""
    seen: set[str] = set()
    clusters = []
    for start in sorted(partners):
        if start in seen:
            continue
        seen.add(start)
        members, waiting = [], [start]
        while waiting:
            member = waiting.pop()
            members.append(member)
            neighbours = {image for pair in partners[member] for image in (pair.first, pair.second)} - seen
            seen |= neighbours
            waiting += neighbours
        clusters.append(sorted(members))
    return clusters
