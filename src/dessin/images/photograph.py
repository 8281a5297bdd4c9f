"""The page in a photograph: where the sheet lies, straightened and evenly lit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.colour import one_opencv_thread
from dessin.images.evenly import evened, without_ruling
from dessin.images.ground import Pixels
from dessin.images.quadrangle import candidates, scene

Corners = NDArray[np.float64]

LOOKED_AT = 512  # pixels, the longer side of the copy on which a sheet is looked for
LONGEST = 1600  # pixels, the longer side of a flattened page
_INSIDE = 0.008  # of a side, cut off inside the sheet's border
_CONFIDENT = 0.5
_FLAT = 0.7
_SHADES = 4.0  # levels
_UNEVEN = 14.0  # levels
_DARK = 40


@dataclass(frozen=True, eq=False)
class Sheet:
    """Where the sheet of paper lies in a picture, and why that is thought.

    `corners` (4, 2) float64 are x, y in pixels, clockwise from the top left; the picture's own where no sheet
    was found. `photograph` is True for a photograph of paper, never for a clean scan or a drawing on even
    ground. `fills` says that paper fills the picture: nothing to crop, only light to even. `confidence` is
    0 to 1; `reason` a short sentence for people.
    """

    corners: Corners
    found: bool
    photograph: bool
    confidence: float
    reason: str
    fills: bool = False


def on_paper(pixels: Pixels, *, ruling: bool = False) -> Pixels:
    """The page of a photograph (h, w, 3) uint8; any other picture (H, W, 3) uint8 as the very same array."""
    sheet = find_sheet(pixels)
    return flattened(pixels, sheet, ruling=ruling)


def find_sheet(pixels: Pixels) -> Sheet:
    """Look for one sheet of paper in (H, W, 3) uint8 pixels."""
    with one_opencv_thread():
        return _found(pixels)


def flattened(pixels: Pixels, sheet: Sheet, *, ruling: bool = False) -> Pixels:
    """The sheet (h, w, 3) uint8 straightened, cropped a little inside its border, evenly lit on white.

    The longer side is at most 1,600 pixels. Where paper fills the picture only the light is evened; where
    nothing was found, the same array comes back. `ruling` weakens ruled and squared lines.
    """
    if not (sheet.found or sheet.fills):
        return pixels
    with one_opencv_thread():
        page = evened(_straightened(pixels, sheet))
        return without_ruling(page) if ruling else page


def _found(pixels: Pixels) -> Sheet:
    height, width = pixels.shape[:2]
    own = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)

    def not_found(reason: str, *, photograph: bool, fills: bool = False, confidence: float = 0.0) -> Sheet:
        return Sheet(own, False, photograph, confidence, reason, fills)

    if min(height, width) < 32 or max(height, width) > 12 * min(height, width):
        return not_found("too small or too narrow for a page", photograph=False)
    small = _reduced(pixels, LOOKED_AT)
    view = scene(small)
    even = view.is_even
    if even and _is_flat(pixels):
        return not_found("a clean drawing or scan", photograph=False)
    found = candidates(view)
    best = found[0] if found else None
    if best is not None and best.confidence >= _CONFIDENT:
        corners = best.corners * [width / small.shape[1], height / small.shape[0]]
        reason = "a sheet, cut by the frame" if best.is_cut else "a sheet with its borders"
        return Sheet(_clockwise(corners), True, True, best.confidence, reason)
    if view.median < _DARK:
        return not_found("too dark", photograph=True)
    if view.is_paper and view.unevenness >= _UNEVEN:
        return not_found("paper fills the picture, unevenly lit", photograph=True, fills=True)
    return not_found("no sheet", photograph=False)


def _is_flat(pixels: Pixels) -> bool:
    rows = pixels[:: max(1, len(pixels) // 64)]
    same = (rows[:, 1:] == rows[:, :-1]).all(axis=-1)
    return bool(same.mean() > _FLAT)


def _reduced(pixels: Pixels, longest: int) -> Pixels:
    """At most `longest` pixels on the longer side, each the mean of those it stands for."""
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _clockwise(corners: Corners) -> Corners:
    """Clockwise on the screen, beginning with the corner nearest to the top left."""
    middle = corners.mean(axis=0)
    angle = np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0])
    corners = corners[np.argsort(angle)]
    return np.asarray(np.roll(corners, -int(corners.sum(axis=1).argmin()), axis=0))


def _straightened(pixels: Pixels, sheet: Sheet) -> Pixels:
    if not sheet.found:
        return _reduced(pixels, LONGEST)
    top, right, bottom, left = (math.dist(sheet.corners[i], sheet.corners[(i + 1) % 4]) for i in range(4))
    width, height = max(top, bottom), max(left, right)
    scale = min(1.0, LONGEST / max(width, height))
    reduced = _reduced(pixels, max(1, math.ceil(max(pixels.shape[:2]) * scale)))
    corners = sheet.corners * [reduced.shape[1] / pixels.shape[1], reduced.shape[0] / pixels.shape[0]]
    w, h = max(8, round(width * scale)), max(8, round(height * scale))
    x, y = _INSIDE * w, _INSIDE * h
    target = np.array([[-x, -y], [w + x, -y], [w + x, h + y], [-x, h + y]], dtype=np.float32)
    way = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    page = cv2.warpPerspective(reduced, way, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(page, dtype=np.uint8)
