"""How long a study takes: from its own finished runs, else from a few real steps of each level, timed now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import fmean

import torch

from dessin.errors import DessinError
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.language import retold, tr
from dessin.page.numbers import counted
from dessin.progress import duration, quiet, track
from dessin.runs.executors.record import JobRecord
from dessin.runs.inputs import Inputs, class_numbers
from dessin.runs.prepare import Prepared, complete, prepare
from dessin.runs.stages import PROBE_VIEWS
from dessin.studies.plan import StudyPlan
from dessin.studies.result import Job
from dessin.training.data import Training, TrainingData
from dessin.training.device import seconds_of
from dessin.training.engine import Engine, make_engine
from dessin.training.seeding import reproducible

_SAMPLE = 96
_TIMED_STEPS = 2
# Reading the collection, building the model, writing the bundle; and fitting a probe, an image.
_AROUND_S = 2.0
_FITTING_S = 0.004


@dataclass
class Pace:
    """Seconds of a job of each level, known better with each that ends; None for a level that cannot begin.

    `once` are seconds for what the first of several jobs does for all. `measured` are the levels whose
    seconds are those of finished jobs.
    """

    jobs: Sequence[Job]
    seconds: Mapping[str, float | None]
    once: float
    workers: int
    problems: Mapping[str, str] = field(default_factory=dict)
    ran: dict[str, list[float]] = field(default_factory=dict)

    def note(self, job: Job, record: JobRecord) -> None:
        """Learn from a job that ended."""
        if record.status == "finished":
            self.ran.setdefault(job.level, []).append(record.seconds)

    def left(self, jobs: Iterable[Job]) -> float:
        """Seconds for these jobs, shared by the workers."""
        ratios = [
            fmean(times) / (self.seconds.get(level) or fmean(times)) for level, times in self.ran.items()
        ]
        ratio = fmean(ratios) if ratios else 1.0
        guessed = {level: ratio * (seconds or 0.0) for level, seconds in self.seconds.items()}
        known = guessed | {level: fmean(times) for level, times in self.ran.items()}
        return sum(known.get(job.level, 0.0) for job in jobs) / self.workers

    def lines(self) -> list[str]:
        """The estimate for people, before anything runs."""
        if not self.jobs:
            return [tr("time: every run has ended already")]
        total = self.left(self.jobs) + self.once
        known = sum(job.level in self.ran for job in self.jobs)
        how = tr("measured: a few training steps of each level, just now")
        if known:
            others = "" if known == len(self.jobs) else tr(", the others from a few steps just now")
            how = tr("measured: {n} of them from runs of this study{others}", n=known, others=others)
        at_once = tr(", {n} at a time", n=self.workers) if self.workers > 1 else ""
        each = dict(self.seconds) | {level: fmean(times) for level, times in self.ran.items()}
        levels = dict.fromkeys(job.level for job in self.jobs)
        slow = [f"{level} {duration(seconds).spoken}" for level in levels if (seconds := each.get(level))]
        runs = counted(len(self.jobs), "run")
        return [
            tr(
                "time: about {time} for {runs}{at_once} ({how})",
                time=duration(total),
                runs=runs,
                at_once=at_once,
                how=how,
            ),
            tr("  a run of {levels}", levels=", ".join(slow)),
            *(
                tr("{level} cannot begin, so its runs will fail: {why}", level=level, why=retold(why))
                for level, why in self.problems.items()
            ),
        ]


def expected_pace(
    plan: StudyPlan, inputs: Inputs, ended: Mapping[str, JobRecord], *, threads: int, workers: int
) -> Pace:
    """The pace of the jobs that are left."""
    left = [job for job in plan.jobs if job.name not in ended]
    pace = Pace(left, {}, 0.0, workers)
    firsts: dict[str, Job] = {}
    for job in plan.jobs:
        if job.name in ended:
            pace.note(job, ended[job.name])
    for job in left:
        if job.level not in pace.ran:
            firsts.setdefault(job.level, job)
    seconds: dict[str, float | None] = {}
    problems: dict[str, str] = {}
    shared: dict[object, float] = {}
    for level, job in track(firsts.items(), len(firsts), "Timing the levels", unit="levels"):
        recipe = plan.recipe_of(job)
        try:
            with quiet():
                prepared = prepare(complete(recipe)[0], inputs)
                with reproducible(prepared.device, threads):
                    seconds[level], features = _time(prepared)
        except DessinError as error:
            seconds[level], problems[level] = None, str(error)
            continue
        shared[recipe.model.bodies, recipe.model.features, recipe.image] = features
    return Pace(left, seconds, sum(shared.values()) / workers, workers, problems, pace.ran)


def _time(prepared: Prepared) -> tuple[float, float]:
    """Seconds for one run, and for the features that runs of one backbone share."""
    plan, recipe, device = prepared.plan, prepared.recipe, prepared.device
    data, model = _sample(prepared), prepared.model
    engine = make_engine(Training(model.classifier, recipe, data, prepared.computing(), model.freezing))
    engine.validate()
    forward = seconds_of(engine.validate, device) / len(data.validation_rows)
    seconds = _AROUND_S + forward * len(plan.validation)
    features = 0.0
    if recipe.finetune.start != "new":
        views = len(PROBE_VIEWS)
        features = forward * views * len(prepared.inputs.split.rows)
        seconds += _FITTING_S * views * len(plan.train)
    if plan.tuning is not None:
        epoch = _step_seconds(engine, device) * len(plan.train) * recipe.pipeline.factor
        seconds += recipe.train.epochs * (epoch + forward * len(plan.validation))
        seconds += recipe.finetune.cached_views * forward * len(plan.train) * recipe.pipeline.factor
    return seconds, features


def _sample(prepared: Prepared) -> TrainingData:
    """Some training images, in a small store of their own."""
    plan, inputs = prepared.plan, prepared.inputs
    rows = plan.train[:: max(1, len(plan.train) // _SAMPLE)][:_SAMPLE]
    sha256 = {row.image_id: row.sha256 for row in inputs.manifest.rows}
    images = [StoredImage(row.image_id, sha256[row.image_id]) for row in rows]
    interpolation = prepared.pretrained.info.interpolation
    store = open_store(images, inputs.manifest.root, plan.recipe.image, interpolation)
    at, labels = store.rows([row.image_id for row in rows]), class_numbers(rows, plan.classes)
    return TrainingData(store, at, labels, at, labels)


def _step_seconds(engine: Engine, device: torch.device) -> float:
    """Seconds an image of training, from some steps after one to warm up."""
    steps = list(islice(engine.steps(0), 1 + _TIMED_STEPS))
    engine.train_mode()
    engine.stepper.take(0, 1e-6, steps[0])
    timed = steps[1:] or steps

    def work() -> None:
        for number, step in enumerate(timed):
            engine.stepper.take(number, 1e-6, step)

    return seconds_of(work, device) / sum(len(batch.labels) for step in timed for batch in step)
