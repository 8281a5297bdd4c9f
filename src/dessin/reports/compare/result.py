"""What a comparison of runs came to: typed for `comparison.json`, as tables for CSV, and as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.files import write_csv, write_json
from dessin.page.numbers import points, written_p
from dessin.page.tables import aligned, printable
from dessin.reports.compare.differences import Difference
from dessin.runs.listing.flat import Value, machine_text
from dessin.runs.record import SetName
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate
from dessin.trust.card.result import TrustCard
from dessin.trust.robustness.compare import RobustComparison

FORMAT = 1
COMPARISON_COLUMNS = (
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


class DifferenceRecord(Section):
    """A key whose values differ between the runs, in their order."""

    key: str
    values: tuple[Value, ...]
    texts: tuple[str, ...]


class RunComparison(Section):
    """`comparison.json`: the first run is the base, and each comparison is of another run against it.

    `cautions` are sentences about what this comparison cannot say; `cards` are the runs' trust cards,
    and `robustness` compares with the base those runs that were measured on corrupted drawings, as it was.
    """

    format: int = FORMAT
    set_name: SetName
    images: int
    groups: int
    matters: float
    runs: tuple[ComparedRun, ...]
    comparisons: tuple[Comparison, ...]
    differences: tuple[DifferenceRecord, ...]
    cautions: tuple[str, ...] = ()
    cards: tuple[TrustCard, ...] = ()
    robustness: tuple[RobustComparison, ...] = ()


def record_of(difference: Difference) -> DifferenceRecord:
    return DifferenceRecord(**difference.__dict__)


def write_comparison(result: RunComparison, out: Path) -> None:
    """Write `comparison.json`, `comparison.csv` and `differences.csv` into a folder."""
    write_json(out / "comparison.json", result.model_dump(mode="json"))
    write_csv(out / "comparison.csv", COMPARISON_COLUMNS, map(_row, result.comparisons))
    names = [run.name for run in result.runs]
    rows = ([d.key, *(machine_text(value) for value in d.values)] for d in result.differences)
    write_csv(out / "differences.csv", ["key", *names], rows)


def _row(comparison: Comparison) -> list[object]:
    difference, exact = comparison.difference, comparison.mcnemar[0]
    numbers = [difference.value, difference.low, difference.high, exact.level_alone, exact.base_alone]
    tests = [exact.p, comparison.p, comparison.p_holm, comparison.detectable]
    return [comparison.name, comparison.against, comparison.images, *numbers, *tests, comparison.verdict]


def comparison_lines(result: RunComparison, width: int | None) -> list[str]:
    """Accuracies, differences, verdicts, and what differs, as lines for a terminal."""
    accuracies = [[run.name, str(run.accuracy)] for run in result.runs]
    accuracy = f"accuracy ({result.set_name})"
    lines = aligned(["run", accuracy], accuracies, width, whole={accuracy})
    titles = ["against " + result.runs[0].name, "points", "alone right", "McNemar p", "p (Holm)", "could see"]
    lines += ["", *aligned(titles, list(map(_cells, result.comparisons)), width, whole=titles[1:]), ""]
    lines += [printable(f"{c.name}: {c.verdict_text}.") for c in result.comparisons]
    lines += ["", *_beyond_accuracy(result.cards, width)]
    lines += [
        printable(f"{pair.first}, robust accuracy: {pair.robust.verdict_text}.") for pair in result.robustness
    ]
    lines += ["", *_differing(result.runs, result.differences, width)]
    return [*lines, *(printable(f"Note: {caution}") for caution in result.cautions)]


def _cells(comparison: Comparison) -> list[str]:
    exact = comparison.mcnemar[0]
    return [
        comparison.name,
        points(comparison.difference),
        f"{exact.level_alone} : {exact.base_alone}",
        written_p(exact.p),
        written_p(comparison.p_holm),
        f"{100 * comparison.detectable:.1f}",
    ]


def _beyond_accuracy(cards: Sequence[TrustCard], width: int | None) -> list[str]:
    """The trust cards beside each other, a fact a line."""
    rows = [
        [facts[0].title, *(fact.value or "not measured" for fact in facts)]
        for facts in zip(*(card.facts for card in cards), strict=True)
    ]
    return aligned(["beyond accuracy", *(card.name for card in cards)], rows, width)


def _differing(
    runs: Sequence[ComparedRun], found: Sequence[DifferenceRecord], width: int | None
) -> list[str]:
    if not found:
        return ["Nothing differs in recipe, data, weights, versions or hardware."]
    return aligned(["what differs", *(r.name for r in runs)], [[d.key, *d.texts] for d in found], width)
