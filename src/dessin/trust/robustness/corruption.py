"""What a corruption is, and what it gets: a drawing as dark ink on light paper, and random fields.

The fields are drawn on a grid of 128 cells a side and resized, so that one means the same at every size of
image; each drawing takes a window of them. Drawing a field anew for each would cost more than the corruption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dessin.errors import DessinError
from dessin.randomness import derive, uniform

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
# What OpenCV gives back; the bytes are those of `Pixels`.
Page = NDArray[Any]
Act = Callable[["Sketch", Sequence[float]], Iterable[Page]]

STRENGTHS = 5
# How many numbers of 0..1 are drawn for a corruption of a drawing.
DRAWS = 4
CELLS = 128
GRAIN_STEPS = 64.0
BYTE_STEPS = 40.0
INK_LEVEL = 24
_GAP_CELLS = 3.5
_BEND_CELLS = 3.0
_SHADE_CELLS = 30.0
_FIBRE_CELLS = 1.2


@dataclass(frozen=True)
class Corruption:
    """One corruption, whole: its name, its title and meaning for people, its levels from weak to strong.

    `act` gives a page for each of the levels, so that what they have in common is computed once.
    """

    name: str
    title: str
    meaning: str
    levels: tuple[float, ...]
    act: Act

    def __post_init__(self) -> None:
        if len(self.levels) != STRENGTHS:
            raise DessinError(
                f"The corruption {self.name} has {len(self.levels)} levels.",
                allowed=f"It needs {STRENGTHS}, from the weakest to the strongest.",
            )


def corruption(title: str, meaning: str, *levels: float) -> Callable[[Act], Corruption]:
    """Makes a corruption of the function below it, with its name: `@corruption("blur", "..", 0.01, ..)`."""

    def entry(act: Act) -> Corruption:
        return Corruption(act.__name__, title, meaning, tuple(map(float, levels)), act)

    return entry


@dataclass(frozen=True, eq=False)
class Sketch:
    """One image with what its corruptions draw from.

    Attributes:
        page: (S, S) uint8 where the image is gray, else (S, S, 3).
        paper: the level of its paper, one value or three.
        draws: a few numbers of 0..1 that depend on the drawing and the corruption alone.
        second: the ink of another drawing, (S, S) uint8, where the corruption wants one.
    """

    page: Pixels
    paper: tuple[float, ...]
    draws: Sequence[float]
    fields: Fields
    second: Pixels | None = None

    @property
    def size(self) -> int:
        return int(self.page.shape[0])

    @cached_property
    def blank(self) -> Pixels:
        """A page of the same paper without a stroke."""
        return blank_of(self.page, self.paper)

    @cached_property
    def ink(self) -> Pixels:
        """How much darker than the paper each place is, (S, S) uint8; the most over the channels."""
        return ink_of(self.page, self.blank)

    def in_channels(self, plane: Page) -> Page:
        """One plane (S, S) in as many channels as the page has."""
        return plane if self.page.ndim == 2 else cv2.merge([plane] * 3)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of the ink, the last two exclusive; of a blank page the whole."""
        return box_of(self.ink)


def blank_of(page: Pixels, paper: tuple[float, ...]) -> Pixels:
    blank = np.empty_like(page)
    blank[...] = paper if page.ndim == 3 else paper[0]
    return blank


def ink_of(page: Pixels, blank: Pixels) -> Pixels:
    """How much darker than the blank page each place is, (S, S) uint8."""
    ink = np.asarray(cv2.subtract(blank, page), dtype=np.uint8)
    return ink if ink.ndim == 2 else np.asarray(ink.max(axis=2), dtype=np.uint8)


