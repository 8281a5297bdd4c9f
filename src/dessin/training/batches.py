"""The batches of one epoch, in an order and with plans that nothing but (seed, epoch, image ids) decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from dessin.augment.plan import AugmentPlan, plan_batch
from dessin.randomness import permutation
from dessin.training.data import PixelSource, Rows, TrainingData

Made = TypeVar("Made")


@dataclass(frozen=True)
class Batch:
    """Pixels (n, channels, S, S) and background (n, channels), uint8 on the device; labels (n,); the plan."""

    pixels: Tensor
    background: Tensor
    labels: Rows
    plan: AugmentPlan


def batch_bounds(images: int, batch_size: int) -> list[tuple[int, int]]:
    """(start, stop) of every batch of an epoch.

    The last may be smaller; a single image left over joins the batch before it, since batch normalisation
    has no variance of one image.
    """
    starts = list(range(0, images, batch_size))
    if len(starts) > 1 and images - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], images], strict=True))


def epoch_batches(
    data: TrainingData,
    source: PixelSource,
    ops: Sequence[str],
    *,
    seed: int,
    epoch: int,
    batch_size: int,
    first: int = 0,
    workers: int = 0,
) -> Iterator[Batch]:
    """Yield an epoch's batches from number `first` on; `workers` threads prepare them ahead (0: none)."""
    order = permutation(seed, "order", epoch, data.keys)

    def prepare(bounds: tuple[int, int]) -> Batch:
        chosen = order[slice(*bounds)]
        pixels, background = source.gather(data.train_rows[chosen])
        plan = plan_batch(ops, seed, epoch, data.keys[chosen], source.size)
        return Batch(pixels, background, data.train_labels[chosen], plan)

    yield from _ahead(prepare, batch_bounds(len(order), batch_size)[first:], workers)


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
