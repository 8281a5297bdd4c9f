"""What routing came to: typed for `results.json`, and as lines for a terminal."""

from __future__ import annotations

from typing import Any, Literal

from dessin.decisions import Decision
from dessin.page.numbers import points
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

FORMAT = 1
RESULTS_FILE = "results.json"


class Variant(Section):
    """A way to answer, measured on the same images; `family` is how often its family is right."""

    name: str
    accuracy: Estimate
    family: Estimate
    loss: Estimate


class BoundRow(Section):
    """What a perfect part would give, and its gain over the generalist, paired; not a result."""

    name: str
    accuracy: Estimate
    gain: Estimate


class ExpertRow(Section):
    """An expert beside the generalist, on the images of its family alone, with the family given."""

    family: str
    classes: int
    generalist: Estimate
    expert: Estimate
    gain: Comparison


class RouteResults(Section):
    """`results.json`: the generalist and the routed models on the N images of `folds`, out of fold.

    `committee` names the variant that the committee answers by; it was fixed before anything was measured.
    `comparisons` are of each routed variant against the generalist, corrected by Holm; `router` is that of
    the router's family against the generalist's own sums. `asked` is how many models answer for each fold.
    """

    format: int = FORMAT
    kind: Literal["route"] = "route"
    generalist: str
    images: int
    groups: int
    folds: tuple[int, ...]
    families: dict[str, tuple[str, ...]]
    committee: str
    asked: int
    variants: tuple[Variant, ...]
    comparisons: tuple[Comparison, ...]
    router: Comparison | None
    experts: tuple[ExpertRow, ...]
    bounds: tuple[BoundRow, ...]
    decisions: tuple[Decision[Any], ...]
    verdict: str
    cautions: tuple[str, ...]

    def named(self, name: str) -> Variant:
        return next(variant for variant in self.variants if variant.name == name)


def result_lines(results: RouteResults) -> list[str]:
    """Accuracies, differences, bounds and the verdict, as lines for a terminal."""
    gains = {row.name: f", {points(row.difference)} points" for row in results.comparisons}
    lines = [
        f"{variant.name}: {variant.accuracy}{gains.get(variant.name, '')}; "
        f"family right {variant.family.value:.1%}"
        for variant in results.variants
    ]
    lines += [
        f"inside {row.family}: generalist {row.generalist.value:.1%}, expert {row.expert.value:.1%}, "
        f"{points(row.gain.difference)} points, n = {row.expert.n:,}"
        for row in results.experts
    ]
    lines += [
        f"bound, {bound.name}: {bound.accuracy}, {points(bound.gain)} points" for bound in results.bounds
    ]
    return [*lines, results.verdict, *(f"Note: {caution}" for caution in results.cautions)]
