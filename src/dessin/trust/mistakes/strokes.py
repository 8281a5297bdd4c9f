"""The properties of drawings that may go with failure: what the audit's scan measures, line thickness,
size, shape; and their words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.collection.manifest import Manifest
from dessin.collection.measure import Measurement
from dessin.collection.scan import scan_images
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import page_of
from dessin.images.ground import Pixels
from dessin.images.ink import Mask, background, ink_box, ink_mask
from dessin.images.spec import Page
from dessin.language import translated
from dessin.parallel.mapper import ThreadMapper
from dessin.progress import track

# Thickness is said in pixels of a page with this longer side.
PAGE = 256
# Measured on a page twice as large, or lines of one and of two pixels could not be told apart.
_WORKING = 2 * PAGE
_LEAST_RIDGE = 8  # pixels; fewer are specks, no lines


@dataclass(frozen=True)
class Strokes:
    """Measures of one drawing; NaN where there is no ink.

    `thickness` is that of a typical line (the mean of the middle half along all lines), in pixels of a page
    whose longer side has 256; `size` the longer side of the box around the ink, over the page's longer side,
    0..1; `elongation` the longer over the shorter side of that box, at least 1.
    """

    thickness: float = math.nan
    size: float = math.nan
    elongation: float = math.nan


def measure_file(path: Path, page: Page = "off") -> Strokes:
    """The strokes of an image file, with `page: auto` of a photograph's page; all NaN where unreadable."""
    try:
        return measure_strokes(page_of(decode(read_image_bytes(path)).pixels, page))
    except Unreadable:
        return Strokes()


def measure_strokes(pixels: Pixels) -> Strokes:
    """Measure decoded pixels (H, W, 3) uint8."""
    height, width = pixels.shape[:2]
    scale = _WORKING / max(height, width)
    sides = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    page = np.asarray(cv2.resize(pixels, sides, interpolation=how), dtype=np.uint8)
    mask = ink_mask(page)
    box = ink_box(mask)
    if box is None:
        return Strokes()
    top, left, bottom, right = box
    shorter, longer = sorted((bottom - top, right - left))
    return Strokes(
        thickness=_thickness(page, mask) * PAGE / max(mask.shape),
        size=longer / max(mask.shape),
        # Finer than this no eye sees it, and ranks would.
        elongation=round(longer / shorter, 2),
    )


def _thickness(page: Pixels, mask: Mask) -> float:
    """Width of a typical line at half of its own strength, in pixels of `page`; NaN for specks only.

    Half strength is where a line ends whose edge was smoothed; the mask of all ink also holds the soft edge.
    """
    apart = page.astype(np.int16) - np.array(background(page), dtype=np.int16)
    strength = np.abs(apart).max(axis=2)
    distance = _distance(mask)
    middle = _ridge(distance)
    if np.count_nonzero(middle) < _LEAST_RIDGE:
        return math.nan
    distance = _distance(mask & (strength >= np.median(strength[middle]) / 2))
    inside = np.sort(distance[_ridge(distance)])
    quarter = len(inside) // 4
    return 2 * float(inside[quarter : len(inside) - quarter].mean())


def _distance(mask: Mask) -> NDArray[np.float32]:
    """How far each pixel of ink is from the paper; outside the page there is paper."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1])


def _ridge(distance: NDArray[np.float32]) -> Mask:
    """The middle of lines: ink of which no neighbour is further from the paper.

    Filled areas have few such pixels beside the lines of a drawing.
    """
    highest = cv2.dilate(distance, np.ones((3, 3), np.uint8))
    return np.asarray((distance > 0) & (distance >= highest - 1e-3))


Floats = NDArray[np.float64]
_GRAY_MODES = ("1", "L", "LA", "I", "F")


@dataclass(frozen=True)
class Property:
    """How a property is spoken of: `lowest` and `highest` are drawings at its ends, `form` shows a value.

    Where values are kinds of drawings, `kinds` has their names.
    """

    title: str
    lowest: str
    highest: str
    unit: str
    form: str
    meaning: str
    kinds: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, str]:
        """Drawings at its ends, in words."""
        return translated(self.lowest), translated(self.highest)

    def shown(self, value: float) -> str:
        """A value in words."""
        return self.kinds[int(value)] if self.kinds else self.form.format(value)


PROPERTIES: Mapping[str, Property] = {
    "thickness": Property(
        "Line thickness",
        "drawings with thin lines",
        "drawings with thick lines",
        f"px of a {PAGE}-px page",
        "{:.1f}",
        f"the width of a typical line, in px of a {PAGE}-px page",
    ),
    "ink": Property(
        "Ink",
        "drawings with little ink",
        "drawings with much ink",
        "of the page",
        "{:.1%}",
        "the share of the page that is drawn on",
    ),
    "size": Property(
        "Size on the page",
        "small drawings",
        "large drawings",
        "of the page’s longer side",
        "{:.0%}",
        "the longer side of the box around all ink, as a share of the page’s",
    ),
    "objects": Property(
        "Pieces",
        "drawings in few pieces",
        "drawings in many pieces",
        "pieces",
        "{:.0f}",
        "how many objects stand apart from one another on the page",
    ),
    "elongation": Property(
        "Elongation",
        "compact drawings",
        "elongated drawings",
        "longer over shorter side",
        "{:.2f}",
        "the longer side of the box around all ink, over the shorter one",
    ),
    "contrast": Property(
        "Contrast",
        "drawings with faint strokes",
        "drawings with strong strokes",
        "levels of 255",
        "{:.0f}",
        "how far the strongest strokes are from the paper",
    ),
    "colour": Property(
        "Gray or colour file",
        "drawings in gray files",
        "drawings in colour files",
        "0 gray, 1 colour",
        "{:.0f}",
        "whether the file has one channel or three",
        ("gray", "colour"),
    ),
}


def measure_drawings(manifest: Manifest, image_ids: Sequence[str], page: Page = "off") -> dict[str, Floats]:
    """Each property (N,) of these images, in their order; NaN where it could not be measured.

    With `page: auto` lines are measured on a photograph's page, as the model sees them. The audit's scan is
    read from the cache, or made.
    """
    scan = scan_images(manifest)
    row_of = {row.image_id: number for number, row in enumerate(manifest.rows)}
    scanned = [scan.measurements[row_of[image_id]] for image_id in image_ids]
    paths = [manifest.path(image_id) for image_id in image_ids]
    found = ThreadMapper().map(partial(measure_file, page=page), paths)
    strokes = list(track(found, len(paths), "Measuring lines"))
    pairs = list(zip(scanned, strokes, strict=True))
    return {name: np.array([_value(name, *pair) for pair in pairs], dtype=np.float64) for name in PROPERTIES}


def _value(name: str, scanned: Measurement, strokes: Strokes) -> float:
    if not scanned.readable:
        return math.nan
    match name:
        case "thickness" | "size" | "elongation":
            return float(getattr(strokes, name))
        case "colour":
            return float(not scanned.mode.startswith(_GRAY_MODES))
        case _:
            return float(getattr(scanned, name))