def box_of(ink: Pixels) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of ink (S, S), the last two exclusive; without any, the whole."""
    left, top, width, height = cv2.boundingRect(cv2.threshold(ink, INK_LEVEL, 255, cv2.THRESH_BINARY)[1])
    if not width:
        return 0, 0, *ink.shape
    return top, left, top + height, left + width


def to_page(pixels: Pixels, paper: Pixels) -> tuple[Pixels, tuple[float, ...], bool]:
    """A page, its paper, and whether the image was light on dark and is now its negative.

    `pixels` (channels, S, S) and `paper` (channels,), both uint8. An image whose channels are all equal
    becomes one plane.
    """
    dark = 2 * int(paper.sum(dtype=np.int64)) < 255 * len(paper)
    gray = all(
        paper[0] == paper[number] and np.array_equal(pixels[0], pixels[number])
        for number in range(1, len(pixels))
    )
    page = pixels[0] if gray else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    levels = paper[:1] if gray else paper
    if dark:
        page, levels = 255 - page, 255 - levels
    return np.ascontiguousarray(page), tuple(float(level) for level in levels), dark


def from_page(page: Page, dark: bool, out: Pixels) -> None:
    """Write a page into `out` (channels, S, S); the negative where the image was light on dark."""
    out[...] = page if page.ndim == 2 else page.transpose(2, 0, 1)
    if dark:
        np.subtract(255, out, out=out)


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields twice as wide as an image of `size` pixels; a window of them is as large as the image.

    Attributes:
        grain: int16, white noise of unit deviation, times `GRAIN_STEPS`.
        gaps: uint8, smooth noise about 128, times `BYTE_STEPS`, as wide as a missing piece of a stroke.
        paper: uint8 in the same steps, shade and fibres.
        bend_x, bend_y: float32, smooth noise of unit deviation, as wide as the tremor of a hand.
    """

    size: int
    grain: NDArray[np.int16]
    gaps: NDArray[np.uint8]
    paper: NDArray[np.uint8]
    bend_x: Floats
    bend_y: Floats

    def window(self, field: NDArray[Any], draws: Sequence[float]) -> NDArray[Any]:
        """The window (S, S) that two draws of 0..1 point at; a view."""
        top, left = (int(draw * self.size) for draw in draws)
        return field[top : top + self.size, left : left + self.size]


@lru_cache(maxsize=4)
def fields_of(size: int, seed: int) -> Fields:
    """The fields for images of `size` pixels a side, a function of the seed alone."""
    shade, fibre = _smooth(seed, "shade", _SHADE_CELLS), _smooth(seed, "fibre", _FIBRE_CELLS)
    return Fields(
        size=size,
        grain=np.rint(GRAIN_STEPS * _resized(_white(seed, "grain"), size)).astype(np.int16),
        gaps=_bytes(_smooth(seed, "gaps", _GAP_CELLS), size),
        paper=_bytes(0.8 * shade + 0.6 * fibre, size),
        bend_x=_resized(_smooth(seed, "bend x", _BEND_CELLS), size),
        bend_y=_resized(_smooth(seed, "bend y", _BEND_CELLS), size),
    )


def _white(seed: int, name: str) -> Floats:
    """White noise of unit deviation, (2 CELLS, 2 CELLS)."""
    rows = np.arange(2 * CELLS, dtype=np.uint64)
    draws = uniform(derive(seed, "robustness fields"), name, 0, rows, 2 * CELLS)
    return np.asarray(ndtri(np.clip(draws, 1e-7, 1 - 1e-7)), dtype=np.float32)


def _smooth(seed: int, name: str, cells: float) -> Floats:
    """Noise that is alike over about so many cells, of unit deviation."""
    smooth = cv2.GaussianBlur(_white(seed, name), (0, 0), cells, borderType=cv2.BORDER_REFLECT)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)


def _resized(field: Floats, size: int) -> Floats:
    how = cv2.INTER_AREA if size < CELLS else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(field, (2 * size, 2 * size), interpolation=how), dtype=np.float32)


def _bytes(field: Floats, size: int) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(128 + BYTE_STEPS * _resized(field, size)), 0, 255), dtype=np.uint8)
