"""The two-way table of a study with two factors."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.experiments.wrapup.sources import StudySource
from dessin.page.numbers import share
from dessin.runs.record import Result


@dataclass(frozen=True)
class Cell:
    """A pair of levels; `shade` (0..1) runs from the lowest to the highest accuracy of the table."""

    level: str
    is_base: bool
    text: str
    n: int
    shade: float


@dataclass(frozen=True)
class GridView:
    """`cells[row][column]`; None where the pair has no result."""

    row_factor: str
    column_factor: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]


def grid_view(study: StudySource) -> GridView | None:
    """Accuracies by the levels of both factors; None for a study with one factor, or without results."""
    if len(study.record.factors) != 2 or study.results is None:
        return None
    levels = study.record.levels
    rows, columns = (tuple(dict.fromkeys(level.parts[axis] for level in levels)) for axis in (0, 1))
    results = {result.level: result.accuracy for result in study.results.levels}
    found = {level.parts: (level.name, results.get(level.name)) for level in levels}
    values = [accuracy.value for _, accuracy in found.values() if accuracy]

    def cell(parts: tuple[str, ...]) -> Cell | None:
        name, accuracy = found.get(parts, ("", None))
        return _cell(name, name == study.record.base, accuracy, values) if accuracy else None

    cells = tuple(tuple(cell((row, column)) for column in columns) for row in rows)
    return GridView(*study.record.factors, rows=rows, columns=columns, cells=cells)


def _cell(name: str, is_base: bool, accuracy: Result, values: list[float]) -> Cell:
    low, high = min(values), max(values)
    shade = (accuracy.value - low) / (high - low) if high > low else 0.0
    return Cell(name, is_base, share(accuracy), accuracy.n, round(shade, 3))
