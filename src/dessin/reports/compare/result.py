"""What a comparison of runs came to: typed for `comparison.json`, and as tables for CSV."""

from __future__ import annotations

from pathlib import Path

from dessin.files import write_csv
from dessin.reports.differences import Difference
from dessin.results import Result
from dessin.runs.listing.keys import machine_text
from dessin.runs.record import SetName
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate
from dessin.trust.card.result import TrustCard
from dessin.trust.robustness.compare import RobustComparison

COLUMNS = (
    "run",
    "against",
    "images",
    "difference",
    "low",
    "high",
    "run_alone_right",
    "base_alone_right",
    "p_mcnemar",
    "p",
    "p_holm",
    "detectable",
    "verdict",
)


class ComparedRun(Section):
    """One of the runs; `model` is the sha256 of its weights, `opened` how often its holdout was looked at."""

    name: str
    path: str
    accuracy: Estimate
    seed: int
    fold: int | str
    model: str
    opened: int


class RunComparison(Result):
    """`comparison.json`: the first run is the base, and each comparison is of another run against it.

    `cautions` are sentences about what this comparison cannot say; `cards` are the runs' trust cards,
    and `robustness` compares with the base those runs that were measured on corrupted drawings, as it was.
    """

    FILE = "comparison.json"
    TABLE = "comparisons"
    WHAT = "a comparison of runs"

    set_name: SetName
    images: int
    groups: int
    matters: float
    runs: tuple[ComparedRun, ...]
    comparisons: tuple[Comparison, ...]
    differences: tuple[Difference, ...]
    cautions: tuple[str, ...] = ()
    cards: tuple[TrustCard, ...] = ()
    robustness: tuple[RobustComparison, ...] = ()

    def write(self, folder: Path) -> None:
        """Write `comparison.json`, `comparison.csv` and `differences.csv` into a folder."""
        super().write(folder)
        write_csv(folder / "comparison.csv", COLUMNS, map(_row, self.comparisons))
        rows = ([d.key, *(machine_text(value) for value in d.values)] for d in self.differences)
        write_csv(folder / "differences.csv", ["key", *(run.name for run in self.runs)], rows)


def _row(comparison: Comparison) -> list[object]:
    difference, exact = comparison.difference, comparison.mcnemar[0]
    numbers = [difference.value, difference.low, difference.high, exact.level_alone, exact.base_alone]
    tests = [exact.p, comparison.p, comparison.p_holm, comparison.detectable]
    return [comparison.name, comparison.against, comparison.images, *numbers, *tests, comparison.verdict]
