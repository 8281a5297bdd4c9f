"""What the runs of a study answered: one table of right and wrong, and one of losses, joined by image id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.experiments.study.records import RUNS, Job, JobRecord, StudyRecord
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.contrasts import Outcomes

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
    """Read the validation predictions of the jobs that finished.

    Raises:
        DessinError: a run that predicted other images than those of its fold.
    """
    split = read_split(folder / SPLIT_FILE)
    rows = sorted((row for fold in study.folds for row in split.validation(fold)), key=lambda r: r.image_id)
    place = {row.image_id: number for number, row in enumerate(rows)}
    levels = tuple(level.name for level in study.levels)
    correct = np.full((len(levels), len(study.seeds), len(rows)), np.nan)
    losses = correct.copy()
    for job in study.jobs:
        if job.name not in jobs or jobs[job.name].status != "finished":
            continue
        expected = {row.image_id for row in rows if row.fold == job.fold}
        image_ids, right, loss = _read_run(folder / RUNS / job.name, job, expected)
        at = [place[image_id] for image_id in image_ids]
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


def _read_run(run: Path, job: Job, expected: set[str]) -> tuple[tuple[str, ...], Floats, Floats]:
    """Image ids (n,), right or wrong (n,), and losses (n,)."""
    predictions = read_predictions(run / "validation")
    strangers = expected.symmetric_difference(predictions.image_ids)
    if strangers:
        raise DessinError(
            f"The run {run} did not predict the images of fold {job.fold}: {len(strangers)} differ, such as "
            f"{min(strangers)}.",
            do="Move the run's folder away and start the study again.",
        )
    targets = predictions.targets
    own = predictions.probabilities[np.arange(len(targets)), targets].astype(np.float64)
    right = (predictions.order[:, 0] == targets).astype(np.float64)
    return predictions.image_ids, right, -np.log(np.clip(own, SMALLEST_PROBABILITY, 1.0))
