"""What will be done to each image of a batch, as pure numbers: matrices, fields, pixel steps and mixing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation.geometry import identities
from dessin.augmentation.mix_plan import MixPlan
from dessin.augmentation.ops import act_of
from dessin.augmentation.spec import Action, Matrices, Rows, Seeds

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PixelStep:
    """A pixel function on the images `rows` (n,) int64, ascending (None: all of the batch).

    `values` (n, k) float32 are its parameters, `seeds` (n,) int64 its per-image seeds for draws a pixel.
    """

    name: str
    rows: Rows | None
    values: Values
    seeds: Seeds

    def part(self, start: int, stop: int) -> PixelStep | None:
        """The step on the images from `start` to `stop`, numbered from 0; None where it has none."""
        if self.rows is None:
            chosen, rows = slice(start, stop), None
        else:
            chosen = slice(*np.searchsorted(self.rows, (start, stop)))
            rows = self.rows[chosen] - start
            if not len(rows):
                return None
            # Rows are ascending, so as many rows as images are all of them.
            rows = None if len(rows) == stop - start else rows
        return PixelStep(self.name, rows, self.values[chosen], self.seeds[chosen])


@dataclass(frozen=True, eq=False)
class AugmentPlan:
    """The plan of N images of `size` x `size` pixels, carried out by `apply_plan` and then `mix`.

    Geometry acts first and in one resampling, then the pixel steps in the order written. `matrices`
    (N, 3, 3) float64 map old places to new ones in coordinates -1..1; `fields`, each (N, 2, points, points)
    float32, are control points of how far, along x and y and in shares of the side, the place is shifted
    that a new pixel is read from. `moves` is false where no op of the pipeline moves anything. The picture
    is the sum of the plan's own and of its `chains`' pictures, by `chain_weights` (N, 1 + chains) float32.
    """

    matrices: Matrices
    size: int
    fields: tuple[Values, ...] = ()
    steps: tuple[PixelStep, ...] = ()
    mixing: MixPlan | None = None
    chains: tuple[AugmentPlan, ...] = ()
    chain_weights: Values | None = None
    moves: bool = True
    actions: tuple[Action, ...] = ()

    def describe(self, image: int) -> str:
        """What happens to an image of the batch, with numbers, such as "rotate +7.3°, thickness ×1.12"."""
        parts = [caption for action in self.actions if (caption := caption_of(action, image)) is not None]
        if self.chain_weights is not None:
            shares = " + ".join(f"{weight:.0%}" for weight in self.chain_weights[image, 1:])
            parts.append(f"augmix {shares}")
        if self.mixing is not None:
            parts.append(self.mixing.describe(image))
        return ", ".join(parts) or "unchanged"

    def part(self, start: int, stop: int) -> AugmentPlan:
        """What `apply_plan` does to the images from `start` to `stop`, numbered from 0, without mixing."""
        steps = (step.part(start, stop) for step in self.steps)
        return AugmentPlan(
            self.matrices[start:stop],
            self.size,
            fields=tuple(points[start:stop] for points in self.fields),
            steps=tuple(step for step in steps if step is not None),
            chains=tuple(chain.part(start, stop) for chain in self.chains),
            chain_weights=None if self.chain_weights is None else self.chain_weights[start:stop],
            moves=self.moves,
        )


def caption_of(action: Action, image: int) -> str | None:
    """What an action does to one image of the batch, with its numbers; None where it does nothing."""
    place = int(np.searchsorted(action.rows, image))
    if place == len(action.rows) or action.rows[place] != image:
        return None
    numbers = action.numbers[place]
    return act_of(action.act).caption.format(*numbers, most=np.abs(numbers).max(initial=0.0))


def compile_plan(actions: Sequence[Action], count: int, size: int, *, moves: bool) -> AugmentPlan:
    """Actions on a batch of `count` images, in their order, as one plan."""
    matrices = identities(count)
    fields: list[Values] = []
    steps: list[PixelStep] = []
    for action in actions:
        if not len(action.rows):
            continue
        act = act_of(action.act)
        if act.matrices is not None:
            matrices[action.rows] = act.matrices(action.numbers) @ matrices[action.rows]
        elif act.points:
            grid = np.zeros((count, 2, act.points, act.points), dtype=np.float32)
            grid[action.rows] = action.numbers.reshape(-1, *grid.shape[1:])
            fields.append(grid)
        else:
            rows = None if len(action.rows) == count else action.rows
            seeds = action.seeds if len(action.seeds) else np.zeros(len(action.rows), dtype=np.int64)
            steps.append(PixelStep(action.act, rows, action.numbers.astype(np.float32), seeds))
    return AugmentPlan(matrices, size, tuple(fields), tuple(steps), moves=moves, actions=tuple(actions))


def with_chains(
    plan: AugmentPlan, chains: Sequence[Sequence[Action]], weights: NDArray[np.float64]
) -> AugmentPlan:
    """The plan blended with what each chain makes of it; `weights` (N, 1 + chains), the plan's own first."""
    count = len(plan.matrices)
    plans = (compile_plan((*plan.actions, *chain), count, plan.size, moves=True) for chain in chains)
    return replace(plan, chains=tuple(plans), chain_weights=weights.astype(np.float32))
