"""A trust card as data: what a model may be trusted with, fact by fact, for the page and for programs."""

from __future__ import annotations

from typing import Literal

from dessin.results import Result
from dessin.runs.record import SetName
from dessin.schema import Section
from dessin.statistics.intervals import Estimate

Tone = Literal["", "good", "warn"]


class LeakCheck(Section):
    """Pairs of copies among the `images` of a split, and how many are `crossing` from one part to another.

    A part is a fold or the holdout. `groups` were on one side each, which a split file is refused without.
    `reason` says why the search for copies could not be made; there are no pairs then.
    """

    images: int
    groups: int
    pairs: int = 0
    crossing: int = 0
    examples: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def searched(self) -> bool:
        return not self.reason


class Fact(Section):
    """One thing known of a model: a short value, and a sentence that says what is behind it.

    `value` is empty where it was not measured; `detail` then says how to measure it.
    """

    key: str
    title: str
    value: str = ""
    detail: str
    tone: Tone = ""


class TrustCard(Result):
    """The facts in the order of reading, the numbers among them, and what was not tested.

    `numbers` has estimates by the key of their fact. `measured_on` is the set that facts are about where no
    other is named.
    """

    FILE = "card.json"
    TABLE = "facts"
    WHAT = "a trust card"

    name: str
    kind: Literal["run", "committee"]
    backbone: str
    classes: int
    model: str
    measured_on: SetName
    images: int
    facts: tuple[Fact, ...]
    numbers: dict[str, Estimate]
    leaks: LeakCheck
    untested: tuple[str, ...]
