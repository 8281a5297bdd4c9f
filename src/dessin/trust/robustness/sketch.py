"""A fitted picture as the corruptions see it: dark ink on light paper, in one plane where it is gray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.trust.robustness.fields import Fields

Pixels = NDArray[np.uint8]

INK_LEVEL = 24


@dataclass(frozen=True, eq=False)
class Sketch:
    """One picture with what its corruptions draw from.

    Attributes:
        page: (S, S) uint8 where the picture is gray, else (S, S, 3).
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
        blank = np.empty_like(self.page)
        blank[...] = self.paper if self.page.ndim == 3 else self.paper[0]
        return blank

    @cached_property
    def ink(self) -> Pixels:
        """How much darker than the paper each place is, (S, S) uint8; the most over the channels."""
        return ink_of(self.page, self.blank)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of the ink, the last two exclusive; of a blank page the whole."""
        return box_of(self.ink)


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
    """A page, its paper, and whether the picture was light on dark and is now its negative.

    `pixels` (channels, S, S) and `paper` (channels,), both uint8. A picture whose channels are all equal
    becomes one plane.
    """
    dark = 2 * int(paper.sum(dtype=np.int64)) < 255 * len(paper)
    gray = is_gray(pixels, paper)
    page = pixels[0] if gray else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    levels = paper[:1] if gray else paper
    if dark:
        page, levels = 255 - page, 255 - levels
    return np.ascontiguousarray(page), tuple(float(level) for level in levels), dark


def is_gray(pixels: Pixels, paper: Pixels) -> bool:
    return all(
        paper[0] == paper[number] and np.array_equal(pixels[0], pixels[number])
        for number in range(1, len(pixels))
    )


def from_page(page: Pixels, dark: bool, out: Pixels) -> None:
    """Write a page into `out` (channels, S, S); the negative where the picture was light on dark."""
    out[...] = page if page.ndim == 2 else page.transpose(2, 0, 1)
    if dark:
        np.subtract(255, out, out=out)
