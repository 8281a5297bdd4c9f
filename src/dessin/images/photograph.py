"""The page in a photograph: where the sheet lies, straightened and evenly lit, and where it is drawn on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.evenly import evened, without_ruling
from dessin.images.ground import Pixels
from dessin.images.ink import drawn_box
from dessin.images.quadrangle import CONFIDENT, quadrangles, refined, second_sheet, without_strokes
from dessin.images.shrink import divided, shrunk

Corners = NDArray[np.float64]

PAGE_VERSION = 6  # raise it whenever the same photograph would give another page
LOOKED_AT = 512  # pixels, the longer side of the copy on which a sheet is looked for
LONGEST = 1600  # pixels, the longer side of a flattened page
_INSIDE = 0.008  # of a side, cut off inside the sheet's border
_LEAST_SIDE = 160  # pixels; in a smaller picture a thick frame and a sheet look alike
_LIGHTER = 4.0  # levels; the inside of a drawn frame is as light as what is around it
_NO_GRAIN = 0.8  # of the pixels equal their neighbours: no camera saw this
_FLAT = 0.59  # of the pixels; two of 177 real photographs had more, shaded drawings have
_SHADES = 4.0  # levels
_UNEVEN = 14.0  # levels
_DARK = 60  # of Lab's lightness in 0 to 255, at the lightest tenth
_DOUBTFUL = 0.3
_EVEN = 5  # levels
_ROUGH = 9  # levels that light bends by within a thirtieth of the picture
_MOST_STROKES = 0.45  # of the picture
_BLANK = 0.0005
_STROKE = 20  # levels darker than around
_MARGIN = 0.25  # of the drawing's longer side, left free on every side where the page has it
_LEAST_DRAWN = 0.2  # of the page's longer side: less is not enlarged further


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


def on_paper(pixels: Pixels) -> Pixels:
    """The page of a photograph (h, w, 3) uint8; any other picture (H, W, 3) uint8 as the very same array."""
    sheet = find_sheet(pixels)
    return around_drawing(flattened(pixels, sheet), sheet)


def find_sheet(pixels: Pixels) -> Sheet:
    """Look for one sheet of paper in (H, W, 3) uint8 pixels."""
    # For good: callers side by side that put it back would leave it as they found one another's.
    cv2.setNumThreads(1)
    height, width = pixels.shape[:2]
    own = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)

    def not_found(reason: str, *, photograph: bool, fills: bool = False, confidence: float = 0.0) -> Sheet:
        return Sheet(own, False, photograph, confidence, reason, fills)

    if min(height, width) < _LEAST_SIDE or max(height, width) > 12 * min(height, width):
        return not_found("too small or too narrow for a page", photograph=False)
    flat = _flatness(pixels)
    if flat > _NO_GRAIN:
        return not_found("a clean drawing or scan", photograph=False)
    small = _reduced(pixels, LOOKED_AT)
    lab = without_strokes(small)
    ground, even = _ground(lab)
    strokes = _strokes(small)
    found = quadrangles(lab, _ink(small))
    confidence = found[0].confidence if found else 0.0
    # On an even ground a sheet is lighter than that, and it does not reach the frame.
    drawn = even and found and not (found[0].colour[0] > ground + _LIGHTER and found[0].seen.all())
    if confidence >= CONFIDENT and not drawn:
        if second_sheet(found) is not None:
            return not_found("two sheets", photograph=True, confidence=confidence)
        corners = (refined(found[0], lab) + 0.5) * [width / small.shape[1], height / small.shape[0]]
        seen = "a sheet with its borders" if found[0].seen.all() else "a sheet, cut by the frame"
        reason = seen if _is_drawn_on(found[0].corners, strokes) else "a blank sheet"
        return Sheet(_clockwise(corners), True, True, confidence, reason)
    if even or flat > _FLAT:
        return not_found("even ground, no sheet", photograph=False, confidence=confidence)
    if np.percentile(lab[..., 0], 90) < _DARK:
        return not_found("too dark", photograph=True, confidence=confidence)
    if _is_uneven_paper(lab, strokes):
        return not_found("paper fills the picture, unevenly lit", photograph=True, fills=True)
    if confidence >= _DOUBTFUL:
        return not_found("perhaps a sheet, its borders are unclear", photograph=True, confidence=confidence)
    return not_found("no sheet", photograph=False, confidence=confidence)


def flattened(pixels: Pixels, sheet: Sheet) -> Pixels:
    """The sheet (h, w, 3) uint8 straightened, cropped a little inside its border, evenly lit, without ruling.

    The longer side is at most 1,600 pixels. Where paper fills the picture nothing is cropped; where nothing
    was found, the same array comes back.
    """
    if not (sheet.found or sheet.fills):
        return pixels
    cv2.setNumThreads(1)
    return without_ruling(evened(_straightened(pixels, sheet)))


def around_drawing(page: Pixels, sheet: Sheet) -> Pixels:
    """A flattened sheet without the paper far from what is drawn on it, (h, w, 3) uint8, a view.

    So drawings are about as large as in clean pictures, whatever the size of their sheets. The same array
    where no sheet was found or nothing is drawn.
    """
    if not sheet.found:
        return page
    small = shrunk(page, LOOKED_AT)
    box = drawn_box(small)
    if box is None:
        return page
    top, left, bottom, right = (side * max(page.shape) / max(small.shape) for side in box)
    longest = max(bottom - top, right - left, _LEAST_DRAWN * max(page.shape))
    margin = _MARGIN * longest + (longest - max(bottom - top, right - left)) / 2
    height, width = page.shape[:2]
    first_row, last_row = max(0, round(top - margin)), min(height, round(bottom + margin))
    first_column, last_column = max(0, round(left - margin)), min(width, round(right + margin))
    return page[first_row:last_row, first_column:last_column]


def _is_drawn_on(corners: Corners, strokes: NDArray[np.bool_]) -> bool:
    """Whether there are strokes well inside the sheet."""
    inner = corners.mean(axis=0) + 0.9 * (corners - corners.mean(axis=0))
    mask = np.zeros(strokes.shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(inner).astype(np.int32), 1)
    return bool(strokes[mask > 0].mean() > _BLANK)


def _ground(lab: Pixels) -> tuple[float, bool]:
    """How light the picture's rim is, and whether it is of one level and colour."""
    sides = (lab[:4], lab[-4:], lab[:, :4], lab[:, -4:])
    rim = np.concatenate([side.reshape(-1, 3) for side in sides]).astype(np.int16)
    middle = np.median(rim, axis=0)
    return float(middle[0]), bool((np.abs(rim - middle).max(axis=-1) <= _EVEN).mean() >= 0.85)


