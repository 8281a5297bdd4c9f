"""How drawings look on their page: the width of lines, the room that they take, paper and ink."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dessin.images.decode import Pixels, Unreadable, decode, read_image_bytes
from dessin.images.ink import background, ink_mask
from dessin.parallel.mapper import ThreadMapper
from dessin.trust.mistakes.strokes import PAGE, measure_strokes

Colour = tuple[int, int, int]
_FEWEST = 5
# The measure reaches the middle of the first pixel of paper on either side, on its page of twice the pixels.
_OVER = 0.5 / PAGE
_LEAST = 1.0 / PAGE


@dataclass(frozen=True)
class Look:
    """What a typical drawing looks like.

    Attributes:
        thickness: of a line, over the page's longer side.
        size: longer side of the box around the ink, over the page's longer side.
        paper, ink: their colours.
        n: how many drawings it was measured on; 0 for a convention.
    """

    thickness: float
    size: float
    paper: Colour
    ink: Colour
    n: int = 0

    @property
    def dark_on_light(self) -> bool:
        return sum(self.ink) <= sum(self.paper)


# A convention, between Sketchy (lines of 2.5 px on a page of 256, 64% of it) and drawings cut to their ink.
USUAL = Look(thickness=2.5 / PAGE, size=0.75, paper=(255, 255, 255), ink=(0, 0, 0))


def measure_look(files: Sequence[Path]) -> Look | None:
    """The median look of image files; None where too few of them can be read and have lines."""
    found = [look for look in ThreadMapper().map(_look_of_file, files) if look is not None]
    if len(found) < _FEWEST:
        return None
    return Look(
        thickness=float(np.median([look.thickness for look in found])),
        size=float(np.median([look.size for look in found])),
        paper=_middle([look.paper for look in found]),
        ink=_middle([look.ink for look in found]),
        n=len(found),
    )


def look_of(pixels: Pixels) -> Look | None:
    """The look of one drawing (H, W, 3) uint8; None without ink, or without anything like a line."""
    strokes = measure_strokes(pixels)
    if not math.isfinite(strokes.thickness):
        return None
    thickness = max(strokes.thickness / PAGE - _OVER, _LEAST)
    return Look(thickness, strokes.size, background(pixels), _ink(pixels), 1)


def _look_of_file(path: Path) -> Look | None:
    try:
        return look_of(decode(read_image_bytes(path)).pixels)
    except Unreadable:
        return None


def _ink(pixels: Pixels) -> Colour:
    """The colour of a drawing's ink where it is strong, away from the soft edges of lines."""
    apart = np.abs(pixels.astype(np.int16) - np.array(background(pixels), dtype=np.int16)).max(axis=2)
    inked = ink_mask(pixels)
    strong = inked & (apart >= np.quantile(apart[inked], 0.75))
    return _middle(pixels[strong])


def _middle(colours: Sequence[Colour] | Pixels) -> Colour:
    red, green, blue = (round(float(value)) for value in np.median(np.asarray(colours), axis=0))
    return red, green, blue
