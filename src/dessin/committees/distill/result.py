"""What a distillation came to: typed for `results.json`, and as a table for CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dessin.committees.results import CommitteeResults
from dessin.decisions import Decision
from dessin.page.tables import spread, write_table
from dessin.runs.record import Hardware
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

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

    @property
    def batches(self) -> list[int]:
        """How many images were asked for at a time, the most first."""
        return sorted({pace.batch for pace in self.paces}, reverse=True)

    def gain(self, against: str, batch: int) -> Gain:
        return next(row for row in self.gains if (row.against, row.batch) == (against, batch))

    def pace(self, name: str, batch: int) -> Pace:
        return next(row for row in self.paces if (row.name, row.batch) == (name, batch))


class DistillResults(CommitteeResults):
    """`results.json`: committee, student and student alone on the images of `folds`, out of fold.

    `paid` is student minus committee, `gained` student minus student alone, corrected by Holm together.
    `whole` is the size of the whole committee; `final` whether a student of all folds is in `bundle/`.
    `warnings` say what went amiss, `cautions` what such numbers cannot say.
    """

    TABLE = "answerers"

    kind: Literal["distill"] = "distill"
    committee: str
    student: str
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
    verdict: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def named(self, name: str) -> Answerer:
        return next(row for row in self.answerers if row.name == name)

    def write_tables(self, out: Path) -> None:
        """Write `distill.csv`: who answered, and the whole committee, which nobody can measure here."""
        rows = [_cells(row.name, row, row.size, self.speed) for row in self.answerers]
        write_table(out / "distill.csv", [*rows, _cells(WHOLE, None, self.whole, self.speed)])


def _cells(name: str, answered: Answerer | None, size: Size, speed: SpeedResults) -> dict[str, object]:
    timed = STUDENT if name == ALONE else name
    return {
        "name": name,
        **spread("accuracy", answered.accuracy if answered else None),
        "log_loss": answered.loss.value if answered else "",
        "n": answered.accuracy.n if answered else "",
        **size.model_dump(),
        **{f"images_per_second_by_{b}": speed.pace(timed, b).value for b in speed.batches},
    }
