"""Checks of labels: copies that carry two, and labels that models find implausible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, Issue, SuspectLabel
from dessin.collection.duplicates import Pair


@dataclass(frozen=True)
class LabelConflicts(Check):
    """Every image of a set of copies, joined transitively, that carries more than one label."""

    name: ClassVar[str] = "label_conflict"
    title: ClassVar[str] = "Label conflicts"
    short: ClassVar[str] = "label conflict"
    summary: ClassVar[str] = "Copies of one drawing lie in different classes: at least one label is wrong."
    urgent: ClassVar[bool] = True
    pairs: ClassVar[bool] = True
    dropped: ClassVar[bool] = True
    section = "conflicts"

    def run(self, context: Context) -> list[Issue]:
        labels = {row.image_id: row.label for row in context.manifest.rows}
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


@dataclass(frozen=True)
class SuspectLabels(Check):
    """Labels that models find implausible, which did not see the drawing in training; none without models."""

    name: ClassVar[str] = "suspect_label"
    title: ClassVar[str] = "Labels that may be wrong"
    short: ClassVar[str] = "suspect label"
    summary: ClassVar[str] = (
        "Models that were not trained on the drawing find its label implausible. "
        "Odd drawings of the right class are among them, so look before anything is changed."
    )
    section = "suspects"
    # Not dropped unasked: many are odd drawings of the right class. Chosen, they are dropped, not relabelled:
    # a weak model knows that a label is odd long before it knows the right one (docs/log.md).

    def run(self, context: Context) -> list[Issue]:
        return [suspect_issue(one) for one in context.labels.suspects] if context.labels else []


def suspect_issue(suspect: SuspectLabel) -> Issue:
    """The issue of one label that may be wrong; beside it a typical drawing of what it looks like."""
    detail = f"looks like {suspect.suggested}"
    return Issue(suspect.image_id, SuspectLabels.name, round(suspect.score, 4), suspect.like, detail)
