"""What a pipeline really does to a sample of drawings: measured, checked, and laid out to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.augmentation.apply import apply_plan, mix
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.plan import AugmentPlan
from dessin.errors import DessinError
from dessin.images.store import PixelStore
from dessin.randomness import image_keys

Rows = NDArray[np.int64]

TOGETHER = "all together"
SEEN = 2.0  # levels; resampling in place and rounding stay below
_EPOCHS_TRIED = 100  # for an op that few images get


@dataclass(frozen=True)
class OpEffect:
    """What an op alone, or all together, did to a sample.

    `part` says where it stands: `augment`, `from epoch 3` or `copy 1`. Of the `images` of the sample,
    `images_changed` have a pixel that changed by more than 2 levels; `pixels_changed` is the share of such
    pixels among all.
    """

    name: str
    part: str
    images: int
    images_changed: int
    pixels_changed: float


@dataclass(frozen=True, eq=False)
class Drawings:
    """A batch from a store: pixels (n, C, S, S) and background (n, C), both uint8; keys (n,) uint64."""

    pixels: Tensor
    background: Tensor
    keys: NDArray[np.uint64]

    @property
    def size(self) -> int:
        return self.pixels.shape[-1]


def read_drawings(store: PixelStore, rows: Rows) -> Drawings:
    """The rows (n,) of a store, in memory."""
    return Drawings(
        torch.from_numpy(np.asarray(store.pixels[rows])),
        torch.from_numpy(np.asarray(store.background[rows])),
        image_keys([store.image_ids[row] for row in rows]),
    )


def single_ops(pipeline: Pipeline) -> Iterator[tuple[str, str, Pipeline]]:
    """Each op with the part it stands in, and a pipeline of it alone, with the draws it has in the whole."""
    for op in pipeline.augment:
        yield op, "augment", Pipeline((op,))
    for epoch, ops in sorted(pipeline.stages):
        for op in ops:
            yield op, f"from epoch {epoch}", Pipeline((op,))
    for number, ops in enumerate(pipeline.copies, start=1):
        for op in ops:
            yield op, f"copy {number}", Pipeline((), ((op,),))


def rendered(
    pipeline: Pipeline, drawings: Drawings, seed: int, epoch: int, copy: int = 0
) -> tuple[Tensor, AugmentPlan]:
    """The drawings (or a copy of them) as an epoch, counted from 0, trains on them; and the plan."""
    keys = np.split(pipeline.sample_keys(drawings.keys), pipeline.factor)[copy]
    numbers = np.full(len(keys), copy, dtype=np.int64)
    plan = pipeline.plan(seed, epoch, keys, numbers, drawings.size)
    pixels = apply_plan(plan, drawings.pixels, drawings.background)
    return mix(plan.mixing, pixels, torch.eye(len(keys)))[0], plan


def measure_pipeline(pipeline: Pipeline, store: PixelStore, rows: Rows, seed: int) -> tuple[OpEffect, ...]:
    """What each op alone changes in the store's `rows` (n,), and last what all together change.

    An op that acts on few images is measured in the first epoch in which it acts on any of these.
    """
    drawings = read_drawings(store, rows)
    effects = []
    for name, part, alone in single_ops(pipeline):
        pictures = rendered(alone, drawings, seed, _acting_epoch(alone, drawings, seed), alone.factor - 1)[0]
        effects.append(_effect(name, part, [pictures], drawings))
    last = max((epoch for epoch, _ in pipeline.stages), default=1) - 1
    everything = [rendered(pipeline, drawings, seed, last, copy)[0] for copy in range(pipeline.factor)]
    part = "augment" if pipeline.factor == 1 else f"{pipeline.factor} samples an image"
    effects.append(_effect(TOGETHER, part, everything, drawings))
    return tuple(effects)


def check_pipeline(pipeline: Pipeline, store: PixelStore, rows: Rows, seed: int) -> tuple[OpEffect, ...]:
    """Measure, and refuse a pipeline of which an op, or the whole, leaves every image of the sample as it is.

    Raises:
        DessinError: the op that changed nothing is named; or training would see what evaluation sees.
    """
    if not pipeline.changes_anything:
        raise DessinError(
            "The recipe has no augmentation: training would see exactly what evaluation sees.",
            do="Name ops under augment, copies or stages, such as hflip or rotate(15).",
        )
    *effects, together = measure_pipeline(pipeline, store, rows, seed)
    for effect in effects:
        if not effect.images_changed:
            raise DessinError(
                f'The augmentation "{effect.name}" ({effect.part}) changed nothing in any of '
                f"{effect.images} images.",
                allowed=f"A pixel must change by more than {SEEN:g} levels; colour ops leave gray as it is.",
                do="Give it more strength, or remove it from the recipe.",
            )
    if not together.images_changed:
        names = ", then ".join(effect.name for effect in effects)
        raise DessinError(
            f"All together, {names} changed nothing in any of {together.images} images.",
            do="They undo each other: remove one, so that training sees more than evaluation.",
        )
    return (*effects, together)


def effect_lines(effects: Sequence[OpEffect]) -> list[str]:
    """The measurement as a table for people."""
    width = max(len(effect.name) for effect in effects)
    parts = max(len(effect.part) for effect in effects)
    return [
        f"{effect.name:<{width}}  {effect.part:<{parts}}  {effect.pixels_changed:>6.1%} of pixels  "
        f"{effect.images_changed:>4} of {effect.images} images"
        for effect in effects
    ]


def _acting_epoch(alone: Pipeline, drawings: Drawings, seed: int) -> int:
    """The first epoch in which an op acts on any of the drawings; a copy is the same in all epochs."""
    if alone.copies:
        return 0
    originals = np.zeros(len(drawings.keys), dtype=np.int64)
    for epoch in range(_EPOCHS_TRIED):
        plan = alone.plan(seed, epoch, drawings.keys, originals, drawings.size)
        if plan.mixing or plan.chains or any(len(action.rows) for action in plan.actions):
            return epoch
    return 0


def _effect(name: str, part: str, pictures: Sequence[Tensor], drawings: Drawings) -> OpEffect:
    before = drawings.pixels.to(torch.float32)
    changed = torch.cat([((after - before).abs() > SEEN).amax(1) for after in pictures])
    touched = int(changed.flatten(1).any(1).sum())
    return OpEffect(name, part, len(changed), touched, float(changed.float().mean()))
