"""From the runs of a study to its results: what each level gave, and the answer to each question."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.experiments.study.answers import SMALLEST_PROBABILITY, Answers, read_answers
from dessin.experiments.study.folder import ended_job, read_study_record
from dessin.experiments.study.plan import Question, questions
from dessin.experiments.study.records import (
    Comparison,
    JobRecord,
    LevelResult,
    McNemar,
    StudyRecord,
    StudyResults,
)
from dessin.runs.record import Result, now
from dessin.statistics.comparison import comparison_of, recorded
from dessin.statistics.contrasts import Contrast, Outcomes, contrast
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.paired_tests import holm, mcnemar
from dessin.statistics.verdicts import judge

_SHARE = (0.0, 1.0)
_LOSS = (0.0, -math.log(SMALLEST_PROBABILITY))


def analyse(folder: Path) -> StudyResults:
    """The results of a study as far as its jobs have ended; a pure function of the folder but for the date.

    Raises:
        DessinError: no study folder, or a run that does not fit it.
    """
    study = read_study_record(folder)
    ended = ((job.name, ended_job(folder, job.name)) for job in study.jobs)
    jobs = {name: record for name, record in ended if record is not None}
    answers = read_answers(folder, study, jobs)
    simple, effects = questions(study.levels, study.factors, study.base)
    possible = [question for question in (*simple, *effects) if _answerable(question, answers.outcomes)]
    found = [contrast(answers.outcomes, question.weights) for question in possible]
    adjusted = holm([result.p for result in found])
    compared = {
        question.name: _comparison(question, result, p, answers.outcomes, study, len(found))
        for question, result, p in zip(possible, found, adjusted, strict=True)
    }
    comparisons = tuple(compared[q.name] for q in simple if q.name in compared)
    unanswered = [q for q in (*simple, *effects) if q.name not in compared]
    missing = tuple(
        job.name for job in study.jobs if job.name not in jobs or jobs[job.name].status != "finished"
    )
    return StudyResults(
        name=study.name,
        levels=tuple(_level_result(level.name, study, jobs, answers) for level in study.levels),
        comparisons=comparisons,
        main_effects=tuple(compared[q.name] for q in effects if q.name in compared),
        missing=missing,
        detectable_after=max((c.detectable for c in compared.values()), default=None),
        summary=_summary(study, list(compared.values()), unanswered, missing),
        finished=now(),
    )


def _answerable(question: Question, outcomes: Outcomes) -> bool:
    """Whether all its levels have a run of the same seed and fold."""
    levels = [outcomes.levels.index(level) for level in question.weights]
    return bool((~np.isnan(outcomes.correct[levels])).all(axis=0).any())


def _comparison(
    question: Question, result: Contrast, p_holm: float, outcomes: Outcomes, study: StudyRecord, count: int
) -> Comparison:
    verdict, text = judge(result, p_holm, study.matters, comparisons=count)
    planned = len(study.seeds) * len(study.folds)
    if result.cells < planned:
        text += f"; only {result.cells} of {planned} pairs of runs are there"
    return comparison_of(
        question.name,
        question.against,
        result,
        (verdict, text),
        p_holm=p_holm,
        comparisons=count,
        mcnemar=_mcnemar(question, outcomes),
    )


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


def _level_result(
    level: str, study: StudyRecord, jobs: Mapping[str, JobRecord], answers: Answers
) -> LevelResult:
    named = [job.name for job in study.jobs if job.level == level]
    records = [jobs[name] for name in named if name in jobs]
    ends = Counter(record.status for record in records)
    row = answers.outcomes.levels.index(level)
    return LevelResult(
        level=level,
        jobs=len(named),
        finished=ends["finished"],
        collapsed=ends["collapsed"],
        failed=ends["failed"],
        accuracy=_mean(answers.outcomes.correct[row], answers.outcomes, _SHARE),
        loss=_mean(answers.losses[row], answers.outcomes, _LOSS),
        seconds=round(sum(record.seconds for record in records), 1),
    )


def _mean(values: NDArray[np.float64], outcomes: Outcomes, bounds: tuple[float, float]) -> Result | None:
    """The mean over images of their means over seeds (S, N), where there are any."""
    there = (~np.isnan(values)).any(axis=0)
    if not there.any():
        return None
    per_image = np.nanmean(values[:, there], axis=0)
    return recorded(bootstrap_mean(per_image, outcomes.groups[there], bounds=bounds))


def _summary(
    study: StudyRecord, compared: Sequence[Comparison], unanswered: Sequence[Question], missing: Sequence[str]
) -> str:
    sentences = [f"{c.name} against {c.against}: {c.verdict_text}." for c in compared]
    sentences += [f"{q.name} against {q.against}: no pair of runs to compare." for q in unanswered]
    if missing:
        sentences.append(f"{len(missing)} of {len(study.jobs)} runs are missing.")
    return " ".join(sentences)
