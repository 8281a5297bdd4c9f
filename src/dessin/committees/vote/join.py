"""Answers of several sources side by side: rows joined by image id, columns by class name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dessin.committees.vote.sources import ABSTAINS, Floats, Source, in_order
from dessin.errors import DessinError, listing

Align = Literal["refuse", "common"]


@dataclass(frozen=True, eq=False)
class Voter:
    """A source on the joined images: `votes` (N,) of the joined classes, probabilities (N, C) or None.

    `rows` (N,) are the source's own rows. `truth` (N,) are true classes, `ABSTAINS` where that is unknown.
    Its probabilities count as p^(1 / temperature).
    """

    name: str
    rows: NDArray[np.int64]
    votes: NDArray[np.int64]
    probabilities: Floats | None
    truth: NDArray[np.int64] | None
    weight: float = 1.0
    temperature: float = 1.0


@dataclass(frozen=True, eq=False)
class Ballots:
    """N images, in the first source's order, and C classes; `notes` say what was done to join them."""

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    voters: tuple[Voter, ...]
    notes: tuple[str, ...]

    @property
    def soft(self) -> bool:
        """Whether every voter has probabilities."""
        return all(voter.probabilities is not None for voter in self.voters)

    @property
    def truth(self) -> tuple[str, ...] | None:
        """The true labels, where voters know them for every image and do not contradict each other."""
        known = [voter.truth for voter in self.voters if voter.truth is not None]
        if not known or (known[0] == ABSTAINS).any() or any((known[0] != other).any() for other in known[1:]):
            return None
        return tuple(self.classes[number] for number in known[0])


def join(sources: Sequence[Source], align: Align = "refuse") -> Ballots:
    """Join by image id and class name.

    Where the ids of two files differ by a folder that all ids of a file begin with (`test/1.png`, `1.png`),
    it is left out, and that is said. `align="common"` keeps the images that all have.
    """
    ids, notes = _without_folders(sources)
    kept, left_out = _common(sources, ids, align)
    classes, about_classes = _classes(sources)
    voters = tuple(_voter(source, own, kept, classes) for source, own in zip(sources, ids, strict=True))
    return Ballots(kept, classes, voters, (*notes, *left_out, *about_classes))


def _without_folders(sources: Sequence[Source]) -> tuple[list[tuple[str, ...]], list[str]]:
    """The ids to join by: as they are where they agree, else without each file's own folder if that does."""
    as_they_are = [source.image_ids for source in sources]
    if _same(as_they_are):
        return as_they_are, []
    folders = [_folder(ids) for ids in as_they_are]
    short = [
        tuple(image_id[len(folder) :] for image_id in ids)
        for ids, folder in zip(as_they_are, folders, strict=True)
    ]
    if not _same(short):
        return as_they_are, []
    notes = [
        f"{source.name}: every id begins with {folder}, which the others do not have; joined without it"
        for source, folder in zip(sources, folders, strict=True)
        if folder
    ]
    return short, notes


def _folder(ids: Sequence[str]) -> str:
    """The longest folder that all ids lie in, with its slash; empty where there is none."""
    # What the first and the last in order have in common, all between them have.
    first, last = min(ids).split("/")[:-1], max(ids).split("/")[:-1]
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(f"{part}/" for part, _ in shared)


def _same(ids: Sequence[tuple[str, ...]]) -> bool:
    first = set(ids[0])
    return all(set(other) == first for other in ids[1:])


def _common(
    sources: Sequence[Source], ids: Sequence[tuple[str, ...]], align: Align
) -> tuple[tuple[str, ...], list[str]]:
    """The images to vote on, in the first source's order, and what was left out."""
    sets = [set(own) for own in ids]
    everywhere, somewhere = set.intersection(*sets), set.union(*sets)
    kept = tuple(image_id for image_id in ids[0] if image_id in everywhere)
    if everywhere == somewhere:
        return kept, []
    lacking = [
        f"{source.name} lacks {len(missing):,} ({listing(sorted(missing), limit=3)})"
        for source, own in zip(sources, sets, strict=True)
        if (missing := somewhere - own)
    ]
    if not kept or align == "refuse":
        hint = _hint(sets)
        raise DessinError(
            f"The sources are not about the same images: of {len(somewhere):,} ids all have "
            f"{len(everywhere):,}; {'; '.join(lacking)}.",
            allowed=hint,
            do="Correct the ids."
            if hint or not kept
            else "Correct the files, or vote on the ids that all of them have with --align common.",
        )
    return kept, [
        f"{len(somewhere) - len(kept):,} images that not all have are left out: {'; '.join(lacking)}"
    ]


