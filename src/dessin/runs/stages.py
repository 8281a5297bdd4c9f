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

from dessin.answers.inference import predict_rows
from dessin.answers.predictions import to_predictions, write_predictions
from dessin.answers.teacher import teacher_targets
from dessin.augmentation.preview import check_pipeline
from dessin.collection.split.files import Assignment
from dessin.decisions import Decision
from dessin.files import write_csv
from dessin.images.store import PixelStore
from dessin.models.backbones import written
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import BesideBody, BundleCard, BundleImage
from dessin.models.imagenet_rows import imagenet_rows
from dessin.models.lora import merge_lora
from dessin.progress import say
from dessin.recipe import Recipe
from dessin.runs.attempts import CHECKPOINT, Attempts
from dessin.runs.inputs import class_numbers
from dessin.runs.plan import RunPlan
from dessin.runs.prepare import Prepared, Trainable, named_rows
from dessin.runs.record import RunRecord, now, read_record, write_record
from dessin.statistics.metrics import Metrics, measure
from dessin.training.curve import CurveRow
from dessin.training.data import Rows, Training, TrainingData
from dessin.training.device import FEATURES, choose_feature_precision
from dessin.training.features import extract_features, seconds_an_image
from dessin.training.guard import Collapsed
from dessin.training.loop import fit
from dessin.training.name_share import NAMES
from dessin.training.outcome import Outcome
from dessin.training.probe import read_head, shared_probe, write_head
from dessin.training.range_test import find_lr

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


@dataclass
class Job:
    """Everything that the stages work on; they change `model`, which begins as it was prepared.

    `on_epoch` is told the number of the attempt and each row of its curve. `unseen` is what a probe that is
    fitted on every fold says of the images of each, fitted to the others.
    """

    folder: Path
    prepared: Prepared
    model: Trainable
    workers: int = 0
    seconds_allowed: float | None = None
    on_epoch: Callable[[int, CurveRow], None] | None = None
    watch: Stopwatch = field(default_factory=Stopwatch)
    unseen: NDArray[np.float32] | None = None

    @property
    def plan(self) -> RunPlan:
        return self.prepared.plan

    @property
    def recipe(self) -> Recipe:
        return self.prepared.plan.recipe

    def training(self, data: TrainingData) -> Training:
        computing = self.prepared.computing(self.workers)
        return Training(self.model.classifier, self.recipe, data, computing, self.model.freezing)

    def decide(self, decision: Decision[object], *, aloud: bool = True) -> None:
        """Put a decision into the record."""
        if aloud:
            say(f"  {decision.line()}")
        write_record(self.folder, read_record(self.folder).with_decisions([decision]))

    def seconds_left(self) -> float | None:
        """What the stages before training left of the time allowed."""
        spent = sum(self.watch.seconds.values())
        return None if self.seconds_allowed is None else self.seconds_allowed - spent


def carry_out(job: Job) -> RunRecord:
    """Do what the plan says; returns the finished record, already written.

    Nothing is marked finished before every file is in place, and the checkpoint goes only after that.
    """
    plan, watch = job.plan, job.watch
    with watch.timed("pixels"):
        store = job.prepared.inputs.open_store(job.recipe.image, job.prepared.pretrained.info.interpolation)
    train, validation = (_numbers(store, plan, rows) for rows in (plan.train, plan.validation))
    targets, teacher = None, job.prepared.teacher
    if teacher is not None:
        targets = teacher_targets(teacher.probabilities, train[1], job.recipe.teacher)
    data = TrainingData(store, *train, *validation, targets)
    _start_head(job, data)
    outcome = None if plan.tuning is None else _train(job, data)
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
    elif job.unseen is not None:
        record = record.with_results("validation", _kept(job, plan.train, job.unseen))
    digests = record.digests.model_copy(update={"store": store.digest, "model": card.digests["weights"]})
    return finish(job.folder, record.changed(digests=digests, throughput=speeds).with_seconds(watch.seconds))


def _numbers(store: PixelStore, plan: RunPlan, rows: Sequence[Assignment]) -> tuple[Rows, Rows]:
    """Where the images are in the store, and their class numbers."""
    return store.rows([row.image_id for row in rows]), class_numbers(rows, plan.classes)


