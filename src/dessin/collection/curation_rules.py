"""The rule of each kind of issue: which images it drops, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dessin.collection.grouping import UnionFind
from dessin.collection.issues import ISSUE_KINDS, Issue
from dessin.errors import DessinError, unknown

# Suspect labels wait for a person: many are odd drawings of the right class. Chosen, they are dropped and not
# relabelled, for a weak model knows that a label is odd long before it knows the right one (docs/log.md).
DEFAULT_KINDS = ("unreadable", "exact_duplicate", "label_conflict")
_PAIR_KINDS = ("exact_duplicate", "near_duplicate")


@dataclass(frozen=True)
class Drop:
    """Why an image is dropped; `copy_of` is the image that is kept in its place, or empty."""

    reason: str
    copy_of: str = ""


def dropped(issues: Sequence[Issue], labels: Mapping[str, str], kinds: Sequence[str]) -> dict[str, Drop]:
    """image_id → why it is dropped.

    A label conflict sets every side aside, with the exact copies of each side. Of duplicates inside a class
    the first readable one, by image_id, stays. Every other kind drops the image that it names.

    Raises:
        DessinError: an unknown kind, or half a pair.
    """
    for kind in kinds:
        if kind not in ISSUE_KINDS:
            raise unknown("kind of issue", kind, ISSUE_KINDS)
    for issue in issues:
        if issue.issue in (*_PAIR_KINDS, "label_conflict") and issue.other_id not in labels:
            raise DessinError(
                f"The {issue.issue} of {issue.image_id} does not name the other image.",
                do="Make the issues anew with dessin audit.",
            )
    drops: dict[str, Drop] = {}
    for issue in sorted(issues, key=lambda i: (ISSUE_KINDS.index(i.issue), i.image_id, i.other_id)):
        if issue.issue in kinds and issue.issue not in (*_PAIR_KINDS, "label_conflict"):
            drops.setdefault(issue.image_id, Drop(f"{issue.issue}: {issue.detail or f'{issue.score:.2f}'}"))
    if "label_conflict" in kinds:
        for image_id, reason in _conflicts(issues, labels).items():
            drops.setdefault(image_id, Drop(reason))
    for kind in _PAIR_KINDS:
        if kind in kinds:
            drops.update(_copies(issues, labels, kind, set(drops)))
    return drops


def kept_first(drops: Mapping[str, Drop]) -> dict[str, int]:
    """The images that stay in place of dropped copies, with the number of those."""
    counts = Counter(drop.copy_of for drop in drops.values() if drop.copy_of)
    return {image_id: copies for image_id, copies in counts.items() if image_id not in drops}


def _conflicts(issues: Iterable[Issue], labels: Mapping[str, str]) -> dict[str, str]:
    copies: UnionFind[str] = UnionFind()
    sides: dict[str, str] = {}
    for issue in sorted(issues, key=lambda i: (i.image_id, i.other_id)):
        if issue.issue == "exact_duplicate":
            copies.join(issue.image_id, issue.other_id)
        if issue.issue == "label_conflict":
            sides.setdefault(issue.image_id, issue.other_id)
            sides.setdefault(issue.other_id, issue.image_id)
    reasons = {i: f"label_conflict: also {other}, labelled {labels[other]}" for i, other in sides.items()}
    # An exact copy of a conflicting image is in the same conflict, even where the audit names one of them.
    sources = {copies.find(image_id): image_id for image_id in sorted(sides, reverse=True)}
    for image_id in labels:
        source = sources.get(copies.find(image_id))
        if source is not None and image_id not in reasons:
            reasons[image_id] = f"label_conflict: a copy of {source}, which is in conflict"
    return reasons


def _copies(issues: Iterable[Issue], labels: Mapping[str, str], kind: str, gone: set[str]) -> dict[str, Drop]:
    """Of each set of copies, the later ones of each class; exact copies link near ones and stay."""
    sets: UnionFind[str] = UnionFind()
    members: dict[str, bool] = {}
    linking = _PAIR_KINDS[: _PAIR_KINDS.index(kind) + 1]
    for issue in issues:
        if issue.issue in linking:
            sets.join(issue.image_id, issue.other_id)
            for image_id in (issue.image_id, issue.other_id):
                members[image_id] = members.get(image_id, False) or issue.issue == kind
    # Rows link to the first copy, which may be of another class: the copies of one class still are copies.
    first: dict[tuple[str, str], str] = {}
    drops = {}
    for image_id in sorted(members.keys() - gone):
        kept = first.setdefault((sets.find(image_id), labels[image_id]), image_id)
        if kept != image_id and members[image_id]:
            drops[image_id] = Drop(f"{kind}: a copy of {kept}", kept)
    return drops
