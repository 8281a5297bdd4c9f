"""What a distillation came to: typed for `results.json`, as a table, and as lines for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dessin.committees.results_file import RESULTS_FILE, read_kind, result_kind
from dessin.decisions import Decision
from dessin.files import write_csv, write_json
from dessin.page.numbers import points
from dessin.runs.record import Hardware
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

FORMAT = 1
KIND = "distill"
TABLE_FILE = "distill.csv"
COMMITTEE, WHOLE, STUDENT, ALONE = "committee", "whole committee", "student", "student alone"


class LabelsRow(Section):
    """Soft labels for a fold's student (or for none, the final one's).

    `right` is how often their largest share names the label; `largest` is the mean of that share, and
    `largest_tempered` the same at the temperature that the student learns from.
    """

    fold: str
    models: int
    images: int
    right: float
    largest: float
    largest_tempered: float
    digest: str


class Size(Section):
    """How large what answers is: its models, their parameters, and the bytes of their bundles."""

    models: int
    parameters: int
    bytes: int


class Answerer(Section):
    """Who answered the measured images, and how well; `size` is that of what answered one image."""

    name: str
    accuracy: Estimate
    loss: Estimate
    size: Size


class Pace(Section):
    """Images a second (median of the rounds, from the slowest to the fastest) at `batch` images a time."""

    name: str
    batch: int
    value: float
    low: float
    high: float


class Gain(Section):
    """How many times as fast the student is as `against`, round by round: median, least and most."""

    against: str
    batch: int
    value: float
    low: float
    high: float


class SpeedResults(Section):
    """`speed.json`: forward passes on pixels that are in memory, all models in turn, `rounds` times."""

    rounds: int
    device: str
    hardware: Hardware
    paces: tuple[Pace, ...]
    gains: tuple[Gain, ...]

    def gain(self, against: str, batch: int) -> Gain:
        return next(row for row in self.gains if (row.against, row.batch) == (against, batch))

    def pace(self, name: str, batch: int) -> Pace:
        return next(row for row in self.paces if (row.name, row.batch) == (name, batch))


class DistillResults(Section):
    """`results.json`: committee, student and student alone on the images of `folds`, out of fold.

    `paid` is student minus committee, `gained` student minus student alone, corrected by Holm together.
    `whole` is the size of the whole committee; `final` whether a student of all folds is in `bundle/`.
    `warnings` say what went amiss, `cautions` what such numbers cannot say.
    """

    format: int = FORMAT
    kind: Literal["distill"] = "distill"
    committee: str
    student: str
    images: int
    groups: int
    folds: tuple[int, ...]
    weight: float
    temperature: float
    views: tuple[str, ...]
    seed: int
    matters: float
    answerers: tuple[Answerer, ...]
    paid: Comparison
    gained: Comparison
    whole: Size
    labels: tuple[LabelsRow, ...]
    speed: SpeedResults
    final: bool
    decisions: tuple[Decision[Any], ...]
    verdict: tuple[str, ...]
    warnings: tuple[str, ...]
    cautions: tuple[str, ...]

    def named(self, name: str) -> Answerer:
        return next(row for row in self.answerers if row.name == name)


def write_results(results: DistillResults, out: Path) -> None:
    """Write `distill.csv`, then `results.json`."""
    columns = ["name", "accuracy", "low", "high", "log_loss", "n", "models", "parameters", "bytes"]
    batches = sorted({pace.batch for pace in results.speed.paces}, reverse=True)
    columns += [f"images_per_second_by_{batch}" for batch in batches]
    rows = []
    for row in results.answerers:
        own, size = row.accuracy, row.size
        cells: list[object] = [row.name, own.value, own.low, own.high, row.loss.value, own.n]
        cells += [size.models, size.parameters, size.bytes]
        name = STUDENT if row.name == ALONE else row.name
        rows.append([*cells, *(results.speed.pace(name, batch).value for batch in batches)])
    size = results.whole
    speeds = [results.speed.pace(WHOLE, batch).value for batch in batches]
    rows.append([WHOLE, *[""] * 5, size.models, size.parameters, size.bytes, *speeds])
    write_csv(out / TABLE_FILE, columns, rows)
    write_json(out / RESULTS_FILE, results.model_dump(mode="json"))


def is_distillation(folder: Path) -> bool:
    """Whether a folder is what `dessin distill` wrote; other verbs have a `results.json` too."""
    return result_kind(folder) == KIND


def read_results(folder: Path) -> DistillResults:
    """The results of a distillation's folder; damaged ones or a newer format are refused."""
    return read_kind(DistillResults, folder, FORMAT)


def at_a_time(batch: int) -> str:
    """`32` → `batches of 32`."""
    return "single images" if batch == 1 else f"batches of {batch}"


def result_lines(results: DistillResults) -> list[str]:
    """Accuracies, differences, speeds and the verdict, as lines for a terminal."""
    lines = [
        f"{row.name}: {row.accuracy}; {row.size.models} "
        f"{'model' if row.size.models == 1 else 'models'}, {row.size.parameters / 1e6:.1f} M parameters"
        for row in results.answerers
    ]
    lines += [
        f"{row.name} against {row.against}: {points(row.difference)} points"
        for row in (results.paid, results.gained)
    ]
    lines += [
        f"speed, {at_a_time(gain.batch)}: {gain.value:.1f} times the {gain.against} "
        f"[{gain.low:.1f}, {gain.high:.1f}]"
        for gain in results.speed.gains
    ]
    notes = (*results.warnings, *results.cautions)
    return [*lines, *results.verdict, *(f"Note: {text}" for text in notes)]
