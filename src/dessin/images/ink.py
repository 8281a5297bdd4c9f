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


_STROKE = 24  # parts of the longer side: what is thicker is no stroke but a desk, a shadow or a hand
_SAME_PAPER = 0.45  # of the paper's usual level; what is darker lies beside the sheet
_RULED = 0.12  # of a side; a faint straight line of this length is printed
_FAINT = 0.6  # of the strongest
_ALIKE = 1.8  # times as dark as most lines
_THROUGH = 0.8  # of a side; one line of this length is a margin's
_FEW, _MANY, _LITTLE = 3, 6, 0.15  # lines across the whole page, and what else there is beside them
_ANY, _SURE = (14, 4, 0.2), (20, 6, 0.35)  # levels, times the noise, share of the strongest
_RIM = 0.02  # of the longer side
_SPECK, _REMAINS = 0.002, 0.05  # of all ink; the latter where it touches the frame, as shadows and hands do
_WIDE, _COLOURED = 64, 60  # parts of the longer side; levels from white


def local_strokes(page: Pixels) -> tuple[Pixels, Mask]:
    """Strokes on a photographed page by local contrast: strength (H, W) uint8, and which are ink (H, W) bool.

    Strength is how much darker a pixel's darkest channel is than the paper around it, in 255ths of that one,
    so neither a shadow nor a tint is ink; nor are faint ruled lines, specks, and what remains along the rim.
    """
    darkest = page.min(axis=-1)
    reach = max(5, max(darkest.shape) // _STROKE) | 1
    beyond = cv2.copyMakeBorder(darkest, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    kernel = np.ones((reach, reach), np.uint8)
    paper = cv2.morphologyEx(beyond, cv2.MORPH_CLOSE, kernel)[reach:-reach, reach:-reach]
    strength = cv2.divide(cv2.subtract(paper, darkest), cv2.max(paper, 1), scale=255)
    strength[paper < _SAME_PAPER * np.percentile(paper, 75)] = 0
    strength = _without_ruling(strength)
    mask = _sure_ink(strength)
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(strength * near, dtype=np.uint8), mask


def darkness(page: Pixels) -> Pixels:
    """How far from white the darkest channel of a page (H, W, 3) uint8 is, (H, W) uint8."""
    red, green, blue = cv2.split(page)
    return np.asarray(cv2.bitwise_not(cv2.min(cv2.min(red, green), blue)), dtype=np.uint8)


def drawn_box(page: Pixels) -> tuple[int, int, int, int] | None:
    """The smallest (top, left, bottom, right) around all that is drawn on a page (H, W, 3) uint8, evenly lit.

    Thin strokes as of `local_strokes`, and wide areas of colour; the last two are exclusive. None if blank.
    """
    _, strokes = local_strokes(page)
    kernel = np.ones((max(3, max(strokes.shape) // _WIDE),) * 2, np.uint8)
    wide = cv2.morphologyEx(darkness(page), cv2.MORPH_OPEN, kernel)
    wide[wide < _COLOURED] = 0
    return ink_box(strokes | _sure_ink(wide))


def ruled_lines(strength: Pixels) -> Pixels:
    """How dark the lines are that the paper is ruled or squared with, where they run; (H, W) uint8, else 0.

    Printed lines are long, many and alike: a few are walls and rungs, and a darker one is drawn.
    """
    return _printed(_many(_long_lines(strength))[0], strength)


def _without_ruling(strength: Pixels) -> Pixels:
    """Without ruled lines and margins, and without all long lines where there is little else on the page."""
    long_lines = _long_lines(strength)
    lines, many = _many(long_lines)
    for axis, each in enumerate(long_lines):
        lines = np.maximum(lines, _through(each, axis))
    rest = _beyond(strength, lines)
    least = _ANY[0]
    if many >= _MANY and np.count_nonzero(rest >= least) < _LITTLE * np.count_nonzero(strength >= least):
        return rest
    return _beyond(strength, _printed(lines, strength))


def _long_lines(strength: Pixels) -> list[Pixels]:
    """Lines along the columns, and along the rows."""
    near = cv2.dilate(strength, np.ones((3, 3), np.uint8))
    kernels = [np.ones((max(9, int(_RULED * length)), 1), np.uint8) for length in strength.shape]
    return [
        np.asarray(cv2.morphologyEx(near, cv2.MORPH_OPEN, kernel if axis == 0 else kernel.T), dtype=np.uint8)
        for axis, kernel in enumerate(kernels)
    ]


def _many(long_lines: list[Pixels]) -> tuple[Pixels, float]:
    """Those of them that are many, and how many they would be if each ran across the whole page."""
    found, many = np.zeros_like(long_lines[0]), 0.0
    for axis, lines in enumerate(long_lines):
        # A line is about three pixels thick here.
        count = np.count_nonzero(lines >= _ANY[0]) / lines.shape[axis] / 3
        if count >= _FEW:
            found, many = np.maximum(found, lines), max(many, count)
    return found, many


def _through(lines: Pixels, axis: int) -> Pixels:
    """Those of the lines along an axis that run through the whole page, as the margin of ruled paper does."""
    length = lines.shape[axis]
    # Ruling that crosses it, or wear, may break it.
    bridge = np.ones((max(3, length // 16), 1), np.uint8)
    seen = (lines >= _ANY[0]).astype(np.uint8)
    joined = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, bridge if axis == 0 else bridge.T)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    through = boxes[:, cv2.CC_STAT_HEIGHT if axis == 0 else cv2.CC_STAT_WIDTH] >= _THROUGH * length
    through[0] = False  # where there is no line
    return np.asarray(lines * through[labels], dtype=np.uint8)


def _printed(lines: Pixels, strength: Pixels) -> Pixels:
    """Those of the lines that are fainter than ink and about as faint as most."""
    seen = lines[lines >= _ANY[0]]
    if not len(seen):
        return lines
    darkest = min(_FAINT * _reached(strength), _ALIKE * float(np.median(seen)))
    return np.where(lines < darkest, lines, 0).astype(np.uint8)


def _beyond(strength: Pixels, lines: Pixels) -> Pixels:
    """What is clearly darker than the lines under it, which vary by a half, and what touches that."""
    clear = (strength > cv2.add(cv2.add(lines, lines), 8)) & (strength >= _ANY[0])
    near = cv2.dilate(clear.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(strength * near, dtype=np.uint8)


def _sure_ink(strength: Pixels) -> Mask:
    """Connected pixels among which some are surely ink (Canny's two thresholds)."""
    noise, strongest = float(np.median(strength)), _reached(strength)
    any_ink, sure = (max(least, times * noise, share * strongest) for least, times, share in (_ANY, _SURE))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((strength >= any_ink).astype(np.uint8))
    kept = np.zeros(len(boxes), dtype=np.bool_)
    kept[np.unique(labels[strength >= sure])] = True
    kept[0] = False
    height, width = strength.shape
    rim = max(2, round(_RIM * max(height, width)))
    begin, size = boxes[:, :2], boxes[:, 2:4]
    kept &= (begin + size > rim).all(axis=1) & (begin < (width - rim, height - rim)).all(axis=1)
    ink = boxes[:, cv2.CC_STAT_AREA] * kept
    touching = (begin <= 1).any(axis=1) | (begin + size >= (width - 1, height - 1)).any(axis=1)
    kept &= ink >= np.maximum(_ENOUGH // 2, np.where(touching, _REMAINS, _SPECK) * ink.sum())
    return np.asarray(kept[labels], dtype=np.bool_)


def _reached(strength: Pixels) -> int:
    """The level that a thousandth of the pixels reaches."""
    counts = cv2.calcHist([strength], [0], None, [256], [0, 256]).ravel()
    enough = max(_ENOUGH, strength.size // 1000)
    return 255 - int(np.searchsorted(np.cumsum(counts[::-1]), enough))
