"""Which corrupted drawings a model names right, made in batches while the model answers the ones before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dessin.answers.inference import BATCH
from dessin.evaluation.robustness.corrupt import Pictures
from dessin.evaluation.robustness.sketch import Pixels
from dessin.evaluation.robustness.suite import STRENGTHS, SUITE
from dessin.images.colour import one_opencv_thread
from dessin.progress import track

# One batch (n, channels, S, S) for each way of looking at the drawings → probabilities (n, C).
Answer = Callable[[Sequence[Pixels]], NDArray[np.float32]]
Item = TypeVar("Item")
_Made = tuple[NDArray[np.int64], int, list[Pixels]]


def right_answers(
    looks: Sequence[Pictures],
    places: NDArray[np.int64],
    targets: NDArray[np.int64],
    answer: Answer,
    *,
    label: str = "Robustness",
) -> NDArray[np.uint8]:
    """1 where `answer` names a corrupted drawing right, (16, 5, n) uint8.

    `looks` are the same drawings as models of different sizes see them: each gets the same corruption.
    `places` (n,) are those of the set that are asked about, `targets` (n,) their class numbers.
    """
    correct = np.empty((len(SUITE), STRENGTHS, len(places)), dtype=np.uint8)
    parts = [np.arange(start, min(start + BATCH, len(places))) for start in range(0, len(places), BATCH)]
    with one_opencv_thread():
        made = ahead(_made(looks, places, parts))
        for part, row, batches in track(made, len(parts) * len(SUITE), label):
            for strength in range(STRENGTHS):
                found = answer([batch[strength] for batch in batches])
                correct[row, strength, part] = found.argmax(axis=1) == targets[part]
    return correct


def _made(
    looks: Sequence[Pictures], places: NDArray[np.int64], parts: Sequence[NDArray[np.int64]]
) -> Iterator[_Made]:
    """Each part of the drawings with each corruption in turn, all strengths of it."""
    for part in parts:
        chunks = [look.chunk(places[part]) for look in looks]
        for row, corruption in enumerate(SUITE):
            yield part, row, [chunk.corrupted(corruption) for chunk in chunks]


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made in a thread of its own while the one before is in use."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, items, end)
        while (item := pending.result()) is not end:
            pending = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
