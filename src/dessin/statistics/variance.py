"""The variance of a paired difference, taken apart: what comes from the drawings, what from the runs.

Cells are pairs of runs, one a seed and fold. Within a fold the seeds answer the same images, so how far
cells differ beyond what their images explain is the variance of the runs (a moment estimate of the random
effects of a crossed design). Drawings count as groups: the drawings of one photo are right or wrong
together. Degrees of freedom are Satterthwaite's (1946).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from dessin.statistics.intervals import Floats, group_index

# Two estimates of the runs' variance, within and between folds, are pooled unless a test tells them apart
# (Bancroft, 1944). A more lenient level would guard better against training sets that suit a level, and cost
# power in every study where they do not: at 0.25 a fifth of all studies saw next to nothing.
POOLING_LEVEL = 0.05


@dataclass(frozen=True)
class Variance:
    """The variance of a mean difference as a sum of parts.

    `images` is what another set of drawings would change, `runs` what other trainings would. `run_spread` is
    the standard deviation of a single pair of runs. `folds_differ` says that folds differed more than seeds
    do (where that could be checked), so that training sets matter and Nadeau and Bengio's correction was
    applied to `runs`.
    """

    images: float
    runs: float
    run_spread: float
    degrees_of_freedom: float
    cells: int
    groups: int
    folds_differ: bool
    folds_checked: bool
    fold_differences: tuple[float, ...]

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.images + self.runs)

    def words(self) -> str:
        """How an interval from this variance was found."""
        shown = f"Student with {self.degrees_of_freedom:.0f} degrees of freedom"
        if self.cells == 1:
            return f"{shown} over {self.groups} groups; one run each, so how runs vary is not in it"
        if not self.runs:
            return f"{shown}; {self.groups} groups of images explain all that {self.cells} pairs of runs vary"
        share = self.images / (self.images + self.runs)
        text = f"{shown}; {share:.0%} of the variance from {self.groups} groups of images, the rest from runs"
        return f"{text}, whose training sets overlap (Nadeau and Bengio)" if self.folds_differ else text


@dataclass(frozen=True, eq=False)
class _Fold:
    """One fold: its share of the images, its cells' means, and what their images make these vary.

    `between_seeds` is the part of the variance of cell means within the fold that images explain.
    """

    share: float
    means: Floats
    image_variance: float
    between_seeds: float
    groups: int

    @property
    def mean(self) -> float:
        return float(self.means.mean())

    @property
    def seeds(self) -> int:
        return len(self.means)


def estimate_variance(
    difference: Floats, fold_of: NDArray[np.int64], groups: NDArray[Any], *, split_folds: int
) -> Variance:
    """The variance of the mean of `difference` (S, N), NaN where a seed has no run on an image's fold."""
    folds = [
        _fold(difference[:, fold_of == number], groups[fold_of == number], len(fold_of))
        for number in np.unique(fold_of)
    ]
    images = sum(fold.share**2 * fold.image_variance for fold in folds)
    count = sum(fold.groups for fold in folds)
    cells = sum(fold.seeds for fold in folds)
    image_freedom = max(1, count - len(folds))
    if cells == 1:
        runs, spread, freedom, differ = 0.0, 0.0, float(image_freedom), False
    else:
        runs, spread, freedom, differ = _runs(folds, images, image_freedom, split_folds)
    return Variance(
        images=images,
        runs=runs,
        run_spread=spread,
        degrees_of_freedom=freedom,
        cells=cells,
        groups=count,
        folds_differ=differ,
        folds_checked=len(folds) > 1 and cells > len(folds),
        fold_differences=tuple(fold.mean for fold in folds),
    )


def _fold(difference: Floats, groups: NDArray[Any], total: int) -> _Fold:
    rows = difference[~np.isnan(difference).any(axis=1)]
    seeds, images = rows.shape
    index = group_index(groups)
    count = int(index.max()) + 1
    small = count / max(1, count - 1)
    means, per_image = rows.mean(axis=1), rows.mean(axis=0)

    def clustered(residuals: Floats) -> float:
        sums = np.bincount(index, residuals)
        return float(np.sum(sums**2)) / float(images) ** 2 * small

    between = sum(clustered(rows[s] - per_image - (means[s] - means.mean())) for s in range(seeds))
    return _Fold(
        share=images / total,
        means=means,
        image_variance=clustered(per_image - per_image.mean()),
        between_seeds=between / (seeds - 1) if seeds > 1 else 0.0,
        groups=count,
    )


def _runs(
    folds: list[_Fold], images: float, image_freedom: int, split_folds: int
) -> tuple[float, float, float, bool]:
    """The runs' part of the variance, the spread of a run, the degrees of freedom, whether folds differ.

    A mean square is what cells were seen to vary by; its excess is that less what their images explain.
    """
    within_freedom = sum(fold.seeds - 1 for fold in folds)
    between_freedom = len(folds) - 1
    seeds = len(folds) / sum(1 / fold.seeds for fold in folds)
    within = _mean([float(fold.means.var(ddof=1)) for fold in folds if fold.seeds > 1])
    within_excess = within - _mean([fold.between_seeds for fold in folds if fold.seeds > 1])
    explained = _mean([fold.image_variance for fold in folds])
    between = seeds * float(np.var([fold.mean for fold in folds], ddof=1)) if between_freedom else 0.0
    between_excess = between - seeds * explained if between_freedom else 0.0
    independent = sum(fold.share**2 / fold.seeds for fold in folds)
    if within_freedom and between_freedom:
        expected = seeds * explained + max(0.0, within_excess)
        freedom = within_freedom if within_excess > 0 else max(1, image_freedom // len(folds))
        if expected > 0 and fisher.sf(between / expected, between_freedom, freedom) < POOLING_LEVEL:
            overlap = sum(fold.share**2 for fold in folds) + 1 / (split_folds - 1)
            runs, seen = max(0.0, between_excess) / seeds * overlap, between / seeds * overlap
            spread = math.sqrt(max(0.0, between_excess))
            return runs, spread, _freedom(images, image_freedom, runs, seen, between_freedom), True
    pooled = within_freedom + between_freedom
    excess = (within_freedom * within_excess + between_freedom * between_excess) / pooled
    square = (within_freedom * within + between_freedom * between) / pooled
    runs, seen = max(0.0, excess) * independent, square * independent
    return runs, math.sqrt(max(0.0, excess)), _freedom(images, image_freedom, runs, seen, pooled), False


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _freedom(images: float, image_freedom: int, runs: float, seen: float, run_freedom: int) -> float:
    """Satterthwaite's; the runs' part counts with what was seen, also where images explain all of it."""
    spread = images**2 / image_freedom + seen**2 / run_freedom
    return max(1.0, (images + runs) ** 2 / spread) if spread > 0 else float(image_freedom)
