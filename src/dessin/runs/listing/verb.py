"""The verb `runs`: the runs of a workspace as a table, filtered and sorted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dessin.errors import DessinError
from dessin.files import write_csv
from dessin.language import tr
from dessin.ops import as_texts, names
from dessin.page.blocks import Column as TableColumn
from dessin.page.blocks import Page, Table
from dessin.page.notebook import ShownList, Tables
from dessin.page.numbers import number
from dessin.page.tables import aligned, printable, set_aside, terminal_width
from dessin.progress import say
from dessin.runs.listing.find import STOPPED, Workspace, read_workspace
from dessin.runs.listing.keys import (
    Column,
    Flat,
    is_number,
    machine_text,
    make_columns,
    parse_conditions,
    resolve_key,
    text_of,
)

_DAMAGED = "damaged"
_NAMED = 4


@dataclass(frozen=True)
class Row:
    """A run's folder, and its record as dotted keys beside `name`, its path below the workspace.

    A run whose record cannot be read has the status `damaged` and no other key.
    """

    path: Path
    values: Flat


class Rows(ShownList[Row]):
    """The runs that were asked for, in their order."""

    def _tables(self) -> Tables:
        yield "", [{"path": row.path, **row.values} for row in self]


def runs(
    workspace: str | Path = ".",
    *,
    where: Annotated[Sequence[str], "a condition"] = (),
    sort: str | None = None,
    columns: str | Sequence[str] | None = None,
    csv: str | Path | None = None,
    limit: int | None = None,
) -> Rows:
    """Show the runs below a folder as a table: filtered, sorted, with the columns you ask for.

    Args:
        workspace: Any folder; studies' runs below it are listed as well.
        where: What a run must pass, with one of = != < <= > >= or ~ (contains), such as `accuracy>0.45` or
            `model.backbone=resnet18`.
        sort: A key, with `-` before it for the largest first; by default runs are in the order of paths.
        columns: Keys to show in place of the usual ones.
        csv: A table (.csv) for programs: every digit, results with interval and n in columns of their own.
        limit: How many runs at most.

    Raises:
        DessinError: no such folder, a condition that cannot be read, or a key that no run has.
    """
    if limit is not None and limit < 1:
        raise DessinError(f"A limit of {limit} was asked for.", allowed="It is 1 or more.")
    found = read_workspace(workspace)
    rows = rows_of(found)
    keys = {key for row in rows for key in row.values} or {"name", "status"}
    chosen = select(rows, as_texts(where), sort)
    shown = make_columns(None if columns is None else names(columns), keys) if rows else ()
    chosen = chosen[:limit]
    if csv is not None:
        fields = [field for column in shown for field in column.fields()]
        table = ([machine_text(row.values.get(key)) for _, key in fields] for row in chosen)
        write_csv(Path(csv), [title for title, _ in fields], table)
    _say(found, chosen, shown)
    return Rows(chosen).with_page(lambda: _page(found, chosen, shown))


def rows_of(found: Workspace) -> list[Row]:
    """A row a run, in the order of paths."""
    rows = []
    for entry in found.entries:
        damaged = {"status": _DAMAGED} if entry.problem else {}
        rows.append(Row(found.root / entry.path, {"name": entry.path, **damaged, **entry.values}))
    return rows


def select(rows: Sequence[Row], where: Sequence[str], sort: str | None) -> list[Row]:
    """The rows that pass all conditions, sorted where that is asked for.

    Raises:
        DessinError: a condition that cannot be read, or a key that no run has.
    """
    if not rows:
        return []
    keys = {key for row in rows for key in row.values}
    conditions = parse_conditions(where, keys, [row.values for row in rows])
    chosen = [row for row in rows if all(condition.holds(row.values) for condition in conditions)]
    return chosen if sort is None else _sorted(chosen, sort, keys)


def _sorted(rows: Sequence[Row], sort: str, keys: set[str]) -> list[Row]:
    """By a key: numbers before texts, and runs that lack it at the end either way."""
    key = resolve_key(sort.removeprefix("-"), keys)

    def rank(row: Row) -> tuple[bool, float, str]:
        value = row.values[key]
        number = float(value) if isinstance(value, (int, float)) else 0.0
        return (not is_number(value), number, text_of(value))

    having = [row for row in rows if row.values.get(key) is not None]
    lacking = [row for row in rows if row.values.get(key) is None]
    return sorted(having, key=rank, reverse=sort.startswith("-")) + lacking


def _page(found: Workspace, rows: Sequence[Row], columns: Sequence[Column]) -> Page:
    cells = tuple(tuple(column.cell(row.values) for column in columns) for row in rows)
    titles = tuple(TableColumn(column.title, column.whole) for column in columns)
    count = tr("{n} of {total} runs", n=number(len(rows)), total=number(len(found.entries)))
    return Page(tr("Runs"), count, (Table(titles, cells),) if rows else ())


def _say(found: Workspace, rows: Sequence[Row], columns: Sequence[Column]) -> None:
    if rows:
        titles = [column.title for column in columns]
        cells = [[column.cell(row.values) for column in columns] for row in rows]
        whole = {column.title for column in columns if column.whole}
        width = terminal_width()
        kept, asides = set_aside(titles, cells, width, whole)
        shown = [[row[i] for i in kept] for row in (titles, *cells)]
        for line in (*aligned(shown[0], shown[1:], width, whole=whole), *asides):
            say(line)
    total = len(found.entries)
    values = {"folder": found.root, "folders": number(found.folders)}
    if total:
        count = {"n": number(len(rows)), "total": number(total)}
        say(tr("{n} of {total} runs in {folder} (folders looked into: {folders})", **count, **values))
    else:
        say(tr("No run below {folder} (folders looked into: {folders})", **values))
    for entry in found.entries:
        if entry.problem:
            say(f"{_DAMAGED}: {printable(entry.path)}: {printable(entry.problem)}")
    stopped = [entry.path for entry in found.entries if entry.values.get("status") == STOPPED]
    for path in stopped[:_NAMED]:
        place = printable(shlex.quote(str(found.root / path)))
        say(tr("stopped before its end: go on with dessin train --resume {place}", place=place))
    if len(stopped) > _NAMED:
        say(tr("{n} more were stopped; they go on in the same way.", n=number(len(stopped) - _NAMED)))
    for note in found.notes:
        say(printable(note))
