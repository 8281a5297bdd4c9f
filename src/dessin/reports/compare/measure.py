"""Runs against the first of them: paired differences, class by class, and robustness where the suite has
measured it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import HOLDOUT
from dessin.committees.gains import FOLDS_TOLD_APART, over_folds
from dessin.errors import DessinError
from dessin.page.numbers import ALPHA
from dessin.runs.joined import Joined, Measured
from dessin.statistics.comparison import Comparison, McNemar, compare
from dessin.statistics.paired_tests import holm, mcnemar
from dessin.trust.robustness.compare import RobustComparison, compare_robustness
from dessin.trust.robustness.result import RobustnessResult

_SHOWN = 8


def comparisons(joined: Joined, matters: float) -> tuple[Comparison, ...]:
    """Every other run against the first; Holm's correction is over all of them."""
    base, others = joined.correct[0], joined.correct[1:]
    name, runs = joined.runs[0].name, joined.runs[1:]
    # Whose luck is not in the numbers is said once for all of them, in a caution.
    folds = joined.runs[0].predictions.of(joined.image_ids).folds
    numbers = np.array([-1 if fold == HOLDOUT else int(fold) for fold in folds], dtype=np.int64)
    if not several_trainings(joined):
        numbers = np.zeros_like(numbers)
    split_folds = joined.runs[0].split.folds
    contrasts = [over_folds(other, base, numbers, joined.groups, split_folds) for other in others]
    named = [(run.name, name, found) for run, found in zip(runs, contrasts, strict=True)]
    compared = compare(named, matters, luck=False)
    found = []
    for run, other, comparison in zip(runs, others, compared, strict=True):
        alone, base_alone, p = mcnemar(other, base)
        exact = McNemar(seed=run.record.seed, level_alone=alone, base_alone=base_alone, p=p)
        found.append(comparison.model_copy(update={"mcnemar": (exact,)}))
    return tuple(found)


def several_trainings(joined: Joined) -> bool:
    """Whether each of the runs was trained on the same three folds or more, and answers out of fold."""
    folds = {run.folds for run in joined.runs}
    out_of_fold = HOLDOUT not in joined.runs[0].predictions.folds
    return out_of_fold and len(folds) == 1 and len(next(iter(folds))) >= FOLDS_TOLD_APART


@dataclass(frozen=True)
class ClassChange:
    """A class of `n` images: how many each run named right; `p_holm` is McNemar's over all classes."""

    label: str
    n: int
    base: int
    level: int
    p_holm: float

    @property
    def change(self) -> int:
        return self.level - self.base


@dataclass(frozen=True)
class ClassChanges:
    """The classes that gained and lost most, how many changed at all, and those beyond chance."""

    gained: tuple[ClassChange, ...]
    lost: tuple[ClassChange, ...]
    classes: int
    better: int
    worse: int
    beyond_chance: tuple[str, ...]


def class_changes(base: NDArray[np.bool_], level: NDArray[np.bool_], labels: Sequence[str]) -> ClassChanges:
    """What changed from `base` to `level`, right or wrong (N,) bool, class by class."""
    names = np.asarray(labels)
    kept = [(label, names == label) for label in sorted(set(labels))]
    p_values = holm([mcnemar(level[rows], base[rows])[2] for _, rows in kept])
    changes = [
        ClassChange(label, int(rows.sum()), int(base[rows].sum()), int(level[rows].sum()), p)
        for (label, rows), p in zip(kept, p_values, strict=True)
    ]
    better = sorted((c for c in changes if c.change > 0), key=lambda c: (-c.change, c.n, c.label))
    worse = sorted((c for c in changes if c.change < 0), key=lambda c: (c.change, c.n, c.label))
    return ClassChanges(
        gained=tuple(better[:_SHOWN]),
        lost=tuple(worse[:_SHOWN]),
        classes=len(changes),
        better=len(better),
        worse=len(worse),
        beyond_chance=tuple(c.label for c in changes if c.p_holm < ALPHA),
    )


def robust_pairs(runs: Sequence[Measured]) -> tuple[tuple[RobustComparison, ...], tuple[str, ...]]:
    """Each other run minus the first, and sentences on those that cannot be compared.

    Nothing is said of runs that the suite has not measured: their trust cards say so.
    """
    base = runs[0]
    pairs, cautions = [], []
    first = RobustnessResult.find(base.folder)
    for run in runs[1:]:
        other = RobustnessResult.find(run.folder)
        if first is None or other is None:
            continue
        if first.opencv != other.opencv:
            cautions.append(
                f"The corrupted drawings of {base.name} were made by OpenCV {first.opencv} and those of "
                f"{run.name} by {other.opencv}: they may differ in a few pixels."
            )
        try:
            pair = compare_robustness(run.folder, base.folder)
        except DessinError as error:
            cautions.append(f"Their robustness cannot be compared: {error.seen}")
        else:
            pairs.append(pair.model_copy(update={"first": run.name, "second": base.name}))
    return tuple(pairs), tuple(cautions)
