"""Pictures of the corruptions: one drawing of the set in all of them, at all strengths."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dessin.images.colour import one_opencv_thread
from dessin.trust.robustness.corrupt import Pictures
from dessin.trust.robustness.result import RobustAnswers
from dessin.trust.robustness.sketch import Pixels
from dessin.trust.robustness.suite import STRENGTHS, SUITE

_TILE = 128
_GAP = 8
_NAMES = 150
_TEXT = "#1f2430"
_GROUND = "#e6e8ec"


@dataclass(frozen=True, eq=False)
class Tiles:
    """One drawing as it is, (S, S, 3) uint8, and corrupted, (16, 5, S, S, 3).

    `clean` and `correct` (16, 5) say whether the model named it right.
    """

    image_id: str
    label: str
    plain: Pixels
    corrupted: Pixels
    clean: bool
    correct: NDArray[np.bool_]


def sample_tiles(pictures: Pictures, answers: RobustAnswers) -> Tiles:
    """The drawing of median ink among those that are named right as they are (of all, if none is)."""
    candidates = np.flatnonzero(answers.clean)
    if not len(candidates):
        candidates = np.arange(len(answers.image_ids))
    papers = np.asarray(pictures.background)[pictures.rows[candidates]].astype(np.float64)
    pages = pictures.pixels[pictures.rows[candidates]].mean(axis=(2, 3))
    ink = np.abs(pages - papers).mean(axis=1)
    names = [answers.image_ids[place] for place in candidates]
    place = int(candidates[np.lexsort((names, ink))[len(candidates) // 2]])
    return tiles_of(pictures, answers, place)


def tiles_of(pictures: Pictures, answers: RobustAnswers, place: int) -> Tiles:
    """The drawing at a place of the set."""
    with one_opencv_thread():
        chunk = pictures.chunk(np.array([place]))
        corrupted = np.stack([chunk.corrupted(corruption)[:, 0] for corruption in SUITE])
    return Tiles(
        image_id=answers.image_ids[place],
        label=answers.labels[place],
        plain=_colours(pictures.pixels[pictures.rows[[place]]][0]),
        corrupted=_colours(corrupted),
        clean=bool(answers.clean[place]),
        correct=answers.correct[:, :, place] > 0,
    )


def _colours(pixels: Pixels) -> Pixels:
    """(.., 1 or 3, S, S) to (.., S, S, 3)."""
    last = np.moveaxis(pixels, -3, -1)
    return np.ascontiguousarray(np.broadcast_to(last, (*last.shape[:-1], 3)))


def contact_sheet(tiles: Tiles) -> bytes:
    """A PNG: a row for each corruption, the drawing as it is and then weak to strong."""
    width = _NAMES + (STRENGTHS + 1) * (_TILE + _GAP) + _GAP
    height = len(SUITE) * (_TILE + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for row, corruption in enumerate(SUITE):
        top = _GAP + row * (_TILE + _GAP)
        draw.text((_GAP, top + _TILE // 2 - 9), corruption.title, fill=_TEXT, font=font)
        for column, picture in enumerate([tiles.plain, *tiles.corrupted[row]]):
            tile = Image.fromarray(picture).resize((_TILE, _TILE), Image.Resampling.BICUBIC)
            sheet.paste(tile, (_NAMES + column * (_TILE + _GAP) + _GAP, top))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
