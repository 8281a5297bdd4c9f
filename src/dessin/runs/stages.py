"""The stages of a run, from pixels to results; each may be killed and done again to the same end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save

from dessin.answers.inference import predict_rows
from dessin.answers.predictions import to_predictions, write_predictions
from dessin.augmentation.preview import check_pipeline
from dessin.collection.split.files import Assignment
from dessin.decisions import Decision
from dessin.files import write_bytes, write_csv
from dessin.images.store import PixelStore
from dessin.models.backbones import BackboneInfo
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import BundleCard, BundleImage
from dessin.models.classifier import Classifier
from dessin.models.freezing import Freezing
from dessin.models.imagenet_rows import imagenet_rows
from dessin.models.lora import merge_lora
from dessin.models.weights import Weights
from dessin.progress import say
from dessin.runs.attempts import CHECKPOINT, Attempts
from dessin.runs.inputs import Inputs, class_numbers
from dessin.runs.plan import RunPlan
from dessin.runs.record import RunRecord, now, read_record, write_record
from dessin.statistics.metrics import Metrics, measure
from dessin.training.curve import CurveRow
from dessin.training.data import Rows, TrainingData
from dessin.training.features import extract_features
from dessin.training.guard import Collapsed
from dessin.training.loop import fit
from dessin.training.outcome import Outcome
from dessin.training.probe import shared_probe
from dessin.training.range_test import find_lr
from dessin.training.teacher import Teacher, teacher_targets

LOST = "collapsed attempts"
RANGE_FILE = "lr_range.csv"
PROBE_FILE = "probe.safetensors"
PROBE_VIEWS = ("identity", "hflip")
AUGMENTED_SAMPLE = 32


@dataclass
class Stopwatch:
    """Seconds by stage, for the record."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - start


@dataclass(frozen=True)
class Trainable:
    """A classifier with its pretrained weights, and which part of it is trained."""

    classifier: Classifier
    freezing: Freezing


@dataclass
class Job:
    """Everything that the stages work on; `model` is changed by them, and `build` makes it anew.

    `teacher` says something of each of the plan's training images. `on_epoch` is told the number of the
    attempt and each row of its curve.
    """

    folder: Path
    plan: RunPlan
    inputs: Inputs
    info: BackboneInfo
    weights: Weights
    model: Trainable
    build: Callable[[], Trainable]
    workers: int
    watch: Stopwatch
    teacher: Teacher | None = None
    seconds_allowed: float | None = None
    on_epoch: Callable[[int, CurveRow], None] | None = None

    @property
    def device(self) -> torch.device:
        return torch.device(str(self.plan.decided("device")))


def carry_out(job: Job) -> RunRecord:
    """Do what the plan says; returns the finished record, already written.

    Nothing is marked finished before every file is in place, and the checkpoint goes only after that.
    """
    plan, watch = job.plan, job.watch
    with watch.timed("pixels"):
        store = job.inputs.open_store(plan.recipe.image, job.info.interpolation)
    data = _training_data(job, store)
    _start_head(job, data)
    outcome = None if plan.recipe.finetune.mode == "probe" else _train(job, data)
    merge_lora(job.model.classifier)
    card = save_bundle(job.folder / "bundle", job.model.classifier, _card(job, store))
    say(f"weights: sha256 {card.digests['weights']}")
    record = read_record(job.folder)
    speeds = dict(record.throughput)
    if outcome:
        record = record.with_decisions(outcome.decisions).with_seconds({"training": outcome.seconds})
        speeds["training"] = round(len(plan.train) * outcome.epochs / outcome.seconds, 1)
    if plan.validation:
        with watch.timed("evaluation"):
            record = record.with_results("validation", _validate(job, store))
        speeds["evaluation"] = round(len(plan.validation) / watch.seconds["evaluation"], 1)
    digests = record.digests.model_copy(update={"store": store.digest, "model": card.digests["weights"]})
    return finish(job.folder, record.changed(digests=digests, throughput=speeds).with_seconds(watch.seconds))


def _training_data(job: Job, store: PixelStore) -> TrainingData:
    """The plan's images with their labels, and what a teacher makes of these as targets."""
    train, validation = (_numbers(store, job.plan, rows) for rows in (job.plan.train, job.plan.validation))
    targets = None
    if job.teacher is not None:
        targets = teacher_targets(job.teacher.probabilities, train[1], job.plan.recipe.teacher)
    return TrainingData(store, *train, *validation, targets)


def _numbers(store: PixelStore, plan: RunPlan, rows: Sequence[Assignment]) -> tuple[Rows, Rows]:
    """Where the images are in the store, and their class numbers."""
    return store.rows([row.image_id for row in rows]), class_numbers(rows, plan.classes)


def _start_head(job: Job, data: TrainingData) -> None:
    """Give the head the start that the recipe names; a new one was drawn from the seed already."""
    start = job.plan.recipe.finetune.start
    if start == "probe":
        with job.watch.timed("probe"):
            _start_from_probe(job, data)
    elif start == "imagenet":
        _start_from_imagenet(job, data)


def _start_from_probe(job: Job, data: TrainingData) -> None:
    """Fit a probe on the training rows' frozen features, or take the one that an interrupted run kept."""
    kept = job.folder / PROBE_FILE
    features = _features(job, data, PROBE_VIEWS)
    if not kept.is_file():
        groups = [row.group for row in job.plan.train]
        weight, bias, decision = shared_probe(
            features, data.train_labels, groups, len(job.plan.classes), seed=job.plan.recipe.seed
        )
        # The record first: where the file is, its decision is written too.
        write_record(job.folder, read_record(job.folder).with_decisions([decision]))
        write_bytes(kept, save({"weight": weight, "bias": bias}))
    head = load(kept.read_bytes())
    job.model.classifier.start_head(
        torch.from_numpy(head["weight"]), torch.from_numpy(head["bias"]), torch.from_numpy(features[0])
    )


def _start_from_imagenet(job: Job, data: TrainingData) -> None:
    """The rows of the pretrained head whose classes are those of the collection, by id or by name."""
    classes, names = job.plan.classes, job.inputs.manifest.names
    weight, bias, matched = imagenet_rows(job.weights, classes, {label: names[label] for label in classes})
    count = int(matched.sum())
    reason = "each class has the row of the ImageNet class of its name"
    if count < len(classes):
        strange = ", ".join(label for label, known in zip(classes, matched, strict=True) if not known)[:200]
        reason = f"the others begin at the mean row, for ImageNet has no such class: {strange}"
    decision = Decision("head", f"{count} of {len(classes)} rows from ImageNet", reason)
    say(f"  {decision.line()}")
    write_record(job.folder, read_record(job.folder).with_decisions([decision]))
    features = _features(job, data, PROBE_VIEWS[:1])[0]
    job.model.classifier.start_head(weight, bias, torch.from_numpy(features))


def _features(job: Job, data: TrainingData, views: Sequence[str]) -> NDArray[np.float32]:
    return extract_features(
        job.model.classifier, job.weights.sha256, data.store, data.train_rows, views, device=job.device
    )


def _train(job: Job, data: TrainingData) -> Outcome:
    """Fine-tune in as many attempts as it takes; the record has each, and the effect of the pipeline."""
    _check_augmentation(job, data)

    def renew() -> None:
        job.model = job.build()
        _start_head(job, data)

    attempts = Attempts(
        folder=job.folder,
        allowed=job.plan.recipe.train.attempts,
        first_lr=lambda: _first_lr(job, data),
        train_at=lambda lr: _attempt(job, data, lr),
        renew=renew,
    )
    return attempts.carry_out()


