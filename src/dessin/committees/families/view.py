"""The families in words and as a page: their share of the errors, and what they could pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dessin.committees.answers import OutOfFold
from dessin.committees.families.measure import Potential, worth_an_expert
from dessin.committees.families.proposals import Proposal, soft_confusion, stability
from dessin.committees.families.result import FamilyMap
from dessin.page.numbers import counted, listed, points
from dessin.page.pictures import ACCENT, GRID, INK, MUTED, figure_data_uri, new_figure
from dessin.page.render import render_page

_SHOWN = 6
# A family with more of the classes than this is a task nearly as hard as the whole.
_LARGE = 0.5
# Adjusted Rand indices, by convention.
_HOLD, _HOLD_IN_PART = 0.65, 0.35


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


def cautions(answers: OutOfFold, found: Potential, *, same_images: bool) -> tuple[str, ...]:
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
        f"{row.name} holds {len(row.labels):,} of the {len(answers.classes):,} classes: an expert for it has "
        "nearly the whole task."
        for row in found.families
        if len(row.labels) > _LARGE * len(answers.classes)
    ]
    return tuple(lines)


def how_stable(answers: OutOfFold, count: int) -> str:
    """Whether other images would have suggested the same families, in words."""
    value = stability(answers.probabilities, answers.targets, answers.groups, count=count)
    images = len(answers.targets) / len(answers.classes)
    if value is None:
        return (
            f"With {images:.0f} images a class, most of them in one group, it cannot be said whether other "
            "images would suggest the same families; runs of more folds can tell."
        )
    held = "hold" if value > _HOLD else "hold in part" if value > _HOLD_IN_PART else "depend on the images"
    return (
        f"The families {held}: from one half of the images and from the other they agree by {value:.2f} "
        f"(adjusted Rand index: 1 the same, 0 chance), with {images:.0f} images a class in both together."
    )


def family_lines(found: Potential, names: Mapping[str, str]) -> list[str]:
    """Accuracy now and with perfect parts, then a line a family."""
    errors = max(1, sum(row.errors for row in found.families))
    lines = [
        f"now: {found.now}; the family is right in {found.found}",
        f"perfect router: {found.router.accuracy}, {points(found.router.gain.difference)} points",
    ]
    lines += [
        f"perfect experts for the first {'family' if place == 1 else f'{place} families'}: {bound.accuracy}, "
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


def families_page(answers: OutOfFold, proposal: Proposal, found: Potential, cautions: Sequence[str]) -> str:
    """`families.html`, whole: nothing is loaded from outside and every name is escaped."""
    errors = max(1, sum(row.errors for row in found.families))
    return render_page(
        "dessin.committees.families",
        "families.html",
        title=f"Families of {len(answers.classes)} classes",
        answers=answers,
        proposal=proposal,
        potential=found,
        verdict=verdict(found),
        cautions=cautions,
        errors=errors,
        confusion=_confusion(answers, proposal.families),
        modularity=_modularity(proposal),
    )


def _confusion(answers: OutOfFold, families: FamilyMap) -> str:
    """Classes by classes, family by family: how much probability images of a row give to a column."""
    number = families.numbers(answers.classes)
    sizes = np.bincount(number)
    order = np.lexsort((np.arange(len(number)), number, -sizes[number]))
    sorted_mean = soft_confusion(answers.probabilities, answers.targets)[np.ix_(order, order)].copy()
    np.fill_diagonal(sorted_mean, 0.0)
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = new_figure(5.6, 5.4)
    axes.grid(False)
    ramp = LinearSegmentedColormap.from_list("house", ["#ffffff", ACCENT, INK])
    # Square roots, or a few pairs of classes would be all that is seen.
    axes.imshow(np.sqrt(sorted_mean), cmap=ramp, interpolation="nearest", aspect="equal")
    for edge in np.flatnonzero(np.diff(number[order])) + 0.5:
        axes.axhline(edge, color=MUTED, linewidth=0.5)
        axes.axvline(edge, color=MUTED, linewidth=0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("named as", fontsize=7)
    axes.set_ylabel("images of", fontsize=7)
    return figure_data_uri(figure)


def _modularity(proposal: Proposal) -> str:
    """How good each number of families is; empty where families were not cut from confusions."""
    if not len(proposal.modularity):
        return ""
    values, chosen = proposal.modularity, len(proposal.families.names)
    figure, axes = new_figure(5.6, 2.6)
    counts = np.arange(1, len(values) + 1)
    axes.plot(counts, values, color=ACCENT, linewidth=1.8)
    axes.axhline(0, color=GRID, linewidth=0.8)
    axes.plot([chosen], [values[chosen - 1]], "o", color=ACCENT)
    axes.annotate(
        f"{chosen} families", (chosen, values[chosen - 1]), xytext=(8, 4), textcoords="offset points"
    )
    axes.margins(y=0.15)
    axes.set_xlabel("number of families")
    axes.set_ylabel("modularity")
    return figure_data_uri(figure)