def _start_head(job: Job, data: TrainingData) -> None:
    """Give the head the start that the recipe names; a new one was drawn from the seed already."""
    start = job.recipe.finetune.start
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
        folds = np.array([row.fold for row in job.plan.train]) if job.plan.crossed else None
        head, decisions = shared_probe(
            features,
            data.train_labels,
            groups,
            len(job.plan.classes),
            seed=job.recipe.seed,
            folds=folds,
            looks=len(PROBE_VIEWS) if job.recipe.model.mirrored else 1,
            kind=job.recipe.finetune.probe,
            named=named_rows(job.prepared),
        )
        # The record first: where the file is, its decisions are written too.
        for decision in decisions:
            job.decide(decision, aloud=decision.name == NAMES)
        if job.model.classifier.beside:
            job.decide(_speed(job, data.store))
        write_head(kept, head)
    head = read_head(kept)
    weight, bias = torch.from_numpy(head.weight), torch.from_numpy(head.bias)
    job.model.classifier.start_head(weight, bias, torch.from_numpy(features[0]))
    job.unseen = head.unseen


def _speed(job: Job, store: PixelStore) -> Decision[float]:
    """The price of joining: images a second of all bodies together, beside those of each alone."""
    seconds = seconds_an_image(job.model.classifier, store)
    names = (written([body]) for body in job.recipe.model.bodies)
    each = [f"{name} alone {1 / spent:,.0f}" for name, spent in zip(names, seconds, strict=True)]
    looks = 2 if job.recipe.model.mirrored else 1
    reason = f"images a second in float32, the bodies one after another, measured now: {', '.join(each)}"
    if looks > 1:
        reason += "; each looks at the mirror image too"
    return Decision("speed", round(1 / (looks * sum(seconds)), 1), reason)


def _start_from_imagenet(job: Job, data: TrainingData) -> None:
    """The rows of the pretrained head whose classes are those of the collection, by id or by name."""
    classes, names = job.plan.classes, job.prepared.inputs.manifest.names
    weights = job.prepared.weights
    weight, bias, matched = imagenet_rows(weights, classes, {label: names[label] for label in classes})
    count = int(matched.sum())
    reason = "each class has the row of the ImageNet class of its name"
    if count < len(classes):
        strange = ", ".join(label for label, known in zip(classes, matched, strict=True) if not known)[:200]
        reason = f"the others begin at the mean row, for ImageNet has no such class: {strange}"
    job.decide(Decision("head", f"{count} of {len(classes)} rows from ImageNet", reason))
    features = _features(job, data, PROBE_VIEWS[:1])[0]
    job.model.classifier.start_head(weight, bias, torch.from_numpy(features))


def _features(job: Job, data: TrainingData, views: Sequence[str]) -> NDArray[np.float32]:
    classifier, prepared, asked = job.model.classifier, job.prepared, job.recipe.train.precision
    precision = read_record(job.folder).decided(FEATURES, str)
    if precision is None:
        decision = choose_feature_precision(prepared.device.type, asked)
        job.decide(decision, aloud=False)
        precision = decision.value
    digests, rows = prepared.pretrained.digests, data.train_rows
    return extract_features(
        classifier, digests, data.store, rows, views, device=prepared.device, precision=precision
    )


def _train(job: Job, data: TrainingData) -> Outcome:
    """Fine-tune in as many attempts as it takes; the record has each, and the effect of the pipeline."""
    _check_augmentation(job, data)

    def first_lr() -> float:
        """The recipe's; for `auto` what a range test finds, whose curve stays in the folder."""
        asked = job.recipe.optimizer.lr
        if isinstance(asked, float):
            return asked
        with job.watch.timed("learning rate range test"):
            found = find_lr(job.training(data))
        write_csv(job.folder / RANGE_FILE, ["lr", "loss", "smoothed"], found.rows)
        job.decide(found.decision)
        return found.decision.value

    def renew() -> None:
        job.model = job.prepared.build()
        _start_head(job, data)

    allowed, train_at = job.recipe.train.attempts, partial(_attempt, job, data)
    return Attempts(job.folder, allowed, first_lr, train_at, renew).carry_out()


