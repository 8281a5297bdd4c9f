"""From the runs of a study to its results: what each level gave, and the answer to each question."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.page.numbers import counted
from dessin.runs.executors.record import RUNS, JobRecord, ended_job
from dessin.runs.record import SPLIT_FILE, now, read_record
from dessin.statistics.comparison import Comparison, McNemar, compare
from dessin.statistics.contrasts import Outcomes, contrast
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.statistics.paired_tests import mcnemar
from dessin.studies.plan import Question, questions
from dessin.studies.result import Job, LevelResult, StudyRecord, StudyResults

Floats = NDArray[np.float64]
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True, eq=False)
class Answers:
    """Of every run: what it got right, and its losses (L, S, N) float64 in the order of `outcomes`.

    Images are sorted by id. Both are NaN where a level has no run of that seed and fold.
    """

    outcomes: Outcomes
    losses: Floats


def read_answers(folder: Path, study: StudyRecord, jobs: Mapping[str, JobRecord]) -> Answers:
    """Read the validation predictions of the jobs that finished."""
    split = read_split(folder / SPLIT_FILE)
    rows = sorted((row for fold in study.folds for row in split.validation(fold)), key=lambda r: r.image_id)
    place = {row.image_id: number for number, row in enumerate(rows)}
    levels = tuple(level.name for level in study.levels)
    correct = np.full((len(levels), len(study.seeds), len(rows)), np.nan)
    losses = correct.copy()
    for job in study.jobs:
        if job.name not in jobs or jobs[job.name].status != "finished":
            continue
        expected = [row.image_id for row in rows if row.fold == job.fold]
        at = [place[image_id] for image_id in expected]
        right, loss = _read_run(folder / RUNS / job.name, job, expected)
        cell = levels.index(job.level), study.seeds.index(job.seed)
        correct[(*cell, at)], losses[(*cell, at)] = right, loss
    outcomes = Outcomes(
        levels=levels,
        seeds=study.seeds,
        folds=study.folds,
        correct=correct,
        fold_of=np.array([row.fold for row in rows], dtype=np.int64),
        groups=np.array([row.group for row in rows]),
        image_ids=tuple(place),
        split_folds=split.folds,
    )
    return Answers(outcomes, losses)


def _read_run(run: Path, job: Job, expected: Sequence[str]) -> tuple[Floats, Floats]:
    """Right or wrong (n,), and losses (n,), of the images of its fold in the order of `expected`."""
    predictions = read_predictions(run / "validation")
    strangers = set(expected).symmetric_difference(predictions.image_ids)
    if strangers:
        raise DessinError(
            f"The run {run} did not predict the images of fold {job.fold}: {len(strangers)} differ, such as "
            f"{min(strangers)}.",
            do="Move the run's folder away and start the study again.",
        )
    predictions = predictions.of(expected)
    targets = predictions.targets
    own = predictions.probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return predictions.correct.astype(np.float64), -np.log(np.clip(own, SMALLEST_PROBABILITY, 1.0))


_SHARE = (0.0, 1.0)
_LOSS = (0.0, -math.log(SMALLEST_PROBABILITY))


def analyse(folder: Path) -> StudyResults:
    """The results of a study as far as its jobs have ended: a function of the folder but for the date."""
    study = StudyRecord.read(folder)
    ended = ((job.name, ended_job(folder, job.name)) for job in study.jobs)
    jobs = {name: record for name, record in ended if record is not None}
    finished = {name for name, record in jobs.items() if record.status == "finished"}
    answers = read_answers(folder, study, jobs)
    simple, effects = questions(study.levels, study.factors, study.base)
    outcomes, levels = answers.outcomes, answers.outcomes.levels
    there = ~np.isnan(outcomes.correct)
    # A question needs runs of the same seed and fold of all its levels.
    possible = [q for q in (*simple, *effects) if there[list(map(levels.index, q.weights))].all(axis=0).any()]
    found = compare([(q.name, q.against, contrast(outcomes, q.weights)) for q in possible], study.matters)
    compared, planned = {}, len(study.seeds) * len(study.folds)
    for question, comparison in zip(possible, found, strict=True):
        update: dict[str, object] = {"mcnemar": _mcnemar(question, outcomes)}
        update |= _untouched(folder, study, finished, question, comparison)
        if comparison.cells < planned:
            text = update.get("verdict_text", comparison.verdict_text)
            update["verdict_text"] = f"{text}; only {comparison.cells} of {planned} pairs of runs are there"
        compared[question.name] = comparison.model_copy(update=update)
    comparisons = tuple(compared[q.name] for q in simple if q.name in compared)
    unanswered = [q for q in (*simple, *effects) if q.name not in compared]
    missing = tuple(job.name for job in study.jobs if job.name not in finished)
    results = []
    for level, correct, losses in zip(levels, outcomes.correct, answers.losses, strict=True):
        named = [job.name for job in study.jobs if job.level == level]
        records = [jobs[name] for name in named if name in jobs]
        ends = Counter(record.status for record in records)
        results.append(
            LevelResult(
                level=level,
                jobs=len(named),
                **{status: ends[status] for status in ("finished", "collapsed", "failed")},
                accuracy=_mean(correct, outcomes, _SHARE),
                loss=_mean(losses, outcomes, _LOSS),
                seconds=round(sum(record.seconds for record in records), 1),
            )
        )
    return StudyResults(
        name=study.name,
        levels=tuple(results),
        comparisons=comparisons,
        main_effects=tuple(compared[q.name] for q in effects if q.name in compared),
        missing=missing,
        detectable_after=max((c.detectable for c in compared.values()), default=None),
        summary=_summary(study, list(compared.values()), unanswered, missing),
        finished=now(),
    )


def _untouched(
    folder: Path, study: StudyRecord, finished: Set[str], question: Question, found: Comparison
) -> dict[str, object]:
    """What is to be said where runs of all levels asked about ended with the very same weights.

    What is varied may come too late: a run whose training is no better than its probe keeps the probe.
    """
    alike = []
    for seed, fold in product(study.seeds, study.folds):
        cell = [job for job in study.jobs if (job.seed, job.fold) == (seed, fold)]
        names = [job.name for job in cell if job.level in question.weights]
        records = [read_record(folder / RUNS / name) for name in names if name in finished]
        models = {record.digests.model for record in records}
        if len(records) == len(question.weights) and len(models) == 1 and models != {""}:
            alike += [all(record.decided("best_epoch", int) == 0 for record in records)]
    if not alike:
        return {}
    how = "ended with the very same weights"
    if all(alike):
        how = "kept what they began from, such as the probe"
    said = f"in {len(alike)} of {counted(found.cells, 'pair')} of runs both {how}"
    if len(alike) < found.cells:
        return {"untouched": len(alike), "verdict_text": f"{found.verdict_text}; {said}"}
    told = f"not tested: {said}, so it took no part"
    return {"untouched": len(alike), "verdict": "cannot tell", "verdict_text": told}


def _mcnemar(question: Question, outcomes: Outcomes) -> tuple[McNemar, ...]:
    """Seed by seed, for a question about two levels."""
    if len(question.weights) != 2:
        return ()
    level, base = (
        outcomes.correct[outcomes.levels.index(name)] for name in (question.name, question.against)
    )
    tests = []
    for seed, ours, theirs in zip(outcomes.seeds, level, base, strict=True):
        both = ~np.isnan(ours) & ~np.isnan(theirs)
        if both.any():
            alone, other, p = mcnemar(ours[both], theirs[both])
            tests.append(McNemar(seed=seed, level_alone=alone, base_alone=other, p=p))
    return tuple(tests)


def _mean(values: NDArray[np.float64], outcomes: Outcomes, bounds: tuple[float, float]) -> Estimate | None:
    """The mean over images of their means over seeds (S, N), where there are any."""
    there = (~np.isnan(values)).any(axis=0)
    if not there.any():
        return None
    per_image = np.nanmean(values[:, there], axis=0)
    return bootstrap_mean(per_image, outcomes.groups[there], bounds=bounds)


def _summary(
    study: StudyRecord, compared: Sequence[Comparison], unanswered: Sequence[Question], missing: Sequence[str]
) -> str:
    sentences = [f"{c.name} against {c.against}: {c.verdict_text}." for c in compared]
    sentences += [f"{q.name} against {q.against}: no pair of runs to compare." for q in unanswered]
    if missing:
        sentences.append(f"{len(missing)} of {len(study.jobs)} runs are missing.")
    return " ".join(sentences)
