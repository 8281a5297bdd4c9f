"""Corrupted pictures of a pixel store: five strengths at once, the same bytes in any order and batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.images.shards import StoredPixels
from dessin.randomness import image_keys, uniform
from dessin.trust.robustness.fields import Fields, fields_of
from dessin.trust.robustness.sketch import Pixels, Sketch, from_page, ink_of, to_page
from dessin.trust.robustness.suite import DRAWS, SEED, STRENGTHS, Corruption


def choose_seconds(
    image_ids: Sequence[str], labels: Sequence[str], folds: Sequence[str], *, seed: int = SEED
) -> NDArray[np.int64]:
    """For each of N drawings the place (0..N-1) of the one beside it, (N,).

    It depends on the drawing and on which drawings the fold has, not on their order. It is of the same fold,
    so that a model that was not trained on the one was not trained on the other.

    Raises:
        DessinError: a fold whose drawings are all of one class.
    """
    draws = uniform(seed, "robustness second", 0, image_keys(image_ids), 1)[:, 0]
    chosen = np.empty(len(image_ids), dtype=np.int64)
    for fold in sorted(set(folds)):
        places = [place for place, other in enumerate(folds) if other == fold]
        places.sort(key=lambda place: image_ids[place])
        if len({labels[place] for place in places}) < 2:
            part = fold if fold == "holdout" else f"fold {fold}"
            raise DessinError(
                f"All {len(places)} drawings of {part} are of the class "
                f'"{labels[places[0]]}", and the suite puts one of another class beside each.',
                do="Split with fewer folds or a larger holdout.",
            )
        for place in places:
            start = int(draws[place] * len(places))
            circle = (places[(start + step) % len(places)] for step in range(len(places)))
            chosen[place] = next(other for other in circle if labels[other] != labels[place])
    return chosen


_Page = tuple[Pixels, tuple[float, ...], bool]


@dataclass(frozen=True, eq=False)
class Pictures:
    """The N drawings of a set as one model sees them.

    Attributes:
        pixels: (M, channels, S, S) uint8, of which `rows` (N,) are the set.
        background: (M, channels) uint8.
        image_ids: those of the set, in the order of `rows`.
        seconds: for each of the N, which of them is the drawing beside it.
    """

    pixels: StoredPixels
    background: Pixels
    rows: NDArray[np.int64]
    image_ids: tuple[str, ...]
    seconds: NDArray[np.int64]
    seed: int = SEED
    _drawn: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        return int(self.pixels.shape[-1])

    @property
    def fields(self) -> Fields:
        return fields_of(self.size, self.seed)

    def draws(self, corruption: str) -> NDArray[np.float64]:
        """The numbers (N, 4) of 0..1 that a corruption of each drawing depends on; its strength does not."""
        if corruption not in self._drawn:
            keys = image_keys(self.image_ids)
            self._drawn[corruption] = uniform(self.seed, f"robustness {corruption}", 0, keys, DRAWS)
        return self._drawn[corruption]

    def chunk(self, places: NDArray[np.int64]) -> Chunk:
        """The drawings at `places` (n,) of the set, read once for all corruptions."""
        rows, beside = self.rows[places], self.rows[self.seconds[places]]
        paper, others = np.asarray(self.background)[rows], np.asarray(self.background)[beside]
        pages = [to_page(*pair) for pair in zip(self.pixels[rows], paper, strict=True)]
        second = [to_page(*pair) for pair in zip(self.pixels[beside], others, strict=True)]
        return Chunk(self, places, pages, [_ink(page, paper) for page, paper, _ in second])


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some drawings of a set, ready to be corrupted in any way."""

    pictures: Pictures
    places: NDArray[np.int64]
    pages: Sequence[_Page]
    seconds: Sequence[Pixels]

    def corrupted(self, corruption: Corruption) -> Pixels:
        """All strengths, (5, n, channels, S, S) uint8."""
        shape = (STRENGTHS, len(self.places), *self.pictures.pixels.shape[1:])
        out = np.empty(shape, dtype=np.uint8)
        draws, fields = self.pictures.draws(corruption.name)[self.places], self.pictures.fields
        for number, (page, paper, dark) in enumerate(self.pages):
            sketch = Sketch(page, paper, draws[number].tolist(), fields, self.seconds[number])
            for strength, result in enumerate(corruption.apply(sketch, corruption.levels)):
                from_page(result, dark, out[strength, number])
        return out


def _ink(page: Pixels, paper: tuple[float, ...]) -> Pixels:
    blank = np.empty_like(page)
    blank[...] = paper if page.ndim == 3 else paper[0]
    return ink_of(page, blank)