def _hint(sets: Sequence[set[str]]) -> str:
    """What would make the ids agree, where that is a matter of spelling; it is never done unasked."""
    ways: list[tuple[str, Callable[[str], str]]] = [
        ("in capital and small letters", str.lower),
        ("in the suffix", lambda image_id: str(PurePosixPath(image_id).with_suffix(""))),
        ("in the folder", lambda image_id: PurePosixPath(image_id).name),
    ]
    for what, change in ways:
        changed = [{change(image_id) for image_id in own} for own in sets]
        unambiguous = all(len(after) == len(own) for after, own in zip(changed, sets, strict=True))
        if unambiguous and all(after == changed[0] for after in changed):
            return f"They would be the same if they did not differ {what}."
    return ""


def _classes(sources: Sequence[Source]) -> tuple[tuple[str, ...], list[str]]:
    """The joined classes: those of the probabilities, which must agree; else all labels that occur."""
    with_columns = [source for source in sources if source.probabilities is not None]
    if not with_columns:
        return in_order({label for source in sources for label in source.classes}), _strangers(sources)
    first, classes, notes = with_columns[0], with_columns[0].classes, []
    for other in with_columns[1:]:
        only = [(set(a.classes) - set(b.classes), a.name) for a, b in ((first, other), (other, first))]
        parts = [f"{len(own):,} only {name} has ({listing(sorted(own))})" for own, name in only if own]
        if parts:
            raise DessinError(
                f"{first.name} and {other.name} do not have the same classes: {' and '.join(parts)}.",
                do="Vote among answers about the same classes.",
            )
    differing = [source.name for source in with_columns if source.classes != classes]
    if differing:
        # An order that does not depend on which file came first.
        classes = in_order(classes)
        notes.append(f"the classes come in another order in {listing(differing)}; they are joined by name")
    for source in sources:
        strange = sorted(set(source.classes) - set(classes))
        if strange:
            raise DessinError(
                f"{source.name} has {len(strange):,} labels that are no class of {first.name}: "
                f"{listing(strange)}.",
                allowed=f"Its classes are such as {listing(list(classes), limit=3)}.",
                do="Vote among answers about the same classes, written in the same way.",
            )
    return classes, notes


def _strangers(sources: Sequence[Source]) -> list[str]:
    """A file that shares no label with any other writes its labels in another way, or is of other images."""
    if len(sources) < 2:
        return []
    notes = []
    for source in sources:
        others = {label for other in sources if other is not source for label in other.classes}
        own = set(source.classes)
        if own and others and not own & others:
            labels = " and ".join(listing(list(in_order(some)), limit=3) for some in (own, others))
            seen = f"{source.name} and the others have not one label in common: {labels}"
            if len(own) > 1 and len(others) > 1:
                raise DessinError(f"{seen}.", do="Write the labels in the same way in every file.")
            notes.append(seen)
    return notes


def _voter(source: Source, ids: tuple[str, ...], kept: tuple[str, ...], classes: tuple[str, ...]) -> Voter:
    """The source's rows in the order of `kept` and its columns in the order of `classes`."""
    place = {image_id: row for row, image_id in enumerate(ids)}
    rows = np.array([place[image_id] for image_id in kept], dtype=np.int64)
    number = {label: i for i, label in enumerate(classes)}
    column = np.array([number[label] for label in source.classes], dtype=np.int64)
    votes = source.votes[rows]
    joined = np.where(votes == ABSTAINS, ABSTAINS, column[votes]) if len(column) else votes
    probabilities = source.probabilities
    if probabilities is not None:
        probabilities = probabilities[rows][:, np.argsort(column)]
        # Equal probabilities: the first class of the joined order, whatever the file's own order was.
        joined = probabilities.argmax(axis=1)
    truth = None
    if source.truth is not None:
        truth = np.array([number.get(source.truth[row], ABSTAINS) for row in rows], dtype=np.int64)
    return Voter(source.name, rows, joined.astype(np.int64), probabilities, truth)
