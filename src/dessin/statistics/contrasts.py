"""Does a change help? Differences of accuracy between levels of a study, with what images and runs vary.

Every level has runs of the same seeds and folds, so that each image is answered by every level: results are
paired by image, and by run. Two things vary: which drawings were asked, and how a training happened to end.
An interval from images alone forgets the second and is wrong in up to half of all studies where trainings
differ; see `tests/statistics/test_study_simulation.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from dessin.statistics.intervals import FEW_GROUPS, LEVEL, Estimate, Floats, bootstrap_mean
from dessin.statistics.paired_tests import sign_flip
from dessin.statistics.power import detectable, power_needed
from dessin.statistics.variance import Variance, estimate_variance

Scope = Literal["recipes", "these runs"]
_BOUNDS = (-1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What every run of a study got right.

    Attributes:
        correct: (L, S, N) float64, 1 right and 0 wrong, for L levels, S seeds and N images; NaN where a level
            has no run of that seed on the fold of that image.
        fold_of: (N,) int64, one of `folds`.
        groups: (N,) str; whole groups are resampled. An empty string is a group of its own.
        split_folds: how many folds the split has, of which `folds` were used.
    """

    levels: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    correct: Floats
    fold_of: NDArray[np.int64]
    groups: NDArray[Any]
    image_ids: tuple[str, ...]
    split_folds: int


@dataclass(frozen=True)
class Contrast:
    """A difference of accuracy (-1..1) with what it rests on.

    `difference` counts images and runs. `by_image` resamples groups alone; `by_seed` is Student's over the
    differences of whole seeds; `by_fold` that of Nadeau and Bengio over folds; None where there is only one.
    `sign_flip_p` is exact, for up to 20 whole seeds.
    `scope` is "these runs" where one run each was compared: nothing is then known of how runs vary.
    """

    difference: Estimate
    by_image: Estimate
    by_seed: Estimate | None
    by_fold: Estimate | None
    seed_differences: tuple[float, ...]
    sign_flip_p: float | None
    p: float
    standard_error: float
    degrees_of_freedom: float
    variance: Variance
    cells: int
    images: int
    scope: Scope

    def detectable(self, comparisons: int = 1) -> float:
        """The smallest difference that such a study finds in 80 of 100 cases, as one of `comparisons`."""
        power = power_needed(folds_checked=self.variance.folds_checked)
        return detectable(self.standard_error, self.degrees_of_freedom, comparisons, power=power)


def contrast(outcomes: Outcomes, weights: Mapping[str, float], *, seed: int = 0) -> Contrast:
    """The weighted sum of levels' accuracies; the weights add up to 0, the positive ones to 1.

    Only runs of a seed and fold that all levels with a weight have are used.

    Raises:
        ValueError: weights that are no contrast, or no run that all levels have.
    """
    difference = _differences(outcomes, weights)
    present = ~np.isnan(difference)
    used = present.any(axis=0)
    if not used.any():
        raise ValueError("the levels have no run of the same seed and fold")
    difference, fold_of = difference[:, used], outcomes.fold_of[used]
    groups = np.asarray(outcomes.groups)[used]
    per_image: Floats = np.nanmean(difference, axis=0)
    variance = estimate_variance(difference, fold_of, groups, split_folds=outcomes.split_folds)
    value, n = float(per_image.mean()), int(used.sum())
    error, freedom = variance.standard_error, variance.degrees_of_freedom
    by_image = bootstrap_mean(per_image, groups, seed=seed, bounds=_BOUNDS)
    same = not np.nanmax(np.abs(difference))
    if same:
        # No group differs, so by the binomial at most this share of groups would: the rule of three.
        most = 1 - ((1 - LEVEL) / 2) ** (1 / variance.groups)
        by_image = Estimate(0.0, -most, most, n, f"no difference in {variance.groups} groups")
        error = most / float(student.ppf((1 + LEVEL) / 2, freedom))
    elif variance.groups < FEW_GROUPS:
        # From few groups Student's is too narrow; it is no narrower than that of the images alone.
        half = max(value - by_image.low, by_image.high - value)
        error = max(error, half / float(student.ppf((1 + LEVEL) / 2, freedom)))
    # The mean of each seed that has runs on every image.
    by_seed = [float(row.mean()) for row in difference if not np.isnan(row).any()]
    by_fold = variance.fold_differences
    # An error of nothing means that every group differs by the same.
    p = float(2 * student.sf(abs(value) / error, freedom)) if error else 0.0
    return Contrast(
        difference=_interval(value, error, freedom, n, variance.words()),
        by_image=by_image,
        by_seed=_student(by_seed, n, f"Student over {len(by_seed)} seeds"),
        by_fold=_student(by_fold, n, f"Nadeau and Bengio over {len(by_fold)} folds", outcomes.split_folds),
        seed_differences=tuple(by_seed),
        sign_flip_p=sign_flip(by_seed) if 0 < len(by_seed) <= 20 else None,
        p=1.0 if same else p,
        standard_error=error,
        degrees_of_freedom=freedom,
        variance=variance,
        cells=variance.cells,
        images=n,
        scope="recipes" if variance.cells > 1 else "these runs",
    )


def two_models(
    first: NDArray[Any],
    second: NDArray[Any],
    groups: Sequence[str] | NDArray[Any],
    *,
    folds: NDArray[np.int64] | None = None,
    split_folds: int = 1,
    seed: int = 0,
) -> Contrast:
    """`first` minus `second`: right (1) or wrong (0), (N,), of two trained models on the same images.

    With `folds` (N,), of the `split_folds` that the split has, each fold is a pair of trainings of its own.
    """
    correct = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])[:, None]
    count = correct.shape[2]
    fold_of = np.zeros(count, dtype=np.int64) if folds is None else folds
    outcomes = Outcomes(
        levels=("first", "second"),
        seeds=(0,),
        folds=tuple(np.unique(fold_of).tolist()),
        correct=correct,
        fold_of=fold_of,
        groups=np.asarray(groups),
        image_ids=tuple(map(str, range(count))),
        split_folds=split_folds,
    )
    return contrast(outcomes, {"first": 1.0, "second": -1.0}, seed=seed)


def _differences(outcomes: Outcomes, weights: Mapping[str, float]) -> Floats:
    """(S, N) the contrast of each seed and image; NaN where a level is missing."""
    values = list(weights.values())
    if abs(sum(values)) > 1e-9 or abs(sum(value for value in values if value > 0) - 1) > 1e-9:
        raise ValueError(f"{dict(weights)} is no contrast: weights add up to 0, the positive ones to 1")
    parts = [
        weight * outcomes.correct[outcomes.levels.index(level)] for level, weight in weights.items() if weight
    ]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


def _student(values: Sequence[float], n: int, method: str, split_folds: int = 0) -> Estimate | None:
    """The mean of several differences; None where there is only one.

    Of folds training sets overlap: Nadeau and Bengio, "Inference for the generalization error" (2003).
    """
    count = len(values)
    if count < 2:
        return None
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    if split_folds:
        error = float(np.std(values, ddof=1)) * math.sqrt(1 / count + 1 / (split_folds - 1))
    return _interval(float(np.mean(values)), error, count - 1, n, method)


def _interval(value: float, error: float, freedom: float, n: int, method: str) -> Estimate:
    half = error * float(student.ppf((1 + LEVEL) / 2, freedom))
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half), n, method)
