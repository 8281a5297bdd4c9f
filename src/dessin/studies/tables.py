"""A study's results as tables for programs: `levels.csv` and `runs.csv`."""

from __future__ import annotations

from pathlib import Path

from dessin.files import write_csv
from dessin.runs.executors.record import ended_job
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate
from dessin.studies.result import LevelResult, StudyRecord, StudyResults

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
