"""Whether a map tells the truth: take away what it marks, or show that alone, and see what the class does.

Deletion and insertion: Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of
black-box models" (BMVC 2018). Both work on the drawing's own paper here: that is what a drawing has where
nothing is drawn, so neither curve meets edges or a blur that no drawing has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from dessin.randomness import image_keys, uniform
from dessin.trust.explain.maps import Floats, enlarged

STEPS = 10
# Smaller than what differs in a map; only equal places are put in order by it.
_TIE = 1e-6

Keep = NDArray[np.bool_]
# The probability (K,) of the explained class where of one drawing only `keep` (K, S, S) is to be seen.
Answer = Callable[[Keep], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of the class at shares 0, 0.1, .. 1 of the area, marked places first: (11,) each."""

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]

    @property
    def deletion_area(self) -> float:
        """The mean height of the curve, 0..1; low where the map marks what the class rests on."""
        return _area(self.deletion)

    @property
    def insertion_area(self) -> float:
        """The mean height of the curve, 0..1; high where what the map marks is enough."""
        return _area(self.insertion)


def curves(answer: Answer, maps: Mapping[str, Floats], ties: Floats) -> dict[str, Curves]:
    """The two curves of each map (S, S) of one drawing, all asked in one batch.

    Places of equal value come in the order of `ties` (S, S) in 0..1.
    """
    marked = {name: _marked(values, ties) for name, values in maps.items()}
    ends = np.stack([np.ones_like(ties, dtype=np.bool_), np.zeros_like(ties, dtype=np.bool_)])
    keep = np.concatenate([ends, *(part for top in marked.values() for part in (~top, top))])
    answers = answer(keep)
    whole, blank, rest = answers[:1], answers[1:2], answers[2:].reshape(len(maps), 2, STEPS - 1)
    return {
        name: Curves(
            deletion=np.concatenate([whole, rest[number, 0], blank]),
            insertion=np.concatenate([blank, rest[number, 1], whole]),
        )
        for number, name in enumerate(maps)
    }


def random_map(image_id: str, seed: int, shape: tuple[int, int], size: int) -> Floats:
    """A map that knows nothing, (size, size) in 0..1, as coarse and as smooth as one of `shape` cells."""
    height, width = shape
    draws = uniform(seed, "explain random map", 0, image_keys([image_id]), height * width)
    full: Floats = enlarged(draws.reshape(1, height, width).astype(np.float32), size)[0]
    return full


def ink_map(ink: NDArray[np.bool_], shape: tuple[int, int]) -> Floats:
    """A map that knows where ink is and nothing of the model: the share of ink of `shape` cells, (S, S)."""
    height, width = shape
    cells = cv2.resize(ink.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    full: Floats = enlarged(np.asarray(cells, dtype=np.float32)[None], len(ink))[0]
    return full


def agreement(values: Floats, drops: Floats) -> float:
    """Spearman's rank correlation of a map (S, S) with what covering cells costs (g, g); 0 if one is flat."""
    cells = cv2.resize(values, drops.shape[::-1], interpolation=cv2.INTER_AREA).ravel()
    if np.ptp(cells) == 0 or np.ptp(drops) == 0:
        return 0.0
    return float(spearmanr(cells, drops.ravel()).statistic)


def _marked(values: Floats, ties: Floats) -> Keep:
    """The places of highest value that make up 0.1, 0.2, .. 0.9 of the area, (9, S, S)."""
    order = np.argsort(-(values.astype(np.float64) + _TIE * ties).ravel(), kind="stable")
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    shares = np.arange(1, STEPS) / STEPS
    return (rank < shares[:, None] * order.size).reshape(STEPS - 1, *values.shape)


def _area(curve: NDArray[np.float64]) -> float:
    return float(np.trapezoid(curve) / (len(curve) - 1))
