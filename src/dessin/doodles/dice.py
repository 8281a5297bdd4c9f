"""The draws of one drawing: a pure function of (seed, name), with nothing shared between drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dessin.randomness import image_keys, uniform

Choice = TypeVar("Choice")


class Dice:
    """Draws for the drawing `name`, taken one after the other from the counter-based generator."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._key = image_keys([name])
        self._draws = uniform(seed, "doodle", 0, self._key, 256)[0]
        self._next = 0

    def many(self, count: int) -> NDArray[np.float64]:
        """The next `count` draws in [0, 1), shape (count,)."""
        while self._next + count > len(self._draws):
            # A column does not depend on how many are asked for, so a longer row continues this one.
            self._draws = uniform(self._seed, "doodle", 0, self._key, 2 * len(self._draws))[0]
        self._next += count
        draws: NDArray[np.float64] = self._draws[self._next - count : self._next]
        return draws

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.many(1)[0])

    def around(self, middle: float, spread: float) -> float:
        """A draw near `middle`: triangular, within `spread` on either side."""
        first, second = self.many(2)
        return middle + spread * float(first + second - 1.0)

    def chance(self, probability: float) -> bool:
        return float(self.many(1)[0]) < probability

    def count(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(float(self.many(1)[0]) * (high - low + 1))

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return choices[self.count(0, len(choices) - 1)]
