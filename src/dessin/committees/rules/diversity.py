"""How differently members err: measures of all pairs at once.

Kuncheva and Whitaker, "Measures of diversity in classifier ensembles" (Machine Learning, 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Diversity:
    """Three symmetric tables (M, M) float64.

    Attributes:
        disagreement: the share of images that exactly one of the two has right; the diagonal is 0.
        double_fault: the share that both have wrong; the diagonal is each member's error.
        q_statistic: Yule's Q, from -1 (never wrong together) over 0 (independent) to 1 (wrong together). Two
            members that never differ have 1. Else, where its denominator is 0 (one of them has all right or
            all wrong), nothing can be told and it is 0.
    """

    disagreement: Floats
    double_fault: Floats
    q_statistic: Floats


def pairwise(correct: NDArray[np.bool_]) -> Diversity:
    """The diversity of all pairs of M members from what they have right, (M, N) bool.

    Raises:
        ValueError: no image.
    """
    if correct.ndim != 2 or not correct.shape[1]:
        raise ValueError(f"the table of right and wrong is {correct.shape}; (members, images) is needed")
    right = np.asarray(correct, dtype=np.float64)
    wrong = 1.0 - right
    # Counts of images, exact in float64: both right, only the first, only the second, both wrong.
    both, first, second, neither = right @ right.T, right @ wrong.T, wrong @ right.T, wrong @ wrong.T
    together, apart = both * neither, first * second
    known = together + apart > 0
    alike = (first + second == 0).astype(np.float64)
    q_statistic = np.divide(together - apart, together + apart, out=alike, where=known)
    images = correct.shape[1]
    return Diversity((first + second) / images, neither / images, q_statistic)
