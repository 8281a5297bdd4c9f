"""A contact sheet: drawings in rows, what became of them in columns, and captions. Drawn with Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PAGE, _INK, _MUTED, _ACCENT, _RULE = "#fafaf8", "#1f2430", "#6b7280", "#3157c4", "#d9dce2"
_CELL = 172
_GAP = 14
_MARGIN = 36
_BODY, _HEAD, _TITLE = 12, 13, 26
_LEADING = 1.35
_NO_GLYPH = str.maketrans({"×": "x"})  # what Pillow's own font lacks


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture (S, S) or (S, S, 3) uint8 and what is written under it."""

    pixels: NDArray[np.uint8]
    caption: str


@dataclass(frozen=True)
class Column:
    """A column's heading, and a second line about it."""

    heading: str
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """A title, lines under it, columns, and rows of as many cells."""

    title: str
    lines: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def draw_sheet(sheet: Sheet) -> bytes:
    """The sheet as a PNG. It is as wide and as high as its captions need, so that nothing overlaps."""
    body, bold, title = (ImageFont.load_default(size) for size in (_BODY, _HEAD, _TITLE))
    headings = [_wrapped(column.heading, bold) for column in sheet.columns]
    notes = [_wrapped(column.note, body) for column in sheet.columns]
    captions = [[_wrapped(cell.caption, body) for cell in cells] for cells in sheet.rows]
    width = 2 * _MARGIN + len(sheet.columns) * (_CELL + _GAP) - _GAP
    lines = [part for line in sheet.lines for part in _wrapped(line, body, width - 2 * _MARGIN)]
    top = _MARGIN + _height([sheet.title], _TITLE) + _height(lines, _BODY) + 2 * _GAP
    head = max(map(len, headings)) * _line(_HEAD) + max(map(len, notes)) * _line(_BODY) + _GAP
    heights = [_CELL + max(map(len, row)) * _line(_BODY) + 2 * _GAP for row in captions]
    page = Image.new("RGB", (width, top + head + sum(heights) + _MARGIN), _PAGE)
    draw = ImageDraw.Draw(page)
    _write(draw, (_MARGIN, _MARGIN), [sheet.title], title, _INK, _TITLE)
    _write(draw, (_MARGIN, _MARGIN + _height([sheet.title], _TITLE) + _GAP // 2), lines, body, _MUTED, _BODY)
    draw.line((_MARGIN, top - _GAP // 2, width - _MARGIN, top - _GAP // 2), fill=_RULE)
    for number, (heading, note) in enumerate(zip(headings, notes, strict=True)):
        left = _MARGIN + number * (_CELL + _GAP)
        below = _write(draw, (left, top), heading, bold, _ACCENT, _HEAD)
        _write(draw, (left, below), note, body, _MUTED, _BODY)
    place = top + head
    for cells, row, height in zip(sheet.rows, captions, heights, strict=True):
        for number, (cell, caption) in enumerate(zip(cells, row, strict=True)):
            left = _MARGIN + number * (_CELL + _GAP)
            page.paste(_picture(cell.pixels), (left, place))
            draw.rectangle((left - 1, place - 1, left + _CELL, place + _CELL), outline=_RULE)
            _write(draw, (left, place + _CELL + 4), caption, body, _INK, _BODY)
        place += height
    buffer = io.BytesIO()
    page.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    side = (_CELL, _CELL)
    # Small pictures are enlarged by whole pixels as they are, large ones smoothed.
    how = Image.Resampling.LANCZOS if pixels.shape[0] > _CELL else Image.Resampling.NEAREST
    return Image.fromarray(pixels).convert("RGB").resize(side, how)


def _line(size: int) -> int:
    return round(size * _LEADING)


def _height(lines: Sequence[str], size: int) -> int:
    return len(lines) * _line(size)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    lines: Sequence[str],
    font: Font,
    colour: str,
    size: int,
) -> int:
    """Write lines from `place` down; returns where the next one would begin."""
    left, top = place
    for line in lines:
        draw.text((left, top), line, font=font, fill=colour)
        top += _line(size)
    return top


def _wrapped(text: str, font: Font, width: int = _CELL) -> list[str]:
    """The text in lines of at most `width` pixels, broken at spaces, and inside a word that is longer."""
    lines: list[str] = []
    for word in text.translate(_NO_GLYPH).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines.append("")
        for letter in word:
            if font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines
