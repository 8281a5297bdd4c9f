"""`export.json`: how exported models answer against those that they were made from, and what int8 costs."""

from __future__ import annotations

from dessin.models.card import Precision
from dessin.page.numbers import counted, number, points, share
from dessin.results import Result
from dessin.schema import Section
from dessin.statistics.intervals import Estimate

TOLERANCE = 1e-4
# A loss that is larger than this for certain is said loudly.
LOUD = 0.02


class Agreement(Section):
    """On `drawings` real drawings: the largest difference of a probability, and how many have the same top-1.

    Where torch itself holds two classes for equally likely, to `TOLERANCE`, either is the same top-1.
    """

    drawings: int
    largest_difference: float
    same_top1: int

    @property
    def exact(self) -> bool:
        return self.largest_difference <= TOLERANCE and self.same_top1 == self.drawings

    @property
    def words(self) -> str:
        return (
            f"largest difference of a probability {self.largest_difference:.1e}, "
            f"same top-1 in {number(self.same_top1)} of {counted(self.drawings, 'drawing')}"
        )


class Price(Section):
    """Accuracies (0..1) on validation drawings, each answered by models that were not trained on it.

    `difference` is int8 minus float, paired by drawing.
    """

    float32: Estimate
    int8: Estimate
    difference: Estimate

    @property
    def loses_much(self) -> bool:
        return self.difference.high < -LOUD

    @property
    def words(self) -> str:
        return (
            f"int8 minus float: {points(self.difference)} points of accuracy, n = "
            f"{counted(self.difference.n, 'validation drawing')} (float {share(self.float32)}; "
            f"int8 {share(self.int8)})"
        )


class Exported(Result):
    """`export.json`: how the exported models answer against torch, by their place in the folder.

    `price` is what int8 costs; None for float32, and where no drawing was left out of the training.
    """

    FILE = "export.json"
    WHAT = "what dessin export writes beside a model"

    precision: Precision
    agreement: dict[str, Agreement]
    price: Price | None = None
