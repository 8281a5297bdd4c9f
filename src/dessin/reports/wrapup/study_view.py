"""What the page says about one study, as plain frozen data: its levels, its table of two factors, its
evidence."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dessin.errors import DessinError
from dessin.page.numbers import at_least, counted, p_value, points, signed, spent
from dessin.reading_yaml import parse_yaml
from dessin.statistics.comparison import Comparison, Forest, draw_forest
from dessin.statistics.intervals import Estimate
from dessin.studies.changes import Change, base_level, changes, varied
from dessin.studies.curves import Curves, draw_curves
from dessin.studies.outcome import Outcome, outcome
from dessin.studies.result import LevelResult, StudyRecord
from dessin.studies.source import StudyJob, StudySource


@dataclass(frozen=True)
class LevelRow:
    """A level's line in the table; `changes` of the base are its values of what others change."""

    name: str
    is_base: bool
    changes: tuple[Change, ...]
    result: LevelResult | None
    comparison: Comparison | None

    @property
    def runs(self) -> str:
        """How many runs gave the result, and what became of others; empty without a result."""
        if self.result is None:
            return ""
        kept, jobs = self.result.finished, self.result.jobs
        lost = {"collapsed": self.result.collapsed, "failed": self.result.failed}
        parts = [str(kept) if kept == jobs else f"{kept} of {jobs}"]
        return ", ".join(parts + [f"{count} {what}" for what, count in lost.items() if count])


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
        LevelRow(
            name=level.name,
            is_base=level == base,
            changes=varied(study.record) if level == base else changes(study.record, level),
            result=results.get(level.name),
            comparison=None if level == base else compared.get(level.name),
        )
        for level in levels
    )


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


def grid_view(study: StudySource) -> dict[str, Any] | None:
    """Accuracies by the levels of both factors; None for a study with one factor, or without results.

    A cell's `shade` (0..1) runs from the lowest to the highest accuracy; a pair without a result has none.
    """
    if len(study.record.factors) != 2 or study.results is None:
        return None
    levels = study.record.levels
    rows, columns = (tuple(dict.fromkeys(level.parts[axis] for level in levels)) for axis in (0, 1))
    results = {result.level: result.accuracy for result in study.results.levels}
    found = {level.parts: (level.name, accuracy) for level in levels if (accuracy := results.get(level.name))}
    values = [accuracy.value for _, accuracy in found.values()]

    def cell(row: str, column: str) -> dict[str, Any] | None:
        if (row, column) not in found:
            return None
        name, accuracy = found[row, column]
        span = max(values) - min(values)
        shade = round((accuracy.value - min(values)) / span, 3) if span else 0.0
        return {"accuracy": accuracy, "is_base": name == study.record.base, "shade": shade}

    row_factor, column_factor = study.record.factors
    return {
        "row_factor": row_factor,
        "column_factor": column_factor,
        "rows": rows,
        "columns": columns,
        "cells": [[cell(row, column) for column in columns] for row in rows],
    }


@dataclass(frozen=True)
class StudyView:
    """A study and what the page says of it; `lost` are runs without a result, `so_far` those of a study that
    was not analysed."""

    anchor: str
    study: StudySource
    outcome: Outcome
    rows: tuple[LevelRow, ...]
    forest: Forest | None
    effects: Forest | None
    grid: dict[str, Any] | None
    curves: Curves | None
    evidence: tuple[Evidence, ...]
    design: tuple[str, ...]
    seen: tuple[str, ...]
    progress: str
    lost: tuple[StudyJob, ...]
    so_far: tuple[StudyJob, ...]
    definition: str
    command: str

    @property
    def record(self) -> StudyRecord:
        return self.study.record

    @property
    def analysed(self) -> bool:
        return self.study.results is not None


def study_view(study: StudySource, number: int) -> StudyView:
    """The view of the `number`-th study of the page."""
    record, results = study.record, study.results
    comparisons = results.comparisons if results else ()
    effects = results.main_effects if results else ()
    return StudyView(
        anchor=f"study-{number}",
        study=study,
        outcome=outcome(study),
        rows=level_rows(study),
        forest=draw_forest(comparisons, record.matters),
        effects=draw_forest(effects, record.matters),
        grid=grid_view(study),
        curves=draw_curves(study),
        evidence=tuple(evidence(comparison) for comparison in (*effects, *comparisons)),
        design=_design(study),
        seen=_seen(study),
        progress=_progress(study),
        lost=tuple(job for job in study.jobs if job.ended and job.ended.status != "finished"),
        so_far=() if results else tuple(job for job in study.jobs if job.ended and job.ended.accuracy),
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


def _definition(study: StudySource) -> str:
    """The study file with its recipe in it, so that it needs no other; empty where it is gone or damaged."""
    try:
        values = parse_yaml(study.definition, where="the study file")
    except DessinError:
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
