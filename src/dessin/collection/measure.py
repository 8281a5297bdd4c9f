"""What is measured on one decoded image: brightness, ink, contrast, objects, signature, thumbnail.

Of a photograph of a page, ink and all that rests on it are measured on the page: straightened, evenly lit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.decode import Decoded, Unreadable, decode
from dessin.images.ink import background, ink_mask, local_strokes
from dessin.images.photograph import Sheet, around_drawing, find_sheet, flattened
from dessin.images.shrink import divided, shrunk

SIGNATURE_SIDE = 64
SIGNATURE_SHAPE = (SIGNATURE_SIDE, SIGNATURE_SIDE)
THUMBNAIL_SIDE = 128
PAGE_SIDE = 256
FINE_SIDE = 192
_WORKING_SIDE = 640
_PICTURE_SIDE = 960  # at least, of a photograph that is straightened
_LIGHT_SIDE = 160
_OBJECT_SIDE = 128
_BLANK_INK = 0.0002
_BLANK_CONTRAST = 12.0

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def draw_signature(strength: Pixels, mask: Mask, side: int = SIGNATURE_SIDE) -> Pixels:
    """The strokes (S, S) uint8, trimmed to the ink, in the middle of a square, the strongest at 255.

    Args:
        strength: how far each pixel is from the paper, (H, W) uint8.
        mask: which pixels are ink, (H, W) bool; without ink the signature is empty.
        side: S, in pixels.
    """
    signature = np.zeros((side, side), dtype=np.uint8)
    if not mask.any():
        return signature
    (top, bottom), (left, right) = _extent(mask.sum(axis=1)), _extent(mask.sum(axis=0))
    strokes = strength[top:bottom, left:right]
    height, width = _signature_size(strokes.shape[0], strokes.shape[1], side)
    method = cv2.INTER_AREA if height * width < strokes.size else cv2.INTER_LINEAR
    strokes = cv2.resize(strokes, (width, height), interpolation=method)
    y, x = (side - height) // 2, (side - width) // 2
    cv2.normalize(strokes, signature[y : y + height, x : x + width], 0, 255, cv2.NORM_MINMAX)
    return signature


def _signature_size(height: int, width: int, full: int) -> tuple[int, int]:
    """The longer side fills the signature, the shorter is stretched to the root of its share.

    So a long thin drawing (a guitar, a bottle) keeps enough pixels to tell it from the next one. Even
    sizes put the middle of the drawing in the middle of the square, whichever way it is turned.
    """
    long, short = max(height, width), min(height, width)
    side = max(2, 2 * round(full / 2 * (short / long) ** 0.5))
    return (side, full) if height < width else (full, side)


def _extent(profile: NDArray[np.int64]) -> tuple[int, int]:
    """Where the ink begins and ends along one axis, leaving out 0.1% on either side (specks)."""
    reached = np.cumsum(profile)
    outside = reached[-1] // 1000
    begin = np.searchsorted(reached, outside, side="right")
    return int(begin), int(np.searchsorted(reached, reached[-1] - outside)) + 1


@dataclass(frozen=True)
class Photographed:
    """What is known of an image as a photograph of a page.

    Attributes:
        found: whether the sheet was found; otherwise nothing is cropped.
        confidence: how sure the sheet is, 0..1.
        reason: a short sentence for people.
        share: how much of the picture is page, 0..1.
        evenness: the paper where it is darkest over where it is lightest, 0..1.
    """

    found: bool
    confidence: float
    reason: str
    share: float
    evenness: float


@dataclass(frozen=True)
class Measurement:
    """One image's measures. An unreadable image has a reason, and zeros.

    Attributes:
        brightness: mean of the red, green and blue channel, 0..255.
        ink: share of the pixels that differ from the background.
        contrast: how far the strongest strokes are from the background in luma, 0..255.
        objects: number of separate drawings on the page, at least 1 where there is ink.
        second_size: extent of the second object, outside the box of the first, over that of the first, 0..1.
        second_gap: white space between these two, over the diagonal of all ink, 0..1.
        pixel_digest: sha256 of the decoded size and RGB pixels; equal for equal pictures in any file format.
        ground: what a transparent picture was laid on, `white` or `black`; empty for an opaque one.
        truncated: a JPEG without its last bytes, whose rows of pixels are all there.
        photograph: of a photograph of a page, whose ink, contrast and objects are the page's; else None.
    """

    readable: bool
    reason: str = ""
    width: int = 0
    height: int = 0
    mode: str = "unreadable"
    format: str = ""
    brightness: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ink: float = 0.0
    contrast: float = 0.0
    objects: int = 0
    second_size: float = 0.0
    second_gap: float = 0.0
    pixel_digest: str = ""
    ground: str = ""
    truncated: bool = False
    photograph: Photographed | None = None

    @property
    def blank(self) -> bool:
        """Readable, but with nothing on it to compare."""
        return self.readable and (self.ink < _BLANK_INK or self.contrast < _BLANK_CONTRAST)


@dataclass(frozen=True)
class Measured:
    """A measurement with its pictures: signature (64, 64) uint8, thumbnail as JPEG bytes.

    Of a photograph also the page that a model sees and its strokes, a finer signature; both as JPEG bytes.
    """

    measurement: Measurement
    signature: Pixels
    thumbnail: bytes
    page: bytes = b""
    strokes: bytes = b""


def measure(data: bytes) -> Measured:
    """Measure one image file's bytes; rubbish becomes a measurement with its reason."""
    try:
        decoded = decode(data)
    except Unreadable as error:
        return unreadable(error.reason)
    sheet = find_sheet(decoded.pixels)
    if sheet.photograph:
        return _measured_page(decoded, sheet)
    working = _reduced(decoded.pixels)
    mask = ink_mask(working)
    luma = cv2.cvtColor(working, cv2.COLOR_RGB2GRAY)
    paper = cv2.cvtColor(np.array([[background(working)]], dtype=np.uint8), cv2.COLOR_RGB2GRAY)
    strength = cv2.absdiff(luma, np.full_like(luma, paper[0, 0]))
    measurement = _measurement(decoded, strength, mask)
    return Measured(measurement, draw_signature(strength, mask), _jpeg(shrunk(working, THUMBNAIL_SIDE)))


