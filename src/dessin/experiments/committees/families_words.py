"""What families could pay, in sentences and in lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dessin.ensembles.potential import Potential, worth_an_expert
from dessin.page.numbers import counted, listed
from dessin.statistics.verdicts import points

_SHOWN = 6
# A family with more of the classes than this is a task nearly as hard as the whole.
_LARGE = 0.5


def verdict(found: Potential) -> str:
    """Whether a router and experts can pay, and in which families first."""
    worth = worth_an_expert(found)
    router = (
        f"A router that is always right would bring {points(found.router.gain.difference)} points "
        f"to {found.now.value:.1%}."
    )
    if not worth:
        return (
            f"{router} Experts cannot be seen to pay: in no family would even a perfect one gain more than "
            "chance could explain."
        )
    gains = [f"{row.name} ({points(row.bound.gain.difference)})" for row in worth if row.bound]
    return (
        f"{router} Experts can pay, first in {listed(gains)}, if perfect; real ones give a part of that, or "
        "nothing, which dessin route measures."
    )


def cautions(found: Potential, classes: Sequence[str], *, same_images: bool) -> tuple[str, ...]:
    """What the reader must know beside the bounds."""
    lines = [
        "A perfect expert gains more the larger its family is, and one family of everything would make it "
        "perfect altogether: compare families of like size."
    ]
    if same_images:
        lines.append(
            "The families were found in the same confusions that the bounds are computed from, so the bounds "
            "flatter them a little."
        )
    lines += [
        f"{row.name} holds {len(row.labels):,} of the {len(classes):,} classes: an expert for it has nearly "
        "the whole task."
        for row in found.families
        if len(row.labels) > _LARGE * len(classes)
    ]
    return tuple(lines)


def family_lines(found: Potential, names: Mapping[str, str]) -> list[str]:
    """Accuracy now and with perfect parts, then a line a family."""
    errors = max(1, sum(row.errors for row in found.families))
    lines = [
        f"now: {found.now}; the family is right in {found.found}",
        f"perfect router: {found.router.accuracy}, {points(found.router.gain.difference)} points",
    ]
    lines += [
        f"perfect experts for the first {counted(place, 'family', 'families')}: {bound.accuracy}, "
        f"{points(bound.gain.difference)} points"
        for place, bound in enumerate(found.cumulated, start=1)
    ]
    for row in found.families:
        shown = listed([names[label] for label in row.labels], most=_SHOWN)
        lines.append(
            f"  {row.name}: {counted(len(row.labels), 'class', 'classes')}, {row.errors / errors:.0%} of the "
            f"errors, {row.inside} of {row.errors} inside the family; {shown}"
        )
    return lines
