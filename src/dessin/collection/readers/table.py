"""A table as spreadsheets write it: commas, semicolons or tabs, a byte order mark, `sep=;`, any line ends."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError
from dessin.reading import open_regular, read_bytes

SUFFIXES = frozenset({".csv", ".tsv"})
_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 20  # rows, to tell the delimiter
_HEAD = 1 << 16
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Table:
    """The rows of a table, each with as many cells as there are columns, as they are written.

    `columns` is the first row, without the spaces around. `comment` is the line `# ..` that dessin writes
    above its own tables, or empty. Rows without any text are left out, and columns without name and text.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    comment: str = ""
    delimiter: str = ","

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of a column, without the spaces around them."""
        place = self.columns.index(name)
        return tuple(row[place].strip() for row in self.rows)


def read_table(path: Path) -> Table:
    """The whole table.

    Raises:
        DessinError: no such file, not text, an open quote, or a row with more or fewer cells than the first.
    """
    return _parsed(path, _text(path, read_bytes(path)))


def head_of(path: Path) -> Table | None:
    """The first rows of a table, or None where the file cannot be read as one."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            data = file.read(_HEAD)
        cut = len(data) == _HEAD
        return _parsed(path, _text(path, data, cut=cut), cut=cut)
    except (OSError, DessinError):
        return None


def _text(path: Path, data: bytes, *, cut: bool = False) -> str:
    """The text of a table, or of its whole lines where it is `cut`, perhaps within a character."""
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=not cut)
    except UnicodeDecodeError:
        text = "\0"
    if cut:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    if "\0" in text:
        raise DessinError(
            f"{path} is not UTF-8 text.",
            do='Save it as UTF-8 and run again (in a spreadsheet: "CSV UTF-8").',
        )
    return text.removeprefix("\ufeff")


def _parsed(path: Path, text: str, *, cut: bool = False) -> Table:
    comment, delimiter = "", ""
    if text.startswith("# "):
        comment, text = _first_line(text)
        comment = comment.removeprefix("# ")
    elif text[:4].lower() == "sep=":
        first, text = _first_line(text)
        delimiter = first[4:].strip('" ') or "\t"
    delimiter = delimiter[:1] or _delimiter(text, cut=cut)
    try:
        rows = _rows(text, delimiter, cut=cut)
    except csv.Error as error:
        raise DessinError(f"{path}: {error}.", do="Correct the row (a quote was not closed?).") from None
    if not rows:
        return Table(path, (), (), comment, delimiter)
    return _trimmed(path, rows, comment, delimiter)


def _first_line(text: str) -> tuple[str, str]:
    line = io.StringIO(text, newline="").readline()
    return line.rstrip("\r\n"), text[len(line) :]


def _rows(text: str, delimiter: str, most: int | None = None, *, cut: bool = False) -> list[list[str]]:
    """The rows that hold any text; of a text that was `cut`, those before a quote that is not closed."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
            if most is not None and len(rows) >= most:
                break
    except csv.Error as error:
        if not cut:
            raise csv.Error(f"line {reader.line_num}: {error}") from None
    return rows


def _delimiter(text: str, *, cut: bool) -> str:
    """What parts the first rows into the same number of cells, else what the first row has most of."""
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        try:
            rows = _rows(text, delimiter, _LOOKED_AT, cut=cut)
        except csv.Error:
            continue
        widths = {_width(row) for row in rows}
        if len(widths) == 1 and widths != {1}:
            return delimiter
        if rows and _width(rows[0]) > most:
            best, most = delimiter, _width(rows[0])
    return best


def _width(row: Sequence[str]) -> int:
    """How many cells a row has, without empty ones at its end."""
    return max((place for place, cell in enumerate(row, 1) if cell.strip()), default=0)


def _trimmed(path: Path, rows: Sequence[Sequence[str]], comment: str, delimiter: str) -> Table:
    """All rows as wide as the first; empty cells beyond it are what a spreadsheet leaves."""
    width, named = len(rows[0]), _width(rows[0])
    if all(cell.strip() for cell in rows[0]) and all(len(row) == width for row in rows):
        columns = tuple(cell.strip() for cell in rows[0])
        return Table(path, columns, tuple(map(tuple, rows[1:])), comment, delimiter)
    for number, row in enumerate(rows):
        if len(row) < named or _width(row) > width:
            raise DessinError(
                f"{path}, row {number} does not have the {width} fields of the header.",
                do=f"Correct the row (a {_NAMES.get(delimiter, delimiter)} inside a value needs quotes).",
            )
    padded = [tuple([*row, *[""] * width][:width]) for row in rows]
    used = [place for place in range(width) if any(row[place].strip() for row in padded)]
    kept = [tuple(row[place] for place in used) for row in padded]
    columns = tuple(cell.strip() for cell in kept[0])
    return Table(path, columns, tuple(kept[1:]), comment, delimiter)


_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
