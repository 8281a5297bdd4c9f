"""The runs of a workspace as rows: filtered, sorted, with the columns asked for, as in `dessin runs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.progress import quiet
from dessin.runs.listing.keys import DEFAULT, Column, Value, make_columns
from dessin.runs.listing.verb import Row, runs
from dessin.studio.plain import Cell

_RESULTS = ("accuracy", "holdout")


@dataclass(frozen=True)
class RunTable:
    """Titles and texts as they are shown; `rows` are the runs behind them, in the same order."""

    titles: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    rows: tuple[Row, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The runs' paths below the workspace."""
        return tuple(str(row.values["name"]) for row in self.rows)


def run_table(root: Path, *, where: str, sort: str, columns: Sequence[str]) -> RunTable:
    """The runs below `root`.

    Args:
        where: conditions with commas between, such as `accuracy>0.4, backbone~lite0`; may be empty.
        sort: a key, with `-` before it for the largest first; empty for the order of paths.
        columns: keys to show after the name; none for the usual ones.

    Raises:
        DessinError: a condition that cannot be read, or a key that no run has.
    """
    conditions = [part.strip() for part in where.split(",") if part.strip()]
    with quiet():
        found = runs(root, where=conditions, sort=sort or None)
    keys = {key for row in found for key in row.values}
    shown = _columns(columns, keys) if found else ()
    return RunTable(
        tuple(column.title for column in shown),
        tuple(tuple(_cell(column.cell(row.values)) for column in shown) for row in found),
        tuple(found),
    )


def _columns(names: Sequence[str], keys: set[str]) -> tuple[Column, ...]:
    """Those asked for, or the usual ones with the results first: a phone shows few beside the name."""
    if names:
        return make_columns(("name", *names), keys)
    usual = make_columns(None, keys)
    return tuple(sorted(usual, key=lambda column: (column.title != "name", column.title not in _RESULTS)))


def column_names(root: Path) -> list[str]:
    """What columns may be: the usual short names first, then every key that a run has."""
    with quiet():
        found = runs(root)
    keys = sorted({key for row in found for key in row.values} - {"name"})
    usual = [name for name in DEFAULT if name != "name"]
    return [*usual, *(key for key in keys if key not in usual)]


def comparable_pair(table: RunTable) -> list[str]:
    """Two finished runs that were validated on the same drawings, or else the first finished one."""
    first: dict[tuple[Value, Value], str] = {}
    for name, row in zip(table.names, table.rows, strict=True):
        if row.values.get("status") != "finished":
            continue
        key = row.values.get("digests.split"), row.values.get("recipe.data.fold")
        if key in first:
            return [first[key], name]
        first[key] = name
    return list(first.values())[:1]


def _cell(text: str) -> Cell:
    """A result as `columns` writes it has its n under it."""
    value, comma, n = text.partition(", n = ")
    return (value, f"n = {n}") if comma else text
