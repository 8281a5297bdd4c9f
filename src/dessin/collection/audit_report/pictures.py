"""The drawings of the report: thumbnails as they were stored, and a contact sheet for every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.collection.checks.base import Context
from dessin.collection.scan import Scan
from dessin.page.pictures import data_uri, image_data_uri

_CELL = 80
_COLUMNS = 8
_THUMBNAIL_BUDGET = 6000  # in all contact sheets together: keeps the page at some megabytes
_FEWEST = 8


@dataclass(frozen=True)
class Sheet:
    """A class's contact sheet: `shown` of `count` drawings in one picture."""

    label: str
    name: str
    count: int
    shown: int
    picture: str
    width: int
    height: int


def contact_sheets(context: Context) -> list[Sheet]:
    """One sheet for every class; of large collections the first drawings of each."""
    manifest = context.manifest
    rows: dict[str, list[int]] = {label: [] for label in manifest.classes}
    for number, row in enumerate(manifest.rows):
        rows[row.label].append(number)
    limit = max(_FEWEST, _THUMBNAIL_BUDGET // max(len(rows), 1) // _COLUMNS * _COLUMNS)
    sheets = []
    for label, members in rows.items():
        sheet = _sheet(context.scan, members[:limit])
        sheets.append(
            Sheet(
                label=label,
                name=manifest.names.get(label, label),
                count=len(members),
                shown=min(limit, len(members)),
                picture=image_data_uri(sheet, kind="webp", quality=60),
                width=sheet.shape[1],
                height=sheet.shape[0],
            )
        )
    return sheets


def _sheet(scan: Scan, rows: Sequence[int]) -> NDArray[np.uint8]:
    """Thumbnails in a grid on white, (H, W, 3) uint8."""
    lines = -(-len(rows) // _COLUMNS)
    sheet = np.full((lines * _CELL, _COLUMNS * _CELL, 3), 255, dtype=np.uint8)
    inner = _CELL - 6
    for place, row in enumerate(rows):
        thumbnail = scan.thumbnail(row)
        scale = min(1.0, inner / max(thumbnail.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in thumbnail.shape[:2])
        thumbnail = np.asarray(cv2.resize(thumbnail, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        top = place // _COLUMNS * _CELL + (_CELL - height) // 2
        left = place % _COLUMNS * _CELL + (_CELL - width) // 2
        sheet[top : top + height, left : left + width] = thumbnail
    return sheet


def thumbnail_uri(scan: Scan, row: int) -> str:
    """A stored thumbnail as a `data:` address; empty for an unreadable image."""
    encoded = scan.thumbnail_bytes(row)
    return data_uri(encoded, "image/jpeg") if encoded else ""
