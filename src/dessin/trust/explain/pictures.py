"""Maps over their drawings, in colour: PNG files with a row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dessin.errors import DessinError
from dessin.images.ground import Pixels
from dessin.images.ink import ink_mask
from dessin.images.paths import image_path
from dessin.trust.explain.explainer import BatchAnswers, Explainer
from dessin.trust.explain.maps import Floats
from dessin.trust.explain.result import MapRow
from dessin.trust.explain.sources import Batch

MAPS_FOLDER = "maps"
# Drawings are mostly paper: a low level makes a file hardly larger, in a fifth of the time.
_COMPRESSION = 1
# From a weak yellow to a strong red, as (R, G, B); how far they cover the drawing.
_RAMP = np.array([[255, 222, 110], [244, 140, 40], [188, 24, 44]], dtype=np.float32)
_COVER = 0.7
_LEVELS = np.linspace(0.0, 1.0, 256, dtype=np.float32)
_COLOURS = np.stack([np.interp(_LEVELS, (0.0, 0.5, 1.0), channel) for channel in _RAMP.T], axis=1)
_ALPHA = (_COVER * _LEVELS**0.75)[:, None]
# What 256 levels of a map add to a pixel, and the share of the pixel itself that stays.
_ADDED = (_ALPHA * _COLOURS).astype(np.float32)
_KEPT = (1.0 - _ALPHA).astype(np.float32)


def overlay(pixels: Pixels, values: Floats) -> Pixels:
    """Pixels (H, W, 3) uint8 under a map (h, w) float32 in 0..1, enlarged to fit: (H, W, 3) uint8."""
    height, width = pixels.shape[:2]
    fitted = cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    level = np.rint(np.clip(fitted, 0.0, 1.0) * 255).astype(np.uint8)
    return np.asarray(np.rint(pixels * _KEPT[level] + _ADDED[level]).astype(np.uint8))


def side_by_side(pictures: list[Pixels], *, gap: int = 6) -> Pixels:
    """Pictures of equal height (H, W, 3) uint8 in a row, white between them."""
    height = pictures[0].shape[0]
    blank = np.full((height, gap, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (blank, picture)][1:]
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Explained:
    """The rows of some drawings, and their pictures (PNG) by file name."""

    rows: list[MapRow]
    pictures: dict[str, bytes]

    def write(self, folder: Path) -> list[MapRow]:
        """Write the pictures below `folder`, by image id."""
        for file, data in self.pictures.items():
            path = image_path(folder, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.rows


def explain_batch(explainer: Explainer, batch: Batch, *, methods: Sequence[str]) -> Iterator[Explained]:
    """The maps of a batch."""
    asked = explainer.ask(batch, gradients=any(method != "occlusion" for method in methods))
    drawings = asked.batch.drawings
    predicted = predictions(explainer, asked)
    # For an answer that is right, or that nobody knows to be wrong, there is no second class to explain.
    true = [drawing.label or answer for drawing, answer in zip(drawings, predicted, strict=True)]
    asked_for = [predicted] if true == predicted else [predicted, true]
    maps = [{method: explainer.maps(asked, labels, method) for method in methods} for labels in asked_for]
    found = Explained([], {})
    for place, drawing in enumerate(drawings):
        picture = explainer.image(asked, place)
        shown = [
            (method, labels[place], of_labels[method][place])
            for labels, of_labels in zip(asked_for, maps, strict=True)
            if labels is predicted or true[place] != predicted[place]
            for method in methods
        ]
        ink = ink_mask(picture)
        file = f"{drawing.image_id}.png"
        panels = [picture, *(overlay(picture, values) for _, _, values in shown)]
        found.pictures[file] = _png(drawing.image_id, side_by_side(panels))
        found.rows.extend(
            MapRow(
                image_id=drawing.image_id,
                label=drawing.label,
                predicted=predicted[place],
                probability=float(asked.probabilities[place].max()),
                method=method,
                explained=label,
                file=f"{MAPS_FOLDER}/{file}",
                centre=centre_of_mass(values),
                on_ink=float(values[ink].sum()) / float(values.sum()) if values.sum() > 0 else None,
                ink=float(ink.mean()),
            )
            for method, label, values in shown
        )
    yield found


def predictions(explainer: Explainer, asked: BatchAnswers) -> list[str]:
    """The class that is named for each drawing."""
    return [explainer.classes[column] for column in asked.probabilities.argmax(axis=1)]


def centre_of_mass(values: Floats) -> tuple[float, float] | None:
    """(x, y) of a map (S, S) in shares of its width and height; None for an empty one."""
    total = float(values.sum())
    if total <= 0:
        return None
    height, width = values.shape
    across, down = values.sum(axis=0), values.sum(axis=1)
    x = float(across @ (np.arange(width) + 0.5)) / (total * width)
    return x, float(down @ (np.arange(height) + 0.5)) / (total * height)


def _png(image_id: str, pixels: Pixels) -> bytes:
    done, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise DessinError(f"The picture of {image_id} could not be encoded.", do="Leave that drawing out.")
    return data.tobytes()
