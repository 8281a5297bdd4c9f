"""A trust card as data: what a model may be trusted with, fact by fact, for the page and for programs."""

from __future__ import annotations

from typing import Literal

from dessin.runs.record import SetName
from dessin.schema import Section
from dessin.statistics.intervals import Estimate
from dessin.trust.card.sources import LeakCheck

FORMAT = 1
Tone = Literal["", "good", "warn"]


class Fact(Section):
    """One thing known of a model: a short value, and a sentence that says what is behind it.

    `value` is empty where it was not measured; `detail` then says how to measure it.
    """

    key: str
    title: str
    value: str = ""
    detail: str
    tone: Tone = ""


class TrustCard(Section):
    """`card.json`: the facts in the order of reading, the numbers among them, and what was not tested.

    `numbers` has Results by the key of their fact. `measured_on` is the set that facts are about where no
    other is named.
    """

    format: int = FORMAT
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
