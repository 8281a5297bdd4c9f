"""Gains over a base: paired over folds, and as cells of a CSV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.page.tables import spread
from dessin.statistics.comparison import Comparison
from dessin.statistics.contrasts import Contrast, two_models

Bools = NDArray[np.bool_]
# Two differences say next to nothing of how differences vary.
FOLDS_TOLD_APART = 3


def check_matters(matters: float) -> None:
    """Refuse a smallest difference of accuracy that cannot be one."""
    if not 0.0 < matters < 1.0:
        raise DessinError(f"A difference of {matters:g} was to matter.", allowed="It lies between 0 and 1.")


def over_folds(
    first: Bools, second: Bools, folds: NDArray[np.int64], groups: NDArray[Any], split_folds: int
) -> Contrast:
    """`first` minus `second`, what each has right, (N,): of three folds or more, each is a pair of trainings.

    `split_folds` is how many folds the split has, of which `folds` (N,) are some.
    """
    if len(np.unique(folds)) < FOLDS_TOLD_APART:
        folds = np.zeros_like(folds)
    return two_models(first, second, groups, folds=folds, split_folds=split_folds)


def gain_row(gain: Comparison | None) -> dict[str, object]:
    """A gain as cells of a CSV; empty for the base itself."""
    if gain is None:
        return {**spread("gain", None, ends="gain_"), "p_holm": "", "verdict": ""}
    found = spread("gain", gain.difference, ends="gain_")
    return {**found, "p_holm": gain.p_holm, "verdict": gain.verdict}
