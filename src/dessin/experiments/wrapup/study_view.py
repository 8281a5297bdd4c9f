"""What the page says about one study, as plain frozen data; the template only lays it out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import yaml

from dessin.experiments.wrapup.curves import Curves, draw_curves
from dessin.experiments.wrapup.grid_view import GridView, grid_view
from dessin.experiments.wrapup.level_rows import Evidence, LevelRow, evidence, in_images, level_rows
from dessin.experiments.wrapup.outcome import Outcome, outcome
from dessin.experiments.wrapup.sources import StudyJob, StudySource
from dessin.page.numbers import at_least, counted, listed, share, size, spent
from dessin.statistics.forest import Forest, draw_forest
from dessin.studies.records import Topic


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
