"""The families in words and as a page: their share of the errors, and what they could pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.families.family_map import FamilyMap
from dessin.committees.families.measure import Potential, worth_an_expert
from dessin.committees.families.proposals import Proposal, soft_confusion
from dessin.page.numbers import counted, listed, points
from dessin.page.pictures import ACCENT, GRID, INK, MUTED, figure_data_uri, new_figure
from dessin.page.render import render_page

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


@dataclass(frozen=True, eq=False)
class FamiliesView:
    """What the page says, in words and numbers; `model` names the generalist."""

    model: str
    proposal: Proposal
    potential: Potential
    verdict: str
    cautions: tuple[str, ...]
    names: Mapping[str, str]


def families_page(
    view: FamiliesView, probabilities: NDArray[Any], targets: NDArray[np.int64], classes: Sequence[str]
) -> str:
    """`families.html`, whole: nothing is loaded from outside and every name is escaped."""
    errors = max(1, sum(row.errors for row in view.potential.families))
    return render_page(
        "dessin.committees.families",
        "families.html",
        title=f"Families of {len(classes)} classes",
        view=view,
        potential=view.potential,
        errors=errors,
        classes=classes,
        confusion=_confusion(soft_confusion(probabilities, targets), view.proposal.families, classes),
        modularity=_modularity(view.proposal),
    )


def _confusion(mean: NDArray[np.float64], families: FamilyMap, classes: Sequence[str]) -> str:
    """Classes by classes, family by family: how much probability images of a row give to a column."""
    number = families.numbers(classes)
    sizes = np.bincount(number)
    order = np.lexsort((np.arange(len(classes)), number, -sizes[number]))
    sorted_mean = mean[np.ix_(order, order)].copy()
    np.fill_diagonal(sorted_mean, 0.0)
    figure, axes = new_figure(5.6, 5.4)
    axes.grid(False)
    # Square roots, or a few pairs of classes would be all that is seen.
    axes.imshow(np.sqrt(sorted_mean), cmap=_ramp(), interpolation="nearest", aspect="equal")
    for edge in np.flatnonzero(np.diff(number[order])) + 0.5:
        axes.axhline(edge, color=MUTED, linewidth=0.5)
        axes.axvline(edge, color=MUTED, linewidth=0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("named as", fontsize=7)
    axes.set_ylabel("images of", fontsize=7)
    return figure_data_uri(figure)


def _ramp() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("house", ["#ffffff", ACCENT, INK])


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
