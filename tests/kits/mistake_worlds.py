"""Made-up drawings of which it is known what they fail on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class World:
    """N drawings in groups of four, four groups a class: right or wrong, class, group, properties."""

    correct: NDArray[np.bool_]
    targets: NDArray[np.int64]
    index: NDArray[np.int64]
    properties: dict[str, NDArray[np.float64]]


def make_world(
    seed: int,
    *,
    classes: int = 40,
    thickness: float = 0.0,
    of_class: float = 0.0,
    of_group: float = 0.0,
    drawn_alike: float = 0.0,
) -> World:
    """Drawings whose chance of success depends on what is given.

    Args:
        thickness: how much the log-odds rise with the drawing's own thickness, less its class's.
        of_class: how much they rise with the class's ease, which moves the class's thickness and ink too.
        of_group: the spread of log-odds of whole groups.
        drawn_alike: how much of thickness and ink is the group's, 0 (none) to 1 (all).
    """
    draw = np.random.default_rng([seed, 7])
    targets = np.repeat(np.arange(classes), 16)
    index = np.repeat(np.arange(classes * 4), 4)
    ease = draw.normal(size=classes)

    def own() -> NDArray[np.float64]:
        apart, together = draw.normal(size=len(index)), draw.normal(size=classes * 4)[index]
        return np.sqrt(1 - drawn_alike) * apart + np.sqrt(drawn_alike) * together

    lines, ink, size = own(), own(), own()
    odds = thickness * lines + of_class * ease[targets] + of_group * draw.normal(size=classes * 4)[index]
    correct = draw.random(len(index)) < 1 / (1 + np.exp(-odds))
    shared = ease[targets] * (of_class > 0)
    return World(correct, targets, index, {"thickness": lines + shared, "ink": ink + shared, "size": size})
