"""What routing came to: typed for `results.json`."""

from __future__ import annotations

from typing import Any, Literal

from dessin.committees.results import CommitteeResults
from dessin.decisions import Decision
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

ROUTER_ALONE = "router alone"
BOTH = "router and experts"
OWN_FAMILIES = "own families and experts"


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


class RouteResults(CommitteeResults):
    """`results.json`: the generalist and the routed models on the N images of `folds`, out of fold.

    `committee` names the variant that the committee answers by; it was fixed before anything was measured.
    `comparisons` are of each routed variant against the generalist, corrected by Holm; `router` is that of
    the router's family against the generalist's own sums. `asked` is how many models answer for each fold.
    """

    TABLE = "variants"

    kind: Literal["route"] = "route"
    generalist: str
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
    verdict: str = ""

    def named(self, name: str) -> Variant:
        return next(variant for variant in self.variants if variant.name == name)

    @property
    def main(self) -> Comparison:
        """The committee's own variant against the generalist."""
        return next(row for row in self.comparisons if row.name == self.committee)
