"""The properties of drawings that may go with failure, and their words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.collection.manifest import Manifest
from dessin.collection.measure import Measurement
from dessin.collection.scan import scan_images
from dessin.experiments.mistakes.strokes import PAGE, Strokes, measure_file
from dessin.parallel.mapper import ThreadMapper
from dessin.progress import track

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


def measure_drawings(manifest: Manifest, image_ids: Sequence[str]) -> dict[str, Floats]:
    """Each property (N,) of these images, in their order; NaN where it could not be measured.

    The audit's scan is read from the cache, or made.

    Raises:
        DessinError: a file's bytes are no longer those of the manifest.
    """
    scan = scan_images(manifest)
    row_of = {row.image_id: number for number, row in enumerate(manifest.rows)}
    scanned = [scan.measurements[row_of[image_id]] for image_id in image_ids]
    paths = [manifest.path(image_id) for image_id in image_ids]
    strokes = list(track(ThreadMapper().map(measure_file, paths), len(paths), "measuring lines"))
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
