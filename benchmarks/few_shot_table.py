"""The tables of the few-shot benchmark: from finished cells to a CSV, and from that to the papers.

A cell is a folder OUT/cells/TASK/BUDGET/SIDE with `predictions.csv` and `result.json`. Differences are dessin
minus another side on the same drawings, with an interval from resampling whole groups.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from dessin.page.numbers import number, points, share
from dessin.statistics.intervals import Estimate, bootstrap_mean

ROOT = Path(__file__).parents[1]
TABLE = Path("docs") / "benchmarks" / "few_shot.csv"
BEGIN, END = "<!-- few_shot.py: begin -->", "<!-- few_shot.py: end -->"
PREDICTED = ("file", "label", "group", "predicted")
OWN = "own"
DESSIN, UNDRAWN = "dessin", "dessin-undrawn"
TITLES = {
    DESSIN: "dessin",
    UNDRAWN: "dessin, drawn weights forbidden",
    "before": "dessin before",
    "fastai": "fastai",
    "timm": "timm script",
}
MISSING = "missing"
CAPTION = (
    "Accuracy on drawings that were not trained on, on two cores; in brackets dessin minus that side, in\n"
    "points with its 95% interval, paired by drawing. All: [few_shot.csv](docs/benchmarks/few_shot.csv)."
    "\n\n"
)


@dataclass(frozen=True)
class Cell:
    """One (task, budget, side): how it went. `budget` 0 is that of a recipe, which takes its own time.

    `seconds` of the whole process to the end of training; `others`: how many processors other programs had
    meanwhile, -1 where that is not known; `seen`: the weights `drawn` were trained on the task's drawings.
    """

    task: str
    title: str
    classes: int
    trained: int
    seen: bool
    budget: int
    side: str
    seconds: float
    others: float
    how: str
    versions: str
    machine: str
    date: str


@dataclass(frozen=True)
class Row:
    """A line of the CSV: a cell with its accuracy, and dessin's at the same budget minus it (or nothing)."""

    cell: Cell
    accuracy: Estimate
    minus: Estimate | None


def folder_of(out: Path, task: str, budget: int, side: str) -> Path:
    return out / "cells" / task / (f"{budget}s" if budget else OWN) / re.sub(r"[^\w.-]+", "-", side)


def read_cell(folder: Path) -> tuple[Cell, list[dict[str, str]]]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as lines:
        predicted = list(csv.DictReader(lines))
    return Cell(**json.loads((folder / "result.json").read_text(encoding="utf-8"))), predicted


def rows_of(out: Path) -> tuple[Row, ...]:
    """Whatever is finished below `out`, in the order of tasks, budgets and sides.

    A recipe is compared with dessin at the smallest budget that gave it as much time.
    """
    cells = [read_cell(file.parent) for file in sorted(out.glob("cells/*/*/*/result.json"))]
    base = {(cell.task, cell.budget): found for cell, found in cells if cell.side == _base(cell)}
    rows = []
    for cell, found in cells:
        groups = [row["group"] for row in found]
        minus, against = None, base.get((cell.task, _budget_of(cell, [b for t, b in base if t == cell.task])))
        if against and cell.side not in (DESSIN, UNDRAWN):
            ours = {row["file"]: _right(row) for row in against}
            differences = [ours[row["file"]] - _right(row) for row in found]
            minus = bootstrap_mean(differences, groups, bounds=(-1, 1))
        rows.append(Row(cell, bootstrap_mean([_right(row) for row in found], groups), minus))
    return tuple(sorted(rows, key=_order))


def _base(cell: Cell) -> str:
    """The side that others are held against: never one that has seen the drawings."""
    return UNDRAWN if cell.seen else DESSIN


def _budget_of(cell: Cell, budgets: Iterable[int]) -> int:
    enough = [budget for budget in budgets if budget >= cell.seconds]
    return cell.budget or min(enough, default=0)


def _right(row: dict[str, str]) -> float:
    return float(row["label"] == row["predicted"])


def _order(row: Row) -> tuple[object, ...]:
    cell, sides = row.cell, list(TITLES)
    task = re.fullmatch(r"(.*?)(\d*)", cell.task)
    place = sides.index(cell.side) if cell.side in sides else len(sides)
    return (task[1], int(task[2] or 0), cell.budget or 10**9, place, cell.side) if task else ()


_ESTIMATE = ("value", "low", "high")
_CELL = tuple(field.name for field in fields(Cell))
COLUMNS = (*_CELL, "n", *(f"accuracy_{x}" for x in _ESTIMATE), *(f"dessin_minus_{x}" for x in _ESTIMATE))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            three = [
                [f"{getattr(e, x):.6f}" for x in _ESTIMATE] if e else [""] * 3
                for e in (row.accuracy, row.minus)
            ]
            writer.writerow([*asdict(row.cell).values(), row.accuracy.n, *three[0], *three[1]])


def read_rows(path: Path) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(_row(line) for line in csv.DictReader(lines))


def _row(line: dict[str, str]) -> Row:
    kinds = {"int": int, "float": float, "bool": "True".__eq__}
    values = {field.name: kinds.get(str(field.type), str)(line[field.name]) for field in fields(Cell)}
    accuracy, minus = (
        Estimate(*(float(line[f"{name}_{x}"]) for x in _ESTIMATE), n=int(line["n"]))
        if line[f"{name}_value"]
        else None
        for name in ("accuracy", "dessin_minus")
    )
    return Row(Cell(**values), accuracy, minus)  # type: ignore[arg-type]


