"""Properties of drawings that rise and fall together, so that one may stand for the other."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from scipy.stats import pearsonr

from dessin.evaluation.mistakes.cuts import scaled_ranks
from dessin.statistics.intervals import Floats

LEAST = 0.5


def correlated(properties: Mapping[str, Floats]) -> list[tuple[str, str, float]]:
    """Pairs of properties (N,) whose rank correlation (Spearman, 1904) is at least 0.5 either way.

    The strongest come first; drawings that lack one of the two (NaN) are left out.
    """
    found = []
    for first, second in combinations(properties, 2):
        both = np.isfinite(properties[first]) & np.isfinite(properties[second])
        if both.sum() < 3:
            continue
        ranks = [scaled_ranks(properties[name][both]) for name in (first, second)]
        if min(np.ptp(rank) for rank in ranks) == 0:
            continue
        value = float(pearsonr(*ranks).statistic)
        if abs(value) >= LEAST:
            found.append((first, second, value))
    return sorted(found, key=lambda pair: -abs(pair[2]))
