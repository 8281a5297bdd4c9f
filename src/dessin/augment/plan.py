"""What will be done to each image of a batch: pure numbers, from (ops, seed, epoch, image key) alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dessin.augment.geometry import Matrices, identities
from dessin.augment.registry import bind_op
from dessin.randomness import Words, uniform


@dataclass(frozen=True)
class AugmentPlan:
    """One matrix an image, (N, 3, 3) float64, from old to new place in coordinates -1..1; `size` in pixels.

    All geometric ops of an image are one product, so its pixels are resampled once and not once an op. With
    `changes` false there is nothing to resample.
    """

    matrices: Matrices
    size: int
    changes: bool


def plan_batch(ops: Sequence[str], seed: int, epoch: int, keys: Words, size: int) -> AugmentPlan:
    """Plan N images, given by their keys (N,) uint64; ops act in the order they are written.

    An image's plan depends neither on the other images nor on the other ops: adding an op to a recipe leaves
    the draws of the rest as they were, so two recipes that differ in one op differ in nothing else.

    Raises:
        DessinError: an unknown op or a value outside its range.
    """
    matrices = identities(len(keys))
    occurrences: Counter[str] = Counter()
    for text in ops:
        bound = bind_op(text)
        spec = bound.spec
        draws = uniform(seed, f"augment {spec.name} {occurrences[spec.name]}", epoch, keys, spec.columns)
        matrices = spec.matrices(draws, *bound.values) @ matrices
        occurrences[spec.name] += 1
    return AugmentPlan(matrices, size, changes=bool(ops))
