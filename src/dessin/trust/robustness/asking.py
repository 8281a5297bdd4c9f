"""The drawings of a set, corrupted, and which of them a model names right.

Corrupted drawings are made in batches while the models of a tree that did not see them answer; they have the
same bytes in any order and any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import BATCH, join, look, tree_of_fold
from dessin.answers.predictions import HOLDOUT
from dessin.answers.tree import leaves
from dessin.collection.split.files import Assignment
from dessin.errors import DessinError
from dessin.images.colour import one_opencv_thread
from dessin.images.ink import border_median
from dessin.images.shards import StoredPixels
from dessin.images.spec import Fitting
from dessin.progress import quiet, track
from dessin.randomness import image_keys, uniform
from dessin.runs.subject import Subject
from dessin.training.device import choose_device
from dessin.training.folding import folded
from dessin.training.views import PLAIN
from dessin.trust.robustness.corruption import (
    DRAWS,
    STRENGTHS,
    Corruption,
    Pixels,
    Sketch,
    blank_of,
    fields_of,
    from_page,
    ink_of,
    to_page,
)
from dessin.trust.robustness.suite import SEED, SUITE

# One batch (n, channels, S, S) for each way of fitting drawings → probabilities (n, C).
Answer = Callable[[Sequence[Pixels]], NDArray[np.float32]]
Item = TypeVar("Item")


def choose_seconds(rows: Sequence[Assignment]) -> NDArray[np.int64]:
    """For each of N drawings of a set the place (0..N-1) of the one that the suite puts beside it, (N,).

    It depends on the drawing and on which drawings the fold has, not on their order. It is of the same fold,
    so that a model that was not trained on the one was not trained on the other.

    Raises:
        DessinError: a fold whose drawings are all of one class.
    """
    draws = uniform(SEED, "robustness second", 0, image_keys([row.image_id for row in rows]), 1)[:, 0]
    chosen = np.empty(len(rows), dtype=np.int64)
    for fold in dict.fromkeys(row.fold for row in rows):
        places = [place for place, row in enumerate(rows) if row.fold == fold]
        places.sort(key=lambda place: rows[place].image_id)
        if len({rows[place].label for place in places}) < 2:
            part = HOLDOUT if fold is None else f"fold {fold}"
            raise DessinError(
                f"All {len(places)} drawings of {part} are of the class "
                f'"{rows[places[0]].label}", and the suite puts one of another class beside each.',
                do="Split with fewer folds or a larger holdout.",
            )
        for place in places:
            start = int(draws[place] * len(places))
            circle = places[start:] + places[:start]
            chosen[place] = next(other for other in circle if rows[other].label != rows[place].label)
    return chosen


@dataclass(frozen=True, eq=False)
class SetImages:
    """The N drawings of a set, fitted as one model wants them: `rows` (N,) of a store.

    The store has `pixels` (M, channels, S, S) uint8 and `background` (M, channels) uint8. For each of the N
    `seconds` has the place of the drawing beside it.
    """

    pixels: StoredPixels
    background: Pixels
    rows: NDArray[np.int64]
    image_ids: tuple[str, ...]
    seconds: NDArray[np.int64]

    def chunk(self, places: NDArray[np.int64]) -> Chunk:
        """The drawings at `places` (n,) of the set, read once for all corruptions."""
        keys = image_keys([self.image_ids[place] for place in places])
        beside = self._pages(self.rows[self.seconds[places]])
        seconds = [ink_of(page, blank_of(page, paper)) for page, paper, _ in beside]
        return Chunk(self.pixels.shape[1:], keys, self._pages(self.rows[places]), seconds)

    def _pages(self, rows: NDArray[np.int64]) -> list[tuple[Pixels, tuple[float, ...], bool]]:
        papers = np.asarray(self.background)[rows]
        return [to_page(*pair) for pair in zip(self.pixels[rows], papers, strict=True)]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some drawings of a set, ready to be corrupted in any way; each is of `shape` (channels, S, S)."""

    shape: tuple[int, ...]
    keys: NDArray[np.uint64]
    pages: Sequence[tuple[Pixels, tuple[float, ...], bool]]
    seconds: Sequence[Pixels]

    def corrupted(self, corruption: Corruption) -> Pixels:
        """All strengths, (5, n, channels, S, S) uint8; the draws are the same for each of them."""
        out = np.empty((STRENGTHS, len(self.pages), *self.shape), dtype=np.uint8)
        draws = uniform(SEED, f"robustness {corruption.name}", 0, self.keys, DRAWS)
        fields = fields_of(self.shape[-1], SEED)
        for number, (page, paper, dark) in enumerate(self.pages):
            sketch = Sketch(page, paper, draws[number].tolist(), fields, self.seconds[number])
            made = corruption.act(sketch, corruption.levels)
            for result, place in zip(made, out[:, number], strict=True):
                from_page(result, dark, place)
        return out