def _strokes(small: Pixels) -> NDArray[np.bool_]:
    """What is thin and darker than around it, (h, w) bool."""
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8)) > _STROKE)


def _ink(small: Pixels) -> NDArray[np.float32]:
    """How much darker than around it what is thin is, in shadow too: (h, w) float32, 0 to 0.1."""
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    around = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return np.asarray(np.minimum((around - luma) / np.maximum(around, 20), 0.1), dtype=np.float32)


def _is_uneven_paper(lab: Pixels, strokes: NDArray[np.bool_]) -> bool:
    """Whether nearly all is of one colour, in a light that changes smoothly, and drawn on."""
    middle = np.median(lab[::4, ::4].reshape(-1, 3), axis=0)
    apart = np.abs(lab[::4, ::4].astype(np.int16) - middle)
    paper = (apart[..., 1:].max(axis=-1) <= 12) & (lab[::4, ::4, 0] >= 0.4 * middle[0])
    level = cv2.resize(lab[..., 0], (32, 32), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(level, (10, 90))
    rough = np.median(np.abs(cv2.Laplacian(level.astype(np.float32), cv2.CV_32F)))
    uneven = high - low >= _UNEVEN and low > _DARK and rough < _ROUGH
    return bool(uneven and paper.mean() >= 0.9 and _BLANK < strokes.mean() < _MOST_STROKES)


def _flatness(pixels: Pixels) -> float:
    """The share of pixels that equal their neighbours exactly, as they do where no camera looked."""
    apart = max(1, max(pixels.shape[:2]) // LONGEST)
    rows = pixels[:: max(1, len(pixels) // 64)]
    return float((rows[:, apart:] == rows[:, :-apart]).all(axis=-1).mean())


def _reduced(pixels: Pixels, longest: int) -> Pixels:
    """At most `longest` pixels on the longer side, each a mean; by a whole factor first, which is fast."""
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pixels = divided(pixels, max(height, width) // longest)
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