def _check_augmentation(job: Job, data: TrainingData) -> None:
    """Say and record what the pipeline does to some training drawings; an op that does nothing is refused."""
    pipeline, seed = job.plan.recipe.pipeline, job.plan.recipe.seed
    if not pipeline.changes_anything:
        return
    rows = data.train_rows[:: max(1, len(data.train_rows) // AUGMENTED_SAMPLE)][:AUGMENTED_SAMPLE]
    effects = check_pipeline(pipeline, data.store, rows, seed)
    values = [f"{effect.name} {effect.pixels_changed:.1%}" for effect in effects]
    reason = f"share of the pixels that each changed, measured on {len(rows)} training images"
    decision = Decision("augmentation", "; ".join(values), reason)
    say(f"  {decision.line()}")
    write_record(job.folder, read_record(job.folder).with_decisions([decision]))


def _first_lr(job: Job, data: TrainingData) -> float:
    """The recipe's learning rate; for `auto` what a range test finds, whose curve stays in the folder."""
    asked = job.plan.recipe.optimizer.lr
    if isinstance(asked, float):
        return asked
    with job.watch.timed("learning rate range test"):
        found = find_lr(
            job.model.classifier,
            job.plan.recipe,
            data,
            freezing=job.model.freezing,
            device=job.device,
            precision=str(job.plan.decided("precision")),
            batch_size=int(str(job.plan.decided("batch_size"))),
        )
    write_csv(job.folder / RANGE_FILE, ["lr", "loss", "smoothed"], found.rows)
    say(f"  {found.decision.line()}")
    write_record(job.folder, read_record(job.folder).with_decisions([found.decision]))
    return float(str(found.decision.value))


def _attempt(job: Job, data: TrainingData, lr: float) -> Outcome:
    """`fit`; where it collapses, its time counts as that. (An outcome has its own, also of resumed runs.)"""
    started = time.monotonic()
    try:
        return _fit(job, data, lr)
    except Collapsed:
        spent = time.monotonic() - started
        job.watch.seconds[LOST] = job.watch.seconds.get(LOST, 0.0) + spent
        raise


def _fit(job: Job, data: TrainingData, lr: float) -> Outcome:
    number = read_record(job.folder).attempts[-1].number
    return fit(
        job.model.classifier,
        job.plan.recipe,
        data,
        folder=job.folder,
        device=job.device,
        precision=str(job.plan.decided("precision")),
        batch_size=int(str(job.plan.decided("batch_size"))),
        lr=lr,
        freezing=job.model.freezing,
        workers=job.workers,
        seconds_allowed=_left(job),
        on_epoch=partial(job.on_epoch, number) if job.on_epoch else None,
        resume=(job.folder / CHECKPOINT).exists(),
    )


def _left(job: Job) -> float | None:
    """What the stages before training left of the time allowed."""
    return None if job.seconds_allowed is None else job.seconds_allowed - sum(job.watch.seconds.values())


def _validate(job: Job, store: PixelStore) -> Metrics:
    """Measure the bundle, as it was written, on the validation fold, and keep its predictions."""
    plan = job.plan
    bundle = load_bundle(job.folder / "bundle")
    rows, targets = _numbers(store, plan, plan.validation)
    probabilities = predict_rows(
        bundle.classifier,
        store,
        rows,
        device=job.device,
        temperature=bundle.card.temperature,
        label="evaluating",
    )
    write_predictions(to_predictions(probabilities, plan.validation, plan.classes), job.folder / "validation")
    groups = [row.group for row in plan.validation]
    return measure(probabilities, targets, groups, plan.classes, seed=plan.recipe.seed)


def _card(job: Job, store: PixelStore) -> BundleCard:
    image, info = job.plan.recipe.image, job.info
    return BundleCard(
        classes=job.plan.classes,
        names={label: job.inputs.manifest.names.get(label, label) for label in job.plan.classes},
        backbone=job.plan.recipe.model.backbone,
        image=BundleImage(
            **image.model_dump(), mean=info.mean, std=info.std, interpolation=info.interpolation
        ),
        head=job.plan.recipe.finetune.head,
        digests={
            "manifest": job.inputs.manifest.digest,
            "split": job.inputs.split.digest,
            "store": store.digest,
        },
        provenance={
            "run": read_record(job.folder).name,
            "fold": str(job.plan.recipe.data.fold),
            "seed": str(job.plan.recipe.seed),
            "backbone_weights": f"{job.weights.source} {job.weights.sha256}".strip(),
            "dessin": version("dessin"),
            **({"teacher": job.teacher.digest} if job.teacher else {}),
        },
        licence=job.weights.licence,
    )


def finish(folder: Path, record: RunRecord) -> RunRecord:
    """Mark a run finished, then remove what only an unfinished one needs."""
    record = record.changed(status="finished", reason="", finished=now())
    write_record(folder, record)
    remove_leftovers(folder)
    return record


def remove_leftovers(folder: Path) -> None:
    """What a finished run does not need: its checkpoint and the probe it began with."""
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    (folder / PROBE_FILE).unlink(missing_ok=True)