def _measured_page(decoded: Decoded, sheet: Sheet) -> Measured:
    # Half of the work is saved where a large picture is shrunk before it is straightened.
    factor = max(1, max(decoded.pixels.shape) // _PICTURE_SIDE)
    picture = divided(decoded.pixels, factor)
    page = flattened(picture, replace(sheet, corners=sheet.corners / factor))
    strength, mask = local_strokes(shrunk(page, _WORKING_SIDE))
    measurement = replace(
        _measurement(decoded, strength, mask), photograph=_photographed(picture, sheet, factor)
    )
    return Measured(
        measurement,
        draw_signature(strength, mask),
        _jpeg(shrunk(picture, PAGE_SIDE)),
        page=_jpeg(shrunk(around_drawing(page, sheet), PAGE_SIDE)),
        strokes=_jpeg(draw_signature(strength, mask, FINE_SIDE)),
    )


def _photographed(picture: Pixels, sheet: Sheet, factor: int) -> Photographed:
    small = shrunk(picture, _LIGHT_SIDE)
    scale = max(small.shape) / max(picture.shape) / factor
    inside = np.zeros(small.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(inside, np.round(sheet.corners * scale).astype(np.int32), 1)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    paper = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    # Without the rim, where paper and desk meet.
    within = cv2.erode(inside, np.ones((9, 9), np.uint8), borderValue=0)
    levels = paper[within > 0] if within.any() else paper.ravel()
    darkest, lightest = np.percentile(levels, (5, 95))
    return Photographed(
        found=sheet.found,
        confidence=round(sheet.confidence, 4),
        reason=sheet.reason,
        share=round(float(inside.mean()), 4),
        evenness=round(float(darkest / max(lightest, 1.0)), 4),
    )


def _measurement(decoded: Decoded, strength: Pixels, mask: Mask) -> Measurement:
    ink = int(np.count_nonzero(mask))
    red, green, blue = (round(float(value), 2) for value in cv2.mean(decoded.pixels)[:3])
    objects, second_size, second_gap = _objects(mask)
    digest = hashlib.sha256(f"{decoded.height}x{decoded.width}:".encode())
    digest.update(np.ascontiguousarray(decoded.pixels).data)
    return Measurement(
        readable=True,
        width=decoded.width,
        height=decoded.height,
        mode=decoded.mode,
        format=decoded.format,
        brightness=(red, green, blue),
        ink=round(ink / mask.size, 6),
        contrast=_contrast(strength, ink),
        objects=objects,
        second_size=second_size,
        second_gap=second_gap,
        pixel_digest=digest.hexdigest(),
        ground=decoded.ground or "",
        truncated=decoded.truncated,
    )


def unreadable(reason: str) -> Measured:
    return Measured(Measurement(readable=False, reason=reason), np.zeros(SIGNATURE_SHAPE, np.uint8), b"")


def _reduced(pixels: Pixels) -> Pixels:
    """`pixels` shrunk by a whole factor, which is far faster than by a fraction, to a side of at most 640."""
    height, width = pixels.shape[:2]
    factor = -(-max(height, width) // _WORKING_SIDE)
    if factor == 1 or min(height, width) < factor:
        return shrunk(pixels, _WORKING_SIDE)
    return divided(pixels, factor)


def _contrast(strength: Pixels, ink: int) -> float:
    """The level that the strongest 0.2% of the pixels reach, or half of the `ink` where there is less of it.

    So thin strokes and small drawings count, and a few specks do not.
    """
    counts = cv2.calcHist([strength], [0], None, [256], [0, 256]).ravel()
    enough = min(max(8, min(strength.size // 500, ink // 2)), strength.size)
    return float(255 - int(np.searchsorted(np.cumsum(counts[::-1]), enough)))


def _objects(mask: Mask) -> tuple[int, float, float]:
    """Number of separate objects, the second's relative size, and the gap between the first two.

    Strokes nearer to each other than a twentieth of the drawing belong together. The size of an object is
    the geometric mean of its ink and of the area of its box, less the share inside the largest one's box.
    """
    small = shrunk(mask.astype(np.uint8) * 255, _OBJECT_SIDE) > 32
    rows, columns = np.flatnonzero(small.any(axis=1)), np.flatnonzero(small.any(axis=0))
    if not len(rows):
        return 0, 0.0, 0.0
    diagonal = float(np.hypot(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1))
    reach = max(1, round(diagonal / 40))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    padded = cv2.copyMakeBorder(small.astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(cv2.dilate(padded, disc))
    if count <= 2:
        return 1, 0.0, 0.0
    ink = np.bincount(labels[padded > 0], minlength=count)[1:]
    area = boxes[1:, cv2.CC_STAT_WIDTH].astype(float) * boxes[1:, cv2.CC_STAT_HEIGHT]
    size = np.sqrt(ink * area)
    size /= size.max()
    first = int(size.argmax())
    apart = size * (1 - _share_inside(boxes[1:], boxes[first + 1]))
    second = int(apart.argmax())
    here, there = (((labels == label + 1) & (padded > 0)).astype(np.uint8) for label in (first, second))
    gap = float(cv2.distanceTransform(1 - here, cv2.DIST_L2, 3)[there > 0].min()) / diagonal
    return 1 + int((apart > 0.1).sum()), round(float(apart[second]), 4), round(min(gap, 1.0), 4)


def _share_inside(boxes: NDArray[np.int32], outer: NDArray[np.int32]) -> NDArray[np.float64]:
    """How much of each box (x, y, width, height, …) lies inside another: an eye is no second object."""
    begin = np.maximum(boxes[:, :2], outer[:2])
    end = np.minimum(boxes[:, :2] + boxes[:, 2:4], outer[:2] + outer[2:4])
    inside = np.clip(end - begin, 0, None).prod(axis=1)
    return np.asarray(inside / boxes[:, 2:4].prod(axis=1), dtype=np.float64)


def _jpeg(pixels: Pixels) -> bytes:
    """RGB (h, w, 3) or gray (h, w) uint8."""
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return bytes(cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 82])[1])
