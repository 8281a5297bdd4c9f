"""A table as lines of text: aligned, safe to print, and on a terminal no wider than it; and as a CSV."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size

from rich.cells import cell_len, chop_cells

from dessin.files import write_csv
from dessin.page.numbers import Interval

_GAP = "  "
_NARROWEST = 10


def terminal_width() -> int | None:
    """The width that a table must keep to, in cells; None where the output is no terminal."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def aligned(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    *,
    whole: Collection[str] = (),
) -> list[str]:
    """Titles and rows as lines with aligned columns; where `width` is given, long cells lose their middle.

    The columns titled in `whole` are never cut. What a terminal would obey (line ends, escapes) is spelt out:
    names come from other people's folders.
    """
    table = [[printable(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    if width is not None:
        cut = [i for i, title in enumerate(titles) if title not in whole]
        widths = _narrowed(widths, cut, width - len(_GAP) * (len(widths) - 1))
    lines = [_GAP.join(_fitted(cell, w) for cell, w in zip(row, widths, strict=True)) for row in table]
    return [line.rstrip() for line in lines]


def printable(text: str) -> str:
    """The text with every character that does not print written as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def set_aside(
    titles: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, whole: Collection[str]
) -> tuple[list[int], list[str]]:
    """Which columns, by number, to show so that they fit, and lines about the others.

    Where not all fit uncut, those that have one value for all rows are said in a line; where not even cut
    columns fit, the last ones are named.
    """
    kept = list(range(len(titles)))
    lines: list[str] = []
    full = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    least = [w if title in whole else min(w, _NARROWEST) for w, title in zip(full, titles, strict=True)]
    if width is None or _total(full, kept) <= width:
        return kept, lines
    same = [i for i in kept[1:] if len({row[i] for row in rows}) == 1]
    if same and len(rows) > 1:
        values = ", ".join(f"{titles[i]} {rows[0][i] or 'none'}" for i in same)
        lines.append(f"The same for all: {printable(values)}.")
        kept = [i for i in kept if i not in same]
    dropped: list[str] = []
    while len(kept) > 1 and _total(least, kept) > width:
        dropped.insert(0, titles[kept.pop()])
    if dropped:
        lines.append(f"This terminal is too narrow for: {printable(', '.join(dropped))}.")
    return kept, lines


def _total(widths: Sequence[int], columns: Sequence[int]) -> int:
    return sum(widths[i] for i in columns) + len(_GAP) * (len(columns) - 1)


def _narrowed(widths: Sequence[int], cut: Sequence[int], room: int) -> list[int]:
    """Take from the widest of the columns that may be cut, as far as they can be read at all."""
    narrow = list(widths)
    while sum(narrow) > room and any(narrow[i] > _NARROWEST for i in cut):
        narrow[max(cut, key=lambda i: narrow[i])] -= 1
    return narrow


def _fitted(cell: str, width: int) -> str:
    if cell_len(cell) > width:
        head = chop_cells(cell, (width - 1) // 2)[0]
        tail = chop_cells(cell[::-1], width - 1 - cell_len(head))[0][::-1]
        cell = f"{head}…{tail}"
    return cell + " " * (width - cell_len(cell))


def write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Rows as a CSV whose columns are the keys of the first one; all have the same, and there is one."""
    first, *others = [dict(row) for row in rows]
    write_csv(path, list(first), ([row[column] for column in first] for row in (first, *others)))


def spread(
    name: str, found: Interval | None, *, ends: str = "", digits: int | None = None
) -> dict[str, object]:
    """A value with its interval as cells: `NAME`, and after `ends` `low` and `high`; empty for None.

    All of their digits are written where not so many are asked for.
    """
    values = [] if found is None else [found.value, found.low, found.high]
    written = [value if digits is None else f"{value:.{digits}f}" for value in values] or ["", "", ""]
    return dict(zip((name, f"{ends}low", f"{ends}high"), written, strict=True))