def right_answers(
    images: Sequence[SetImages],
    places: NDArray[np.int64],
    targets: NDArray[np.int64],
    answer: Answer,
    *,
    corruptions: Sequence[Corruption] = SUITE,
    label: str = "Robustness",
) -> NDArray[np.uint8]:
    """1 where `answer` names a corrupted drawing right, (corruptions, 5, n) uint8.

    `images` are the same drawings as different models want them: each gets the same corruption.
    `places` (n,) are those of the set that are asked about, `targets` (n,) their class numbers.
    """
    correct = np.empty((len(corruptions), STRENGTHS, len(places)), dtype=np.uint8)
    parts = [np.arange(start, min(start + BATCH, len(places))) for start in range(0, len(places), BATCH)]

    def made() -> Iterator[tuple[NDArray[np.int64], int, list[Pixels]]]:
        """Each part of the drawings with each corruption in turn, all strengths of it."""
        for part in parts:
            chunks = [one.chunk(places[part]) for one in images]
            for row, corruption in enumerate(corruptions):
                yield part, row, [chunk.corrupted(corruption) for chunk in chunks]

    with one_opencv_thread():
        asked = track(
            ahead(made()),
            len(places) * len(corruptions),
            label,
            unit="corrupted images",
            size=lambda each: len(each[0]),
        )
        for part, row, batches in asked:
            for strength in range(STRENGTHS):
                found = answer([batch[strength] for batch in batches])
                correct[row, strength, part] = found.argmax(axis=1) == targets[part]
    return correct


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made in a thread of its own while the one before is in use."""
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(lambda: list(islice(items, 1)))
        while made := pending.result():
            pending = pool.submit(lambda: list(islice(items, 1)))
            yield from made


class Answerer:
    """Asks the models of a tree about a batch and joins what they say.

    `images` is the set in each way in which the models want it, in the order of a batch. Of a `fold` only
    models answer that were validated on it; `views` replaces the committee's own.
    """

    def __init__(
        self,
        loaded: LoadedCommittee,
        images: Mapping[Fitting, SetImages],
        *,
        device: torch.device,
        fold: int | None,
        views: Sequence[str] | None,
    ) -> None:
        self.loaded, self.device = loaded, device
        self.root = loaded.committee.root if fold is None else tree_of_fold(loaded, fold)
        self.views = tuple(loaded.committee.views if views is None else views)
        # Two real drawings of each kind, to check the folded models on.
        samples = [torch.from_numpy(np.array(one.pixels[one.rows[:2]])).to(device) for one in images.values()]
        self._place = {
            name: list(images).index(loaded.bundles[name].card.image.fitting) for name in leaves(self.root)
        }
        self._networks = {
            name: folded(loaded.bundles[name].classifier.to(device), samples[place])
            for name, place in self._place.items()
        }

    def __call__(self, batches: Sequence[Pixels]) -> NDArray[np.float32]:
        """Probabilities (n, C) of the drawings in `batches`, one batch for each way of fitting."""
        ready = [self._ready(batch) for batch in batches]
        answers = {}
        for name, network in self._networks.items():
            temperature = self.loaded.bundles[name].card.temperature
            found = look(network, *ready[self._place[name]], temperature=temperature, views=self.views)
            answers[name] = found.cpu().numpy()
        return join(self.loaded, answers, self.root)

    def _ready(self, batch: Pixels) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels and, where a view looks beyond the page, the paper as it is after the corruption."""
        if self.views == PLAIN:
            paper = np.zeros(batch.shape[:2], dtype=np.uint8)
        else:
            paper = np.stack([border_median(image.transpose(1, 2, 0)) for image in batch])
        return torch.from_numpy(batch).to(self.device), torch.from_numpy(paper).to(self.device)


