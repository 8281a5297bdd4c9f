"""Which corrupted drawings a model names right, made in batches while the models of a tree that did not
see them answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import BATCH, join, look, tree_of_fold
from dessin.answers.tree import Node, leaves
from dessin.images.colour import one_opencv_thread
from dessin.images.ink import border_median
from dessin.images.spec import ImageSpec, Interpolation
from dessin.models.card import BundleImage
from dessin.models.network import Network
from dessin.progress import track
from dessin.training.folding import folded
from dessin.training.views import PLAIN
from dessin.trust.robustness.corrupt import Pictures
from dessin.trust.robustness.sketch import Pixels
from dessin.trust.robustness.suite import STRENGTHS, SUITE

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


Seen = tuple[ImageSpec, Interpolation]
_SAMPLE = 2


def seen_by(image: BundleImage) -> Seen:
    """What the pixels of a model depend on; models that agree in it share their corrupted drawings."""
    return image.spec, image.interpolation


@dataclass(frozen=True, eq=False)
class _Leaf:
    classifier: Network
    temperature: float
    place: int


class Answerer:
    """Asks the models of a tree about a batch and joins what they say.

    Args:
        seen: the kinds of pixels that a batch comes in, in their order.
        samples: a few real pixels (n, channels, S, S) of each kind, to check the folded models on.
        fold: only models that were validated on it answer; None for all.
        views: replaces the committee's own, where it is not None.
    """

    def __init__(
        self,
        loaded: LoadedCommittee,
        seen: Sequence[Seen],
        samples: Sequence[Pixels],
        *,
        device: torch.device,
        fold: int | None,
        views: Sequence[str] | None,
    ) -> None:
        self.loaded, self.device = loaded, device
        self.root: Node = loaded.committee.root if fold is None else tree_of_fold(loaded, fold)
        self.views = tuple(loaded.committee.views if views is None else views)
        self._leaves: dict[str, _Leaf] = {}
        for name in leaves(self.root):
            bundle = loaded.bundles[name]
            place = list(seen).index(seen_by(bundle.card.image))
            sample = torch.from_numpy(np.array(samples[place][:_SAMPLE])).to(device)
            ready = folded(bundle.classifier.to(device), sample)
            self._leaves[name] = _Leaf(ready, bundle.card.temperature, place)

    def __call__(self, batches: Sequence[Pixels]) -> NDArray[np.float32]:
        """Probabilities (n, C) of the drawings in `batches`, one batch for each kind of pixels."""
        ready = [self._ready(batch) for batch in batches]
        answers = {
            name: look(leaf.classifier, *ready[leaf.place], temperature=leaf.temperature, views=self.views)
            .cpu()
            .numpy()
            for name, leaf in self._leaves.items()
        }
        return join(self.loaded, answers, self.root)

    def _ready(self, batch: Pixels) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels and, where a view looks beyond the page, the paper as it is after the corruption."""
        shape = batch.shape[:2]
        paper = (
            np.zeros(shape, dtype=np.uint8)
            if self.views == PLAIN
            else np.stack([border_median(picture.transpose(1, 2, 0)) for picture in batch])
        )
        return torch.from_numpy(batch).to(self.device), torch.from_numpy(paper).to(self.device)