def _check_augmentation(job: Job, data: TrainingData) -> None:
    """Say and record what the pipeline does to some training images; an op that does nothing is refused."""
    pipeline = job.recipe.pipeline
    if not pipeline.changes_anything:
        return
    rows = data.train_rows[:: max(1, len(data.train_rows) // AUGMENTED_SAMPLE)][:AUGMENTED_SAMPLE]
    effects = check_pipeline(pipeline, data.store, rows, job.recipe.seed)
    values = [f"{effect.name} {effect.pixels_changed:.1%}" for effect in effects]
    reason = f"share of the pixels that each changed, measured on {len(rows)} training images"
    job.decide(Decision("augmentation", "; ".join(values), reason))


def _attempt(job: Job, data: TrainingData, lr: float) -> Outcome:
    """`fit`; where it collapses, its time counts as that. (An outcome has its own, also of resumed runs.)"""
    started = time.monotonic()
    number = read_record(job.folder).attempts[-1].number
    try:
        return fit(
            job.training(data),
            job.folder,
            lr=lr,
            resume=(job.folder / CHECKPOINT).exists(),
            seconds_allowed=job.seconds_left(),
            on_epoch=partial(job.on_epoch, number) if job.on_epoch else None,
        )
    except Collapsed:
        spent = time.monotonic() - started
        job.watch.seconds[LOST] = job.watch.seconds.get(LOST, 0.0) + spent
        raise


def _validate(job: Job, store: PixelStore) -> Metrics:
    """Measure the bundle, as it was written, on the validation fold, and keep its predictions."""
    plan = job.plan
    bundle = load_bundle(job.folder / "bundle")
    rows, _ = _numbers(store, plan, plan.validation)
    device, temperature = job.prepared.device, bundle.card.temperature
    probabilities = predict_rows(
        bundle.classifier, store, rows, device=device, temperature=temperature, label="Evaluating"
    )
    return _kept(job, plan.validation, probabilities)


def _kept(job: Job, validated: Sequence[Assignment], probabilities: NDArray[np.float32]) -> Metrics:
    """Measure answers to images that were not trained on, and keep them."""
    plan = job.plan
    predictions = to_predictions(probabilities, validated, plan.classes)
    write_predictions(predictions, job.folder / "validation")
    groups = [row.group for row in validated]
    return measure(probabilities, predictions.targets, groups, plan.classes, seed=plan.recipe.seed)


def _card(job: Job, store: PixelStore) -> BundleCard:
    prepared, recipe = job.prepared, job.recipe
    own, *beside = prepared.pretrained.bodies
    info, weights, inputs = own.info, own.weights, prepared.inputs
    return BundleCard(
        classes=job.plan.classes,
        names={label: inputs.manifest.names.get(label, label) for label in job.plan.classes},
        backbone=recipe.model.backbone,
        image=BundleImage(
            **recipe.image.model_dump(), mean=info.mean, std=info.std, interpolation=info.interpolation
        ),
        head=recipe.finetune.head,
        features=recipe.model.features,
        mirrored=recipe.model.mirrored,
        beside=tuple(
            BesideBody(backbone=body.info.name, mean=body.info.mean, std=body.info.std) for body in beside
        ),
        digests={"manifest": inputs.manifest.digest, "split": inputs.split.digest, "store": store.digest},
        provenance={
            "run": read_record(job.folder).name,
            "fold": str(recipe.data.fold),
            "seed": str(recipe.seed),
            "backbone_weights": f"{weights.source} {weights.sha256}".strip(),
            **{
                f"beside_{number}_weights": f"{body.weights.source} {body.weights.sha256}".strip()
                for number, body in enumerate(beside)
            },
            "dessin": version("dessin"),
            **({"teacher": prepared.teacher.digest} if prepared.teacher else {}),
        },
        licence="; ".join(dict.fromkeys(body.weights.licence for body in prepared.pretrained.bodies)),
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
