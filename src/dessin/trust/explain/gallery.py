"""Which drawings the page shows: wrong and right ones that the model was surest of, and doubtful ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dessin.errors import DessinError
from dessin.images.paths import image_path
from dessin.page.pictures import image_data_uri
from dessin.trust.explain.result import MapRow

SHOWN = 60
_QUALITY = 82


_BESIDE = "Beside each drawing: what speaks for the answer, then what speaks for the class that is right."
_UNKNOWN = "Whether these answers are right is not known."
_Choice = tuple[str, str, list[MapRow], int]


@dataclass(frozen=True)
class Tile:
    """A drawing beside its maps, in so many panels, as a `data:` address, and the row that it stands for."""

    picture: str
    width: int
    height: int
    panels: int
    row: MapRow


@dataclass(frozen=True)
class Shelf:
    """Tiles under one title; `of` is how many drawings could stand there."""

    title: str
    note: str
    tiles: tuple[Tile, ...]
    of: int


def shelves(folder: Path, rows: Sequence[MapRow]) -> list[Shelf]:
    """At most `SHOWN` drawings with the maps of their answers; `folder` holds the pictures that rows name."""
    # The first of a drawing's rows is that of the first method and of the answer.
    first = {row.image_id: row for row in reversed(rows) if row.is_main}
    panels = {image_id: count + 1 for image_id, count in Counter(row.image_id for row in rows).items()}
    chosen = _of_known(first.values()) if any(row.label for row in rows) else _of_unknown(first.values())
    return [
        Shelf(title, note, tuple(_tile(folder, row, panels[row.image_id]) for row in shown), of)
        for title, note, shown, of in chosen
        if shown
    ]


def _of_known(rows: Iterable[MapRow]) -> list[_Choice]:
    ordered = sorted(rows, key=lambda row: (-row.probability, row.image_id))
    wrong, right = ([row for row in ordered if row.right is side] for side in (False, True))
    part = SHOWN // 5
    sure, rest = right[: 2 * part], right[2 * part :]
    return [
        ("Wrong, the surest first", _BESIDE, wrong[: 2 * part], len(wrong)),
        ("Right, the surest first", "", sure, len(right)),
        ("Right, the most doubtful first", "", rest[::-1][:part], len(right)),
    ]


def _of_unknown(rows: Iterable[MapRow]) -> list[_Choice]:
    ordered = sorted(rows, key=lambda row: (-row.probability, row.image_id))
    half = SHOWN // 2
    sure, rest = ordered[:half], ordered[half:]
    return [
        ("The surest answers", _UNKNOWN, sure, len(ordered)),
        ("The most doubtful answers", _UNKNOWN, rest[::-1][:half], len(ordered)),
    ]


def _tile(folder: Path, row: MapRow, panels: int) -> Tile:
    stored = cv2.imread(str(image_path(folder, row.file)), cv2.IMREAD_COLOR)
    if stored is None:
        raise DessinError(f"The picture {folder / row.file} is gone.", do="Explain anew.")
    pixels = np.ascontiguousarray(stored[..., ::-1]).astype(np.uint8)
    height, width = pixels.shape[:2]
    return Tile(image_data_uri(pixels, kind="webp", quality=_QUALITY), width, height, panels, row)