# A fold, places (n,) of the set, and the number of a corruption.
Share = tuple[int | None, NDArray[np.int64], int]


class Asking:
    """What a model has right of the `rows` of a set, of class numbers `targets` (N,), once corrupted.

    A fold's drawings are asked of the models without them; the models of a fold are made ready once.
    """

    def __init__(
        self,
        subject: Subject,
        rows: Sequence[Assignment],
        targets: NDArray[np.int64],
        corruptions: Sequence[Corruption],
        views: Sequence[str] | None,
        images: Mapping[Fitting, SetImages] | None = None,
    ) -> None:
        self.subject, self.rows, self.targets = subject, rows, targets
        self.corruptions, self.views, self.images = corruptions, views, images
        self._answerer: tuple[int | None, Answerer] | None = None

    def places(self, fold: int | None) -> NDArray[np.int64]:
        """Where the drawings of a fold are in the set, (n,)."""
        return np.flatnonzero([row.fold == fold for row in self.rows])

    def right(
        self, fold: int | None, places: NDArray[np.int64], asked: Sequence[Corruption], label: str
    ) -> NDArray[np.uint8]:
        """1 where a corrupted drawing is named right, (corruptions, 5, n) uint8."""
        if self.images is None:
            self.images = images_of(self.subject, self.rows)
        if self._answerer is None or self._answerer[0] != fold:
            device = torch.device(choose_device().value)
            answerer = Answerer(self.subject.loaded, self.images, device=device, fold=fold, views=self.views)
            self._answerer = fold, answerer
        sets = list(self.images.values())
        return right_answers(
            sets, places, self.targets[places], self._answerer[1], corruptions=asked, label=label
        )

    def shares(self) -> list[Share]:
        """The batches of each fold with each corruption: together all that is asked."""
        return [
            (fold, places[start : start + BATCH], number)
            for fold in dict.fromkeys(row.fold for row in self.rows)
            for places in [self.places(fold)]
            for start in range(0, len(places), BATCH)
            for number in range(len(self.corruptions))
        ]

    def elsewhere(self) -> Asking:
        """The same for a process that reads the drawings itself, from the same path."""
        inputs = self.subject.inputs
        manifest = replace(inputs.manifest, root=inputs.manifest.root.absolute())
        subject = replace(self.subject, inputs=replace(inputs, manifest=manifest))
        for bundle in subject.loaded.bundles.values():
            bundle.classifier.to("cpu")
        return Asking(subject, self.rows, self.targets, self.corruptions, self.views)

    def __call__(self, share: Share) -> NDArray[np.uint8]:
        """What is right of a share, (5, n) uint8."""
        fold, places, number = share
        with quiet():
            (right,) = self.right(fold, places, self.corruptions[number : number + 1], "")
        return np.asarray(right)


def images_of(subject: Subject, rows: Sequence[Assignment]) -> dict[Fitting, SetImages]:
    """The drawings in each way in which the subject's models want them fitted."""
    opener, seconds = subject.inputs.opener(), choose_seconds(rows)
    image_ids = tuple(row.image_id for row in rows)
    found: dict[Fitting, SetImages] = {}
    for name in leaves(subject.loaded.committee.root):
        image = subject.loaded.bundles[name].card.image
        if image.fitting not in found:
            store = opener(image)
            found[image.fitting] = SetImages(
                store.pixels, store.background, store.rows(image_ids), image_ids, seconds
            )
    return found
