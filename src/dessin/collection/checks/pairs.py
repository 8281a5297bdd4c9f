"""Checks that set a second image beside the first: copies, exact and near, copies that carry two labels, and
labels that models find implausible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from dessin.collection.checks.base import Check, Context, Issue, SuspectLabel
from dessin.collection.duplicates import Pair, UnionFind


def _labels(context: Context) -> dict[str, str]:
    return {row.image_id: row.label for row in context.manifest.rows}


def _where(pair: Pair, labels: Mapping[str, str]) -> str:
    return "same class" if labels[pair.first] == labels[pair.second] else "across classes"


class ExactDuplicates(Check):
    """Copies with equal bytes, or with equal pixels in another file."""

    name = "exact_duplicate"
    title = "Exact duplicates"
    short = "exact duplicate"
    summary = "The same picture twice, byte for byte or pixel for pixel: one of them is enough."
    urgent = True
    pairs = True
    dropped = True
    section = "duplicates"

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        return [
            Issue(pair.second, self.name, 1.0, pair.first, f"{pair.kind}, {_where(pair, labels)}")
            for pair in context.pairs
            if pair.kind != "near"
        ]


class NearDuplicates(Check):
    """Copies that were mirrored, turned, rescaled or compressed; the detail begins with the symmetry."""

    name = "near_duplicate"
    title = "Near-duplicates"
    short = "near-duplicate"
    summary = (
        "The same drawing, perhaps mirrored, turned, rescaled or compressed. "
        "A split keeps them on one side; otherwise validation would be too optimistic."
    )
    urgent = True
    pairs = True
    section = "duplicates"

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        return [
            Issue(p.second, self.name, p.similarity, p.first, f"{p.symmetry}, {_where(p, labels)}")
            for p in context.pairs
            if p.kind == "near"
        ]


class LabelConflicts(Check):
    """Every image of a set of copies, joined transitively, that carries more than one label."""

    name = "label_conflict"
    title = "Label conflicts"
    short = "label conflict"
    summary = "Copies of one drawing lie in different classes: at least one label is wrong."
    urgent = True
    pairs = True
    dropped = True
    section = "conflicts"

    def run(self, context: Context) -> list[Issue]:
        labels = _labels(context)
        partners: dict[str, list[Pair]] = defaultdict(list)
        sets: UnionFind[str] = UnionFind()
        for pair in context.pairs:
            partners[pair.first].append(pair)
            partners[pair.second].append(pair)
            sets.join(pair.first, pair.second)
        clusters: dict[str, list[str]] = defaultdict(list)
        for image_id in sorted(partners):
            clusters[sets.find(image_id)].append(image_id)
        return [
            self._issue(member, members, partners[member], labels)
            for members in clusters.values()
            if len({labels[member] for member in members}) > 1
            for member in members
        ]

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


class SuspectLabels(Check):
    """Labels that models find implausible, which did not see the drawing in training; none without models."""

    name = "suspect_label"
    title = "Labels that may be wrong"
    short = "suspect label"
    summary = (
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
