"""A property of drawings cut into up to three groups, from its lowest values to its highest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dessin.statistics.intervals import Floats

PARTS = 3


def cut(values: Floats) -> NDArray[np.int64]:
    """The part (0, 1 or 2) of each value, (N,): thirds; equal values stay together, empty parts close up.

    A property of two or three values is cut into these.
    """
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= PARTS:
        return np.asarray(place.ravel(), dtype=np.int64)
    edges = np.quantile(values, np.arange(1, PARTS) / PARTS)
    # The highest value may fill a third or more by itself; what is below it is then a part of its own.
    above = [values >= edge if edge == distinct[-1] else values > edge for edge in edges]
    parts = np.sum(above, axis=0)
    return np.asarray(np.unique(parts, return_inverse=True)[1].ravel(), dtype=np.int64)


def scaled_ranks(values: Floats) -> Floats:
    """Ranks (N,) within 0..1; equal values share the middle of theirs."""
    ranks = (rankdata(values) - 0.5) / len(values)
    return np.asarray(ranks, dtype=np.float64)
