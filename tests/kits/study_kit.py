"""Small studies for tests: files to read, jobs in this process, and study folders made without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml

from dessin.answers.predictions import to_predictions, write_predictions
from dessin.collection.split.files import Assignment, Split, write_split
from dessin.decisions import Decision
from dessin.recipe import make_recipe
from dessin.runs.executors.job import JobSpec, carry_out_job
from dessin.runs.executors.record import JobRecord, write_job
from dessin.runs.record import Counts, Digests, Hardware, RunRecord, write_record
from dessin.studies.definition import Study, read_study
from dessin.studies.plan import plan_study
from dessin.studies.result import Job, StudyRecord, begin

TINY = {
    "image": {"size": 32},
    "model": {"backbone": "test_efficientnet", "weights": "none"},
    "finetune": {"mode": "full"},
    "augment": ["hflip"],
    "optimizer": {"lr": 2e-3},
    "train": {"epochs": 1, "batch_size": 8},
}
CLASSES = ("a", "b", "c")


def study_file(path: Path, **changes: object) -> Path:
    """A study of two learning rates on one seed and fold, with some keys replaced (None: left out)."""
    values: dict[str, object] = {
        "hypothesis": "Smaller steps are surer.",
        "recipe": TINY,
        "factor": "rate",
        "levels": {"usual": {}, "small": {"optimizer": {"lr": 1e-3}}},
        "seeds": [0],
        "folds": [0],
    }
    values = {key: value for key, value in (values | changes).items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


class Inline:
    """An executor of this process: to start a worker takes longer than a tiny run. `order` is of its jobs."""

    name = "local"

    def __init__(self, order: slice = slice(None)) -> None:
        self.order = order
        self.done: list[str] = []

    def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]:
        for spec in list(jobs)[self.order]:
            self.done.append(spec.name)
            yield carry_out_job(spec, self.name)


def made_split(folds: int = 2, photos: int = 12, drawings: int = 3) -> Split:
    """Images of three classes in groups of `drawings`, dealt to the folds in turn, and one group held out."""
    rows = [
        Assignment(f"{CLASSES[p % 3]}/{p:02d}-{d}.png", CLASSES[p % 3], f"photo {p}", p // 3 % folds)
        for p in range(photos)
        for d in range(drawings)
    ]
    rows.append(Assignment("a/zz.png", "a", "held out", None))
    return Split(0, folds, 0.1, "stratified-groups-1", "manifest", "", CLASSES, tuple(rows), "", len(rows))


def made_study(folder: Path, split: Split, **changes: object) -> tuple[Study, StudyRecord]:
    """A study folder that has begun; no job has run."""
    study = read_study(study_file(folder.parent / "files" / f"{folder.name}.yaml", **changes))
    plan = plan_study(study, split)
    record = StudyRecord(
        name=study.name,
        hypothesis=study.hypothesis,
        topic=study.topic,
        factors=study.factors,
        base=study.base,
        levels=study.levels,
        seeds=study.seeds,
        folds=plan.folds,
        matters=study.matters,
        recipe=study.recipe.model_dump(mode="json"),
        data="drawings",
        split="split.csv",
        threads=1,
        digests=Digests(manifest="m", split=split.digest, weights=""),
        jobs=plan.jobs,
        detectable_before=plan.detectable,
        seen_before=plan.seen,
        created="2026-01-01T00:00:00+00:00",
        versions={},
    )
    return study, begin(folder, record, study.text, split)


def made_run(folder: Path, split: Split, job: Job, right: np.ndarray, *, model: str = "") -> None:
    """A finished run that answers the i-th image of its fold (by id) correctly where `right[i]`.

    With `model`, the digest of its weights, its best epoch was the start.
    """
    run = folder / "runs" / job.name
    rows = sorted(split.validation(job.fold), key=lambda row: row.image_id)
    probabilities = np.full((len(rows), 3), 0.2, np.float32)
    for number, row in enumerate(rows):
        target = CLASSES.index(row.label)
        probabilities[number, target if right[number] else (target + 1) % 3] = 0.6
    write_predictions(to_predictions(probabilities, rows, CLASSES), run / "validation")
    record = finished_record(job, split)
    if model:
        record = record.changed(digests=record.digests.model_copy(update={"model": model}))
        record = record.with_decisions([Decision("best_epoch", 0, "the probe was better")])
    write_record(run, record)
    write_job(folder, JobRecord(job=job.name, status="finished", seconds=3.0, host="here"))


def finished_record(job: Job, split: Split) -> RunRecord:
    return RunRecord(
        name=job.name,
        status="finished",
        started=("2026-01-01T00:00:00+00:00",),
        seed=job.seed,
        recipe=make_recipe(TINY),
        digests=Digests(manifest="m", split=split.digest, weights=""),
        counts=Counts(classes=3, train=1, validation=1, holdout=1),
        versions={},
        hardware=Hardware(system="", cpu="", cores=1, threads=1, memory_gib=1.0),
    )


def write_split_file(split: Split, folder: Path) -> Path:
    write_split(split, folder / "split.csv")
    return folder / "split.csv"
