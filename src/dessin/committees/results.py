"""What the results of every committee have, and those of every choice among members."""

from __future__ import annotations

from typing import ClassVar

from dessin.results import Result


class CommitteeResults(Result):
    """`results.json`, of so many `images` in `groups`; `cautions` say what these numbers cannot."""

    FILE: ClassVar[str] = "results.json"

    images: int
    groups: int
    cautions: tuple[str, ...] = ()


class ChoiceResults(CommitteeResults):
    """Of a choice that was made `parts` times without a part of the images; `chosen` names what it gave.

    `summary` says what was found, and `notes` what was done on the way.
    """

    name: str
    chosen: str
    seed: int
    classes: int
    parts: int
    matters: float
    split: str
    manifest: str
    data: str
    summary: tuple[str, ...] = ()
    notes: tuple[str, ...]
    seconds: float
