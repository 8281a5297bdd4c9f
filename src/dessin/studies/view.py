"""A study's results as tables: `levels.csv` and `runs.csv` for programs, lines for people."""

from __future__ import annotations

from pathlib import Path

from dessin.files import write_csv
from dessin.page.numbers import listed, points, share
from dessin.statistics.comparison import Comparison, what_is_seen
from dessin.statistics.intervals import Estimate
from dessin.studies.result import LevelResult, StudyRecord, StudyResults, ended_job

LEVELS_FILE = "levels.csv"
RUNS_FILE = "runs.csv"
LEVEL_COLUMNS = (
    *("level", "runs", "finished", "accuracy", "accuracy_low", "accuracy_high", "n"),
    *("loss", "loss_low", "loss_high", "difference", "difference_low", "difference_high"),
    *("p_holm", "detectable", "verdict", "verdict_text", "seconds"),
)
RUN_COLUMNS = (
    *("run", "level", "seed", "fold", "status", "accuracy", "low", "high", "n", "loss"),
    *("seconds", "executor", "host", "reason"),
)


def write_tables(folder: Path, study: StudyRecord, results: StudyResults) -> None:
    """Write both files; what there is not is an empty field."""
    compared = {comparison.name: comparison for comparison in results.comparisons}
    levels = (_level_row(level, compared.get(level.level)) for level in results.levels)
    write_csv(folder / LEVELS_FILE, LEVEL_COLUMNS, levels)
    rows: list[list[object]] = []
    for job in study.jobs:
        start, record = [job.name, job.level, job.seed, job.fold], ended_job(folder, job.name)
        if record is None:
            rows.append([*start, "missing", *[""] * 9])
            continue
        accuracy, loss = record.accuracy, f"{record.loss.value:.4f}" if record.loss else ""
        numbers = [*_numbers(accuracy), accuracy.n if accuracy else "", loss]
        rows.append(
            [*start, record.status, *numbers, record.seconds, record.executor, record.host, record.reason]
        )
    write_csv(folder / RUNS_FILE, RUN_COLUMNS, rows)


def lines(study: StudyRecord, results: StudyResults) -> list[str]:
    """The results for people."""
    compared = {comparison.name: comparison for comparison in results.comparisons}
    differences = {name: points(comparison.difference) for name, comparison in compared.items()}
    width = max(len(level.level) for level in results.levels)
    column = max([22, *map(len, differences.values())])
    rows = [f"  {'level':<{width}}  {'accuracy':>20}  {'loss':>6}  {'difference':>{column}}  verdict"]
    for level in results.levels:
        accuracy = share(level.accuracy) if level.accuracy else "-"
        loss = f"{level.loss.value:.3f}" if level.loss else "-"
        there, difference = compared.get(level.level), differences.get(level.level, "")
        said = there.verdict if there else "(base)" if level.level == study.base else "no runs to compare"
        rows.append(f"  {level.level:<{width}}  {accuracy:>20}  {loss:>6}  {difference:>{column}}  {said}")
    effects, words = (
        [f"  {c.name} against {c.against}: {c.verdict_text}" for c in some]
        for some in (results.main_effects, results.comparisons)
    )
    seen = []
    if results.detectable_after is not None:
        expected = f"{100 * study.detectable_before:.1f} expected before"
        seen = [f"  {what_is_seen(results.detectable_after)} ({expected})"]
    return [
        f"Results of {study.name}: {study.hypothesis}",
        *rows,
        *(["Each factor, over the levels of the other", *effects] if effects else []),
        *(["In words", *words] if words else []),
        *seen,
        *([f"  without a result: {listed(results.missing)}"] if results.missing else []),
    ]


def _level_row(level: LevelResult, comparison: Comparison | None) -> list[object]:
    row: list[object] = [level.level, level.jobs, level.finished]
    row += [*_numbers(level.accuracy), level.accuracy.n if level.accuracy else ""]
    row += _numbers(level.loss)
    if comparison is None:
        return [*row, *[""] * 7, level.seconds]
    detectable = f"{comparison.detectable:.4f}"
    words = [comparison.verdict, comparison.verdict_text]
    p = f"{comparison.p_holm:.4g}"
    return [*row, *_numbers(comparison.difference), p, detectable, *words, level.seconds]


def _numbers(result: Estimate | None) -> list[str]:
    return [f"{v:.4f}" for v in (result.value, result.low, result.high)] if result else [""] * 3
