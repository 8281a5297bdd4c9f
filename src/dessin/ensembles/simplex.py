"""The weighted soft vote of the highest likelihood: weights on the simplex, by expectation-maximisation.

The vote is a mixture of members, and the update w <- w * mean(p / (w . p)) the EM step for its weights
(Dempster, Laird and Rubin, 1977): it keeps the sum at 1 and never lowers the likelihood. The objective is
concave, so by its gradient g no weights can be better by more than max(g) - 1: that is when to stop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.ensembles.tally import SMALLEST

TOLERANCE = 1e-8
_ROUNDS = 20_000


def fit_weights(own: NDArray[Any]) -> NDArray[np.float64]:
    """Weights (M,) float64 with a sum of 1 that maximise the mean of log(w . p), for p = `own` (M, N).

    `own` are the members' probabilities of the true classes, taken as 1e-7 at least. From equal weights on,
    until no others can be better by more than 1e-8 (or 20,000 rounds). Members that are alike weigh alike.

    Raises:
        ValueError: no member or no image.
    """
    if own.ndim != 2 or not own.size:
        raise ValueError(f"the table of own probabilities is {own.shape}; (members, images) is needed")
    probabilities = np.maximum(own, SMALLEST, dtype=np.float64)
    weights = np.full(len(own), 1.0 / len(own))
    for _ in range(_ROUNDS):
        gradient = probabilities @ (1.0 / (weights @ probabilities)) / own.shape[1]
        if gradient.max() - 1.0 < TOLERANCE:
            break
        weights *= gradient
    return np.asarray(weights / weights.sum())
