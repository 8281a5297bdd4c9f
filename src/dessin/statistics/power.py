"""What a design can see: the smallest difference of accuracy that it finds in 80 of 100 studies."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import nct
from scipy.stats import t as student

from dessin.statistics.variance import POOLING_LEVEL

POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True)
class Assumptions:
    """What is taken for granted before anything ran; measured with this package (docs/findings.md).

    Attributes:
        answered_otherwise: the share of images that one level gets right and the other wrong.
        grouping: how much more the drawings of a group vary together than as many single ones would.
        shared: of the variance of single answers, what another seed on the same drawing repeats.
        run_spread: the standard deviation of a training's accuracy that its images do not explain.
    """

    answered_otherwise: float = 0.1
    grouping: float = 1.2
    shared: float = 0.2
    run_spread: float = 0.003


def detectable(
    standard_error: float, degrees_of_freedom: float, comparisons: int = 1, *, power: float = POWER
) -> float:
    """The smallest true difference found with 80% power at 5% (two-sided), as one of `comparisons`.

    Student's t with its noncentral distribution; several comparisons share the 5% as Holm's first step does.
    """
    freedom = max(1.0, degrees_of_freedom)
    critical = float(student.isf(ALPHA / (2 * comparisons), freedom))
    low, high = 0.0, critical + float(student.isf((1 - power) / 2, freedom)) + 10
    for _ in range(60):
        middle = (low + high) / 2
        if float(nct.sf(critical, freedom, middle)) < power:
            low = middle
        else:
            high = middle
    return min(1.0, high * standard_error)


def power_needed(*, folds_checked: bool) -> float:
    """The power to ask of the t-test, so that 80% are left after the check on folds sets its share aside."""
    return POWER / (1 - POOLING_LEVEL) if folds_checked else POWER


def expected_detectable(
    images: int, seeds: int, folds: int, *, comparisons: int = 1, assumed: Assumptions | None = None
) -> tuple[float, str]:
    """The same before anything ran, for `images` validated over the folds, and the assumptions in words."""
    given = assumed or Assumptions()
    cells = seeds * folds
    single = given.answered_otherwise * given.grouping / images
    shared, own = single * given.shared, single * (1 - given.shared) / seeds
    by_runs = 2 * given.run_spread**2 / cells if cells > 1 else 0.0
    # What the spread of cells is seen to be, images included, decides how well the runs' part is known.
    seen = by_runs + own + shared * (folds - 1) / max(1, cells - 1)
    variance = shared + own + by_runs
    freedom = variance**2 / ((shared + own) ** 2 / images + seen**2 / max(1, cells - 1))
    freedom = freedom if cells > 1 else float(images)
    power = power_needed(folds_checked=seeds > 1 and folds > 1)
    smallest = detectable(math.sqrt(variance), freedom, comparisons, power=power)
    runs = (
        f"and two trainings of one recipe differ by {100 * given.run_spread:.1f} points"
        if cells > 1
        else "and nothing is known of how two trainings of one recipe differ, for there is one run a level"
    )
    words = (
        f"differences of {100 * smallest:.1f} points or more, in 80 of 100 such studies, if levels differ "
        f"on {given.answered_otherwise:.0%} of the {images:,} images {runs}"
    )
    return smallest, words
