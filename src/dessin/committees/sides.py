"""Drawings that change sides: right by the one that a page is about and wrong by its base, or the reverse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.collection.names import class_names
from dessin.collection.thumbnails import Thumbnails
from dessin.images.spec import Page as Paper
from dessin.language import tr
from dessin.page.blocks import Gallery, Picture, Section, Shot
from dessin.page.numbers import number, percent
from dessin.page.words import Tag

# Drawings of a kind that are shown.
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Sides:
    """What the one that a page is about says of N drawings, and what the base says of them, (N, C).

    The drawings lie at `data`, and `page` is as in a recipe.
    """

    found: Predictions
    base: NDArray[Any]
    data: str
    page: Paper = "off"


def sides_section(sides: Sides, who: str, base: str) -> Section:
    """The drawings that only one of the two names right, and the surest of those that stay wrong."""
    now, before = sides.found.probabilities.argmax(axis=1), sides.base.argmax(axis=1)
    right, was = sides.found.correct, before == sides.found.targets
    sure = sides.found.probabilities.max(axis=1)
    shown = _Drawings(sides)

    def mistaken(row: int) -> str:
        return tr("taken for {label} ({share})", label=shown.name(now[row]), share=percent(sure[row]))

    def other(row: int) -> str:
        return tr("the other says {label}", label=shown.name(before[row]))

    kinds: tuple[tuple[str, NDArray[np.bool_], Callable[[int], str]], ...] = (
        (tr("Only {who} is right", who=who), right & ~was, other),
        (tr("Only {who} is right", who=base), ~right & was, mistaken),
        (tr("Both are wrong, the surest first"), ~right & ~was, mistaken),
    )
    blocks = []
    for title, mask, note in kinds:
        rows = sorted(np.flatnonzero(mask).tolist(), key=lambda row: -sure[row])
        if rows and shown.available:
            shots = tuple(shown.shot(row, note(row)) for row in rows[:_SHOWN])
            some = tr("{n} of {all}", n=_SHOWN, all=number(len(rows)))
            count = some if len(rows) > _SHOWN else number(len(rows))
            blocks.append(Section(title, (Gallery(shots),), tags=(Tag(count, "muted"),)))
    lead = tr(
        "{won} of {n} drawings are named right by {who} and wrong by {base}; {lost} the other way round. "
        "{wrong} both name wrong.",
        won=number(kinds[0][1].sum()),
        lost=number(kinds[1][1].sum()),
        wrong=number(kinds[2][1].sum()),
        n=number(len(right)),
        who=who,
        base=base,
    )
    lead = " ".join((lead, *_confused(sides, now, shown)))
    return Section(tr("What changes, drawing by drawing"), tuple(blocks), lead, "changes")


def _confused(sides: Sides, now: NDArray[np.int64], shown: _Drawings) -> Iterator[str]:
    """The two classes that are taken for each other most, where more than once."""
    wrong = np.flatnonzero(~sides.found.correct)
    pairs = Counter(tuple(sorted((int(now[row]), int(sides.found.targets[row])))) for row in wrong)
    if pairs and (most := pairs.most_common(1)[0])[1] > 1:
        yield tr(
            "Most often {one} and {other} are taken for each other, in {n} of {all} mistakes: more drawings "
            "of these two are the first thing to try.",
            one=shown.name(most[0][0]),
            other=shown.name(most[0][1]),
            n=number(most[1]),
            all=number(len(wrong)),
        )


class _Drawings:
    """The drawings of both sides as a page shows them."""

    def __init__(self, sides: Sides) -> None:
        self._found, self._targets = sides.found, sides.found.targets
        self._thumbnails = Thumbnails(sides.data or None, sides.page)
        self._names = class_names(sides.found.classes) | dict(self._thumbnails.names)
        self.available = self._thumbnails.available

    def name(self, number: int) -> str:
        label = self._found.classes[int(number)]
        return self._names.get(label, label)

    def shot(self, row: int, note: str) -> Shot:
        image_id, label = self._found.image_ids[row], self.name(self._targets[row])
        return Shot((Picture(self._thumbnails.uri(image_id), f"{label}: {image_id}"),), label, note)
