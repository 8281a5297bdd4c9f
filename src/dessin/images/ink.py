"""Paper and ink: the background colour, which pixels differ from it, and the box around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.ground import Pixels

Mask = NDArray[np.bool_]

_MAX_BORDER = 8
_ENOUGH = 16  # pixels
_FLOOR = 12  # levels; JPEG noise on blank paper stays below
_NOISE_FACTOR = 6
_SHARE_OF_STRONGEST = 0.125  # keeps faint shading beside black lines, leaves JPEG ringing out
_NOISE_SHARE = 0.5  # uneven paper never hides ink half as strong as the strongest


def background(pixels: Pixels) -> tuple[int, int, int]:
    """The paper's colour: the median of the border, channel by channel. `pixels` (H, W, 3) uint8.

    A drawing may touch the border on less than half of its length; chalk on black gives black.
    """
    red, green, blue = (int(value) for value in border_median(pixels))
    return red, green, blue


def border_median(pixels: Pixels) -> Pixels:
    """The median (c,) of a thin frame of `pixels` (H, W, c); the lower one of two, so it is a value seen."""
    frame = _border(pixels)
    middle = (len(frame) - 1) // 2
    median: Pixels = np.partition(frame, middle, axis=0)[middle]
    return median


def ink_mask(pixels: Pixels) -> Mask:
    """What differs from the background, (H, W) bool. `pixels` (H, W, 3) uint8.

    The difference is the largest over the channels. It counts from 12 levels up, and from an eighth of the
    picture's strongest difference up; on noisy or uneven paper, from six times the border's median
    difference up, though never more than half of the strongest.
    """
    difference = from_paper(pixels)
    strongest = _strongest(difference)
    noise = float(np.median(_border(difference[..., None])))
    uneven = min(_NOISE_FACTOR * noise, _NOISE_SHARE * strongest)
    return difference >= max(_FLOOR, uneven, _SHARE_OF_STRONGEST * strongest)


def from_paper(pixels: Pixels) -> Pixels:
    """How far each pixel (H, W, 3) uint8 is from the background in its farthest channel, (H, W) uint8."""
    apart = cv2.absdiff(pixels, np.array([*background(pixels), 0], dtype=np.float64))
    farthest, green, blue = cv2.split(apart)
    cv2.max(farthest, green, farthest)
    return np.asarray(cv2.max(farthest, blue, farthest), dtype=np.uint8)


def ink_box(mask: Mask) -> tuple[int, int, int, int] | None:
    """The smallest (top, left, bottom, right) around the ink, the last two exclusive; None without ink."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _border(pixels: Pixels) -> Pixels:
    height, width, channels = pixels.shape
    thick = min(_MAX_BORDER, max(1, min(height, width) // 64))
    sides = (pixels[:thick], pixels[-thick:], pixels[thick:-thick, :thick], pixels[thick:-thick, -thick:])
    return np.concatenate([side.reshape(-1, channels) for side in sides])


def _strongest(difference: Pixels) -> int:
    """The highest level that enough pixels reach: a few hot ones are no ink. Paper around does not count."""
    counts = cv2.calcHist([difference], [0], None, [256], [0, 256]).ravel()
    reached = np.cumsum(counts[::-1])[::-1]
    return int(np.flatnonzero(reached >= min(_ENOUGH, reached[0]))[-1])
