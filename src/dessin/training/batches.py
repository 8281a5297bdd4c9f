"""The steps of one epoch, in an order and with plans that nothing but (seed, epoch, image ids) decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dessin.augmentation.mix_plan import MixPlan
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.plan import AugmentPlan
from dessin.randomness import Words, permutation
from dessin.training.cached_views import CachedViews
from dessin.training.data import PixelSource, Rows, TrainingData

Made = TypeVar("Made")


@dataclass(frozen=True)
class Batch:
    """Pixels (n, channels, S, S) and background (n, channels), uint8 on the device; labels (n,); the plan.

    Without a plan the pixels are a cached view's activations (n, channels, s, s), float32. `mixing` acts
    on either. `targets` (n, C) float32 are soft ones in place of the labels, or None.
    """

    pixels: Tensor
    background: Tensor
    labels: Rows
    plan: AugmentPlan | None
    mixing: MixPlan | None = None
    targets: NDArray[np.float32] | None = None


Step = tuple[Batch, ...]


def images_of(step: Step) -> int:
    return sum(len(batch.labels) for batch in step)


@dataclass(frozen=True)
class StepSize:
    """A step has `batch_size * accumulate` images, which are computed `batch_size` at a time."""

    batch_size: int
    accumulate: int = 1

    @property
    def images(self) -> int:
        return self.batch_size * self.accumulate

    def steps(self, samples: int) -> int:
        """How many steps an epoch of so many samples has."""
        return len(batch_bounds(samples, self.images))


def batch_bounds(images: int, batch_size: int) -> list[tuple[int, int]]:
    """(start, stop) of every batch of an epoch.

    The last may be smaller; a single image left over joins the batch before it, since batch normalisation
    has no variance of one image.
    """
    starts = list(range(0, images, batch_size))
    if len(starts) > 1 and images - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], images], strict=True))


@dataclass(frozen=True)
class EpochSteps:
    """The steps of every epoch; `workers` threads prepare them ahead (0: none) and change nothing.

    With copies, an epoch holds every image once as it is and once for each copy.
    """

    data: TrainingData
    source: PixelSource
    pipeline: Pipeline
    size: StepSize
    seed: int
    workers: int = 0
    views: CachedViews | None = None

    def of(self, epoch: int, first: int = 0) -> Iterator[Step]:
        """Yield the steps of an epoch (counted from 0) from number `first` on."""
        keys = self.pipeline.sample_keys(self.data.keys)
        if self.views is not None:
            self.views.fill(epoch)
        order = permutation(self.seed, "order", epoch, keys)

        def prepare(bounds: tuple[int, int]) -> Step:
            chosen = order[slice(*bounds)]
            parts = batch_bounds(len(chosen), self.size.batch_size)
            return tuple(self._batch(epoch, keys, chosen[slice(*part)]) for part in parts)

        tasks = batch_bounds(len(order), self.size.images)[first:]
        yield from _ahead(prepare, tasks, self.workers)

    def _batch(self, epoch: int, keys: Words, chosen: Rows) -> Batch:
        """The samples `chosen` (n,) of an epoch, whose keys are `keys`."""
        data = self.data
        copy, image = np.divmod(chosen, len(data.keys))
        targets = None if data.train_targets is None else data.train_targets[image]
        if self.views is not None:
            activations = self.views.gather(chosen, self.views.drawn(epoch, keys[chosen]))
            mixing = self.pipeline.mixing(self.seed, epoch, keys[chosen], activations.shape[-1])
            return Batch(activations, activations[:0], data.train_labels[image], None, mixing, targets)
        pixels, background = self.source.gather(data.train_rows[image])
        plan = self.pipeline.plan(self.seed, epoch, keys[chosen], copy, self.source.size)
        return Batch(pixels, background, data.train_labels[image], plan, plan.mixing, targets)


def _ahead(
    make: Callable[[tuple[int, int]], Made], tasks: Sequence[tuple[int, int]], workers: int
) -> Iterator[Made]:
    if workers == 0:
        yield from map(make, tasks)
        return
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(make, task))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
