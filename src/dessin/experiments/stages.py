"""The stages of a run, from pixels to results; each may be killed and done again to the same end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.numpy import load, save

from dessin.collection.split import Assignment
from dessin.evaluation.inference import predict_rows
from dessin.evaluation.metrics import Metrics, measure
from dessin.evaluation.predictions import to_predictions, write_predictions
from dessin.experiments.inputs import Inputs, class_numbers
from dessin.experiments.plan import RunPlan
from dessin.experiments.record import RunRecord, now, read_record, write_record
from dessin.files import write_bytes
from dessin.images.store import PixelStore
from dessin.models.backbones import BackboneInfo
from dessin.models.bundle import BundleCard, BundleImage, load_bundle, save_bundle
from dessin.models.classifier import Classifier
from dessin.models.weights import Weights
from dessin.progress import say
from dessin.training.data import Rows, TrainingData
from dessin.training.features import extract_features
from dessin.training.loop import Outcome, fit
from dessin.training.probe import fit_probe

CHECKPOINT = "checkpoint"
PROBE_FILE = "probe.safetensors"
PROBE_VIEWS = ("identity", "hflip")


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
class Job:
    """Everything that the stages work on; `classifier` is changed by them."""

    folder: Path
    plan: RunPlan
    inputs: Inputs
    info: BackboneInfo
    weights: Weights
    classifier: Classifier
    workers: int
    watch: Stopwatch
    seconds_allowed: float | None = None

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
    data = TrainingData(store, *_numbers(store, plan, plan.train), *_numbers(store, plan, plan.validation))
    if plan.recipe.finetune.mode != "full":
        with watch.timed("probe"):
            _set_probe_head(job, data)
    outcome = None if plan.recipe.finetune.mode == "probe" else _fit(job, data)
    card = save_bundle(job.folder / "bundle", job.classifier, _card(job, store))
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


def _numbers(store: PixelStore, plan: RunPlan, rows: Sequence[Assignment]) -> tuple[Rows, Rows]:
    """Where the images are in the store, and their class numbers."""
    return store.rows([row.image_id for row in rows]), class_numbers(rows, plan.classes)


def _set_probe_head(job: Job, data: TrainingData) -> None:
    """Fit a probe on the training rows' frozen features, or take the one that an interrupted run kept."""
    kept = job.folder / PROBE_FILE
    if not kept.is_file():
        features = extract_features(
            job.classifier, job.weights.sha256, data.store, data.train_rows, PROBE_VIEWS, device=job.device
        )
        groups = [row.group for row in job.plan.train]
        seed = job.plan.recipe.seed
        probe = fit_probe(features, data.train_labels, groups, len(job.plan.classes), seed=seed)
        # The record first: where the file is, its decision is written too.
        write_record(job.folder, read_record(job.folder).with_decisions([probe.decision]))
        write_bytes(kept, save({"weight": probe.weight, "bias": probe.bias}))
    head = load(kept.read_bytes())
    job.classifier.set_head(torch.from_numpy(head["weight"]), torch.from_numpy(head["bias"]))


def _fit(job: Job, data: TrainingData) -> Outcome:
    return fit(
        job.classifier,
        job.plan.recipe,
        data,
        folder=job.folder,
        device=job.device,
        precision=str(job.plan.decided("precision")),
        batch_size=int(str(job.plan.decided("batch_size"))),
        workers=job.workers,
        seconds_allowed=_left(job),
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
        names={label: job.inputs.manifest.names[label] for label in job.plan.classes},
        backbone=job.plan.recipe.model.backbone,
        image=BundleImage(
            **image.model_dump(), mean=info.mean, std=info.std, interpolation=info.interpolation
        ),
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
