"""The runs of a workspace as rows: filtered, sorted, with the columns asked for, as in `dessin runs`; all
folds of a recipe are one row, and so is a committee."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np

from dessin.answers.committee import COMMITTEE_FILE, read_committee
from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.committees.ensemble.verb import NESTED
from dessin.errors import DessinError
from dessin.language import tr_n
from dessin.runs.fold_group import is_fold_folder, is_fold_group, run_record
from dessin.runs.listing.find import read_workspace
from dessin.runs.listing.keys import DEFAULT, Column, Flat, Value, flatten, make_columns
from dessin.runs.listing.verb import Row, rows_of, select
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.metrics import measure
from dessin.studio.plain import Cell
from dessin.studio.workspace import Workspace

_RESULTS = ("accuracy", "holdout")


@dataclass(frozen=True)
class RunTable:
    """Titles and texts as they are shown; `rows` are the runs behind them, in the same order, of `total`."""

    titles: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    rows: tuple[Row, ...]
    total: int

    @property
    def names(self) -> tuple[str, ...]:
        """The runs' paths below the workspace."""
        return tuple(str(row.values["name"]) for row in self.rows)

    def path(self, name: str) -> Path:
        """The folder of a run by its name."""
        return next(row.path for row in self.rows if row.values["name"] == name)


def run_table(workspace: Workspace, *, where: str, sort: str, columns: Sequence[str]) -> RunTable:
    """The runs and committees of a workspace.

    Args:
        where: conditions with commas between, such as `accuracy>0.4, backbone~lite0`; may be empty.
        sort: a key, with `-` before it for the largest first; empty for the order of paths.
        columns: keys to show after the name; none for the usual ones.

    Raises:
        DessinError: a condition that cannot be read, or a key that no run has.
    """
    conditions = [part.strip() for part in where.split(",") if part.strip()]
    rows = _all_rows(workspace)
    found = select(rows, conditions, sort or None)
    keys = {key for row in found for key in row.values}
    shown = _columns(columns, keys) if found else ()
    return RunTable(
        tuple(column.title for column in shown),
        tuple(tuple(_cell(column.cell(row.values)) for column in shown) for row in found),
        tuple(found),
        len(rows),
    )


def _all_rows(workspace: Workspace) -> list[Row]:
    """Folds joined, committees added, in the order of names."""
    rows = [*_joined(rows_of(read_workspace(workspace.root))), *_committees(workspace)]
    return sorted(rows, key=lambda row: str(row.values["name"]))


def _joined(rows: Sequence[Row]) -> Iterator[Row]:
    """Runs, those of all folds of a recipe as one."""

    def whole(row: Row) -> Path:
        return row.path.parent if is_fold_folder(row.path) else row.path

    for place, alike in groupby(sorted(rows, key=whole), key=whole):
        folds = list(alike)
        if folds[0].path == place:
            yield from folds
            continue
        try:
            values = _of_folds(place, tuple(row.path for row in folds), _stamp(folds))
            name = str(folds[0].values["name"]).rpartition("/")[0]
            # Of an auto's folds there is no file that joins them, so that the first stands for them.
            yield Row(place if is_fold_group(place) else folds[0].path, {**values, "name": name})
        except DessinError:
            yield from folds


def _stamp(rows: Sequence[Row]) -> str:
    """Changes as the folds' records do."""
    return " ".join(str((row.values.get("status"), row.values.get("finished"))) for row in rows)


@lru_cache(maxsize=200)
def _of_folds(place: Path, folds: tuple[Path, ...], stamp: str) -> Flat:  # noqa: ARG001
    """The values of a group of folds, or of some folds that an auto has trained."""
    if is_fold_group(place):
        return flatten(run_record(place).model_dump(mode="json"))
    first = flatten(run_record(folds[0]).model_dump(mode="json"))
    if len(folds) > 1:
        first["recipe.data.fold"] = "none"
    return {**first, **_results("validation", [fold / "validation" for fold in folds], folds[0] / SPLIT_FILE)}


def _committees(workspace: Workspace) -> Iterator[Row]:
    """Committees but for those of fold groups, which are runs, and those that cannot be read."""
    for name in workspace.committees:
        folder = workspace.path(name)
        if is_fold_group(folder):
            continue
        with suppress(DessinError):
            yield Row(folder, {"name": name, **_of_committee(folder)})


def _of_committee(folder: Path) -> Flat:
    members = len(read_committee(folder).bundles)
    values: dict[str, Value] = {
        "status": "finished",
        "recipe.model.backbone": tr_n("vote of {n} model", "vote of {n} models", members),
    }
    stamp = str((folder / COMMITTEE_FILE).stat().st_mtime_ns)
    # What `ensemble` has of drawings that did not choose the members lies beside the committee.
    kept = {"validation": [folder / "validation", folder.parent / NESTED], "holdout": [folder / "holdout"]}
    for name, places in kept.items():
        if place := next((each for each in places if (each / "predictions.csv").is_file()), None):
            values |= _of_answers(name, place, folder / SPLIT_FILE, stamp)
    return values


@lru_cache(maxsize=200)
def _of_answers(name: str, kept: Path, split: Path, stamp: str) -> Flat:  # noqa: ARG001
    return _results(name, [kept], split)


def _results(name: str, kept: Sequence[Path], split: Path) -> Flat:
    """Flat results of the answers that are kept in one folder or more, of different drawings each."""
    tables = [read_predictions(folder) for folder in kept]
    classes = tables[0].classes
    group_of = {row.image_id: row.group for row in read_split(split).rows}
    ids = [image_id for table in tables for image_id in table.image_ids]
    measured = measure(
        np.concatenate([table.table(table.image_ids, classes) for table in tables]),
        np.concatenate([table.targets for table in tables]),
        [group_of.get(image_id, "") for image_id in ids],
        classes,
    )
    return {
        f"results.{name}.{metric}.{part}": getattr(value, part)
        for metric, value in measured.results.items()
        for part in ("value", "low", "high", "n")
    }


def _columns(names: Sequence[str], keys: set[str]) -> tuple[Column, ...]:
    """Those asked for, or the usual ones with the results first: a phone shows few beside the name."""
    if names:
        return make_columns(("name", *names), keys)
    usual = make_columns(None, keys)
    return tuple(sorted(usual, key=lambda column: (column.title != "name", column.title not in _RESULTS)))


def column_names(workspace: Workspace) -> list[str]:
    """What columns may be: the usual short names first, then every key that a run has."""
    keys = sorted({key for row in _all_rows(workspace) for key in row.values} - {"name"})
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