def merged(old: Sequence[Row], new: Sequence[Row]) -> tuple[Row, ...]:
    """The tasks of `new` as they are there, since only what ran together is compared; others of `old`."""
    tasks = {row.cell.task for row in new}
    return tuple(sorted([*(row for row in old if row.cell.task not in tasks), *new], key=_order))


def write_docs(rows: Sequence[Row], root: Path = ROOT) -> None:
    """The CSV with these rows in it, then the tables of README.md and docs/benchmarks.md from it."""
    table = root / TABLE
    if rows:
        write_rows(table, merged(read_rows(table) if table.is_file() else (), rows))
    kept = read_rows(table) if table.is_file() else ()
    for name, text in texts(kept).items():
        paper = root / name
        paper.write_text(with_table(paper.read_text(encoding="utf-8"), text), encoding="utf-8")


def texts(rows: Sequence[Row]) -> dict[str, str]:
    """A paper's name → what stands between its marks; without rows nothing does."""
    short = short_table(rows)
    return {"README.md": CAPTION + short if short else "", "docs/benchmarks.md": full_tables(rows)}


def with_table(paper: str, table: str) -> str:
    """A paper with the table between its two marks."""
    before, begin, rest = paper.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"A paper lacks the lines {BEGIN} and {END}, between which the table goes.")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def short_table(rows: Sequence[Row]) -> str:
    """A line a task and budget: accuracies, and how far dessin is before others."""
    found = {(row.cell.task, row.cell.budget, row.cell.side): row for row in rows if row.cell.budget}
    sides = [side for side in _sides(found.values()) if side != UNDRAWN]
    lines = []
    for task, budget in dict.fromkeys(key[:2] for key in found):
        first = next(row for key, row in found.items() if key[:2] == (task, budget))
        here = {key[2]: row for key, row in found.items() if key[:2] == (task, budget)}
        lines.append(
            [f"{first.cell.title}: {_drawn(first)}", _minutes(budget), *(_short(here, x) for x in sides)]
        )
    return _markdown(["drawings", "after", *(TITLES[side] for side in sides)], lines)


def _short(here: dict[str, Row], side: str) -> str:
    """A side's cell; of dessin that in which it cannot have seen the drawings, and then the other."""
    row = here.get(side)
    if side == DESSIN and any(each.cell.seen for each in here.values()):
        plain = f"{here[UNDRAWN].accuracy.value:.1%}" if UNDRAWN in here else MISSING
        return f"{plain}; {row.accuracy.value:.1%} with weights that may have seen them" if row else plain
    if row is None:
        return MISSING
    return f"{row.accuracy.value:.1%}" + (f" ({points(row.minus)})" if row.minus else "")


def full_tables(rows: Sequence[Row]) -> str:
    """A table a task, with intervals, the seconds that were taken, and what was trained."""
    parts = []
    for task in dict.fromkeys(row.cell.task for row in rows):
        mine = {(row.cell.budget, row.cell.side): row for row in rows if row.cell.task == task}
        budgets = sorted({budget for budget, _ in mine if budget})
        asked = [(budget, side) for budget in budgets for side in _sides(mine.values())]
        lines = [_line(mine[key]) if key in mine else _nothing(*key) for key in asked]
        lines += [_line(row) for key, row in mine.items() if key not in asked]
        head = ["budget", "", "accuracy", "dessin minus it, paired by image", "took", "what was trained"]
        first = next(iter(mine.values()))
        said = f"**{first.cell.title}**: {_drawn(first)}. {_circumstances(mine.values())}"
        parts.append(f"{said}\n\n{_markdown(head, lines)}")
    return "\n".join(parts)


def _line(row: Row) -> list[str]:
    cell, minus = row.cell, points(row.minus) if row.minus else ""
    name = TITLES.get(cell.side, f"`{cell.side}`")
    if cell.seen and cell.side == DESSIN:
        name += " (may have seen these drawings)"
    return [_minutes(cell.budget), name, share(row.accuracy), minus, f"{number(cell.seconds)} s", cell.how]


def _nothing(budget: int, side: str) -> list[str]:
    return [_minutes(budget), TITLES[side], MISSING, "", "", ""]


def _minutes(budget: int) -> str:
    if not budget:
        return "its own time"
    return f"{budget} s" if budget % 60 else f"{budget // 60} min"


def _sides(rows: Iterable[Row]) -> list[str]:
    there = {row.cell.side for row in rows}
    return [side for side in TITLES if side in there]


def _drawn(row: Row) -> str:
    return f"{number(row.cell.trained)} of {row.cell.classes} classes, n = {number(row.accuracy.n)}"


def _circumstances(rows: Iterable[Row]) -> str:
    """When and where, and how quiet it was there."""
    cells = [row.cell for row in rows]
    days = sorted({cell.date for cell in cells})
    versions = dict.fromkeys(cell.versions for cell in cells if cell.versions)
    loud = max(cell.others for cell in cells)
    said = [
        " to ".join(dict.fromkeys([days[0], days[-1]])),
        *sorted({cell.machine for cell in cells}),
        *versions,
    ]
    quiet = f" Other programs used at most {loud:.2f} processors." if loud >= 0 else ""
    return f"{'; '.join(said)}.{quiet}"


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *lines))
