"""What happens on the way to the model: a camera, a small file, something that lies on the page."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dessin.trust.robustness.fields import GRAIN_STEPS
from dessin.trust.robustness.sketch import Pixels, Sketch

_PATCH_TONE = 0.5


def blur(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Out of focus: a Gaussian whose deviation is `levels` shares of the side."""
    return [
        np.asarray(
            cv2.GaussianBlur(sketch.page, (0, 0), level * sketch.size, borderType=cv2.BORDER_REPLICATE),
            dtype=np.uint8,
        )
        for level in levels
    ]


def noise(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Grain of a camera in the dark: Gaussian, its deviation `levels` shares of the range."""
    grain = sketch.fields.window(sketch.fields.grain, sketch.draws[:2])
    page = sketch.page.astype(np.int16)
    if page.ndim == 3:
        grain = cv2.merge([grain] * 3)
    return [
        np.asarray(
            cv2.addWeighted(page, 1.0, grain, 255 * level / GRAIN_STEPS, 0.0, dtype=cv2.CV_8U), dtype=np.uint8
        )
        for level in levels
    ]


def jpeg(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Saved as JPEG with `levels` as the quality, 1 to 100, at the model's own size."""
    gray = sketch.page.ndim == 2
    # OpenCV has blue first, and JPEG does not treat red and blue alike.
    page = sketch.page if gray else cv2.cvtColor(sketch.page, cv2.COLOR_RGB2BGR)
    pages = []
    for level in levels:
        _, data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(level)])
        found = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)
        pages.append(np.asarray(found if gray else cv2.cvtColor(found, cv2.COLOR_BGR2RGB), dtype=np.uint8))
    return pages


def occlusion(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """A gray patch, `levels` shares of the drawing's longer side wide; its middle lies on the ink."""
    top, left, bottom, right = sketch.box
    row, column = _on_ink(sketch)
    tone = tuple(_PATCH_TONE * level for level in sketch.paper)
    pages = []
    for level in levels:
        half = level * max(bottom - top, right - left) / 2
        rows, columns = (slice(max(0, round(at - half)), max(0, round(at + half))) for at in (row, column))
        page = sketch.page.copy()
        page[rows, columns] = tone if page.ndim == 3 else tone[0]
        pages.append(page)
    return pages


def _on_ink(sketch: Sketch) -> tuple[int, int]:
    """A row and a column, drawn in proportion to the ink; the middle of a blank page."""
    reached = np.cumsum(sketch.ink, dtype=np.int64)
    if not reached[-1]:
        return sketch.size // 2, sketch.size // 2
    place = int(np.searchsorted(reached, int(sketch.draws[0] * reached[-1]), side="right"))
    return divmod(place, sketch.size)


def low_resolution(sketch: Sketch, levels: Sequence[float]) -> list[Pixels]:
    """Made of `levels` pixels a side and enlarged again; a picture that has fewer stays as it is."""
    pages = []
    for level in levels:
        side = min(int(level), sketch.size)
        small = cv2.resize(sketch.page, (side, side), interpolation=cv2.INTER_AREA)
        page = cv2.resize(small, (sketch.size, sketch.size), interpolation=cv2.INTER_LINEAR)
        pages.append(np.asarray(page, dtype=np.uint8))
    return pages
