"""What the page says about one study, as plain frozen data: its levels, its table of two factors, its
evidence."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from dessin.page.numbers import at_least, counted, listed, p_value, plain, points, share, signed, size, spent
from dessin.reports.wrapup.changes import Change, base_level, changes, varied
from dessin.reports.wrapup.curves import Curves, draw_curves
from dessin.reports.wrapup.outcome import Outcome, outcome
from dessin.reports.wrapup.sources import StudyJob, StudySource
from dessin.statistics.comparison import Comparison
from dessin.statistics.forest import Forest, draw_forest
from dessin.statistics.intervals import Estimate
from dessin.statistics.verdicts import Verdict
from dessin.studies.records import LevelResult, Topic


@dataclass(frozen=True)
class LevelRow:
    """A level's line in the table; `changes` of the base are its values of what others change.

    Texts are empty where there is nothing to say.
    """

    name: str
    is_base: bool
    changes: tuple[Change, ...]
    runs: str
    loss: str
    accuracy: str
    n: str
    difference: str
    p: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Evidence:
    """How sure a difference is: the verdict in words, and lines of (way of asking, answer)."""

    name: str
    against: str
    verdict: str
    lines: tuple[tuple[str, str], ...]


def level_rows(study: StudySource) -> tuple[LevelRow, ...]:
    """The levels in the order of the study, the base first."""
    results = {result.level: result for result in study.results.levels} if study.results else {}
    compared = {item.name: item for item in study.results.comparisons} if study.results else {}
    base = base_level(study.record)
    levels = [base, *(level for level in study.record.levels if level != base)]
    return tuple(
        _level_row(
            level.name,
            varied(study.record) if level == base else changes(study.record, level),
            results.get(level.name),
            None if level == base else compared.get(level.name),
            is_base=level == base,
        )
        for level in levels
    )


def _level_row(
    name: str,
    changed: tuple[Change, ...],
    result: LevelResult | None,
    compared: Comparison | None,
    *,
    is_base: bool,
) -> LevelRow:
    accuracy, loss = (result.accuracy, result.loss) if result else (None, None)
    return LevelRow(
        name=name,
        is_base=is_base,
        changes=changed,
        runs=_runs(result) if result else "",
        loss=plain(loss) if loss else "",
        accuracy=share(accuracy) if accuracy else "",
        n=in_images(accuracy),
        difference=points(compared.difference) if compared else "",
        p=p_value(compared.p_holm).removeprefix("=\u00a0") if compared else "",
        verdict=compared.verdict if compared else None,
    )


def in_images(result: Estimate | None) -> str:
    """`n = 1 246`; empty for no result."""
    return f"n = {result.n:,}".replace(",", "\u202f") if result else ""


def _runs(result: LevelResult) -> str:
    lost = {"collapsed": result.collapsed, "failed": result.failed}
    kept = f"{result.finished}" if result.finished == result.jobs else f"{result.finished} of {result.jobs}"
    return ", ".join([kept, *(f"{count} {what}" for what, count in lost.items() if count)])


def evidence(comparison: Comparison) -> Evidence:
    """Every way of asking about one difference."""
    ways: Mapping[str, Estimate | None] = {
        "images and runs together (the verdict rests on it)": comparison.difference,
        "images alone, whole groups resampled": comparison.by_image,
        "seeds alone, Student's t": comparison.by_seed,
        "folds alone, Nadeau and Bengio": comparison.by_fold,
    }
    lines = [(way, points(result)) for way, result in ways.items() if result]
    p, adjusted = p_value(comparison.p), p_value(comparison.p_holm)
    lines.append(("p, before and after Holm", f"p\u00a0{p}, p\u00a0{adjusted}"))
    if len(comparison.seed_differences) > 1 and comparison.sign_flip_p is not None:
        by_seed = ", ".join(map(signed, comparison.seed_differences))
        flipped = f"{by_seed}, p\u00a0{p_value(comparison.sign_flip_p)}"
        lines.append(("each seed, and a flip of their signs", flipped))
    for test in comparison.mcnemar:
        alone = f"{test.level_alone} right here alone, {test.base_alone} in the base alone"
        lines.append((f"McNemar, seed {test.seed}", f"{alone}, p\u00a0{p_value(test.p)}"))
    lines.append(("found in 80 of 100 such studies", at_least(comparison.detectable)))
    rests = f"{counted(comparison.images, 'drawing')}, {counted(comparison.cells, 'pair')} of runs"
    lines.append(("rests on", rests))
    return Evidence(comparison.name, comparison.against, comparison.verdict_text, tuple(lines))


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


def _cell(name: str, is_base: bool, accuracy: Estimate, values: list[float]) -> Cell:
    low, high = min(values), max(values)
    shade = (accuracy.value - low) / (high - low) if high > low else 0.0
    return Cell(name, is_base, share(accuracy), accuracy.n, round(shade, 3))


@dataclass(frozen=True)
class JobRow:
    """A run that gave no result and why, or of an unfinished study one that did."""

    name: str
    level: str
    seed: int
    fold: int
    status: str
    text: str


@dataclass(frozen=True)
class StudyView:
    anchor: str
    name: str
    topic: Topic
    hypothesis: str
    factors: str
    outcome: Outcome
    base: str
    analysed: bool
    matters: str
    rows: tuple[LevelRow, ...]
    forest: Forest | None
    effects: Forest | None
    grid: GridView | None
    curves: Curves | None
    evidence: tuple[Evidence, ...]
    design: tuple[str, ...]
    seen: tuple[str, ...]
    progress: str
    lost: tuple[JobRow, ...]
    so_far: tuple[JobRow, ...]
    definition: str
    command: str


def study_view(study: StudySource, number: int) -> StudyView:
    """The view of the `number`-th study of the page."""
    record, results = study.record, study.results
    comparisons = results.comparisons if results else ()
    effects = results.main_effects if results else ()
    return StudyView(
        anchor=f"study-{number}",
        name=record.name,
        topic=record.topic,
        hypothesis=record.hypothesis,
        factors=listed(record.factors),
        outcome=outcome(study),
        base=record.base,
        analysed=results is not None,
        matters=size(record.matters),
        rows=level_rows(study),
        forest=draw_forest(comparisons, record.matters),
        effects=draw_forest(effects, record.matters),
        grid=grid_view(study),
        curves=draw_curves(study),
        evidence=tuple(evidence(comparison) for comparison in (*effects, *comparisons)),
        design=_design(study),
        seen=_seen(study),
        progress=_progress(study),
        lost=tuple(_lost(job) for job in study.jobs if job.ended and job.ended.status != "finished"),
        so_far=tuple(_so_far(study)),
        definition=_definition(study),
        command=_command(study),
    )


def _design(study: StudySource) -> tuple[str, ...]:
    """Seeds × folds × images, in a few short facts."""
    record = study.record
    folds = f"{counted(len(record.folds), 'fold')} ({', '.join(map(str, record.folds))})"
    if study.split:
        images = sum(row.fold in record.folds for row in study.split.rows)
        folds = f"{folds} of {study.split.folds}, {counted(images, 'drawing')} judged"
    return (
        counted(len(record.levels), "level"),
        f"{counted(len(record.seeds), 'seed')} ({', '.join(map(str, record.seeds))})",
        folds,
        f"{counted(len(record.jobs), 'run')}, {spent(study.seconds)} of computing",
    )


def _seen(study: StudySource) -> tuple[str, ...]:
    """The smallest difference that the design finds in 80 of 100 studies, before running and after."""
    record, results = study.record, study.results
    before = record.seen_before or at_least(record.detectable_before)
    lines = [f"Before it ran: {before}."]
    if results and results.detectable_after is not None:
        lines.append(f"After it ran, from what varied in fact: {at_least(results.detectable_after)}.")
    return tuple(lines)


def _progress(study: StudySource) -> str:
    """Empty for a complete study."""
    if study.complete:
        return ""
    done = f"{study.ended} of {counted(len(study.jobs), 'run')} have ended"
    if study.results is None:
        return f"Unfinished: {done}, so nothing was compared yet."
    return f"Unfinished: {done}; the numbers below are those of the last analysis."


def _lost(job: StudyJob) -> JobRow:
    assert job.ended is not None
    return _job_row(job, job.ended.status, job.ended.reason or "no reason was recorded")


def _so_far(study: StudySource) -> list[JobRow]:
    """The finished runs of a study that was not analysed."""
    if study.results is not None:
        return []
    return [
        _job_row(job, job.ended.status, f"{share(job.ended.accuracy)}, {in_images(job.ended.accuracy)}")
        for job in study.jobs
        if job.ended and job.ended.accuracy
    ]


def _job_row(job: StudyJob, status: str, text: str) -> JobRow:
    return JobRow(job.job.name, job.job.level, job.job.seed, job.job.fold, status, text)


def _definition(study: StudySource) -> str:
    """The study file with its recipe in it, so that it needs no other; empty where it is gone or damaged."""
    try:
        values = yaml.safe_load(study.definition)
    except yaml.YAMLError:
        return ""
    if not isinstance(values, dict):
        return ""
    whole = values | {"recipe": study.record.recipe}
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100)


def _command(study: StudySource) -> str:
    """How to do the study again elsewhere, with the file above and the split in its folder."""
    record = study.record
    parts = ["dessin", "study", f"{record.name}.yaml", "--data", record.data]
    parts += ["--split", f"{study.path.name}/split.csv", "--out", f"{record.name}-again"]
    return " ".join(shlex.quote(part) for part in parts)
