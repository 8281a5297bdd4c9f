"""What the packaged recipes for GPUs take: minutes and GiB for each strong backbone, planned, and measured.

Planned for GPUs of 24, 48 and 80 GB from `dessin.models.price`, anywhere. Where a GPU is, features and steps
of each recipe and backbone are measured on it too, with random weights of the right shapes, for a few seconds
each, and minutes follow from these speeds. `benchmarks/gpu.py --plan` runs it.
"""

from __future__ import annotations

import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from dessin.files import write_csv
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.default_backbones import TABLE, Backbone
from dessin.models.freezing import apply_finetune
from dessin.models.price import VIEWS, Way, gmacs_a_second, price
from dessin.models.weights import resolve_weights
from dessin.progress import quiet
from dessin.recipe import Recipe, read_recipe
from dessin.training.data import Training, TrainingData
from dessin.training.device import Computing, choose_batch_size, free_memory
from dessin.training.engine import make_engine
from dessin.training.features import BATCH_SIZE, extract_features
from dessin.training.seeding import reproducible
from gpu_data import make_data

RECIPES = ("gpu-probe", "gpu-lora", "gpu-folds")
TIERS = (24.0, 48.0, 80.0)
DRAWINGS, CLASSES, FOLDS = 15_021, 500, 5
STRONG = tuple(row for row in TABLE if row.tier == "strong")
# What the plan's memory is for.
_LEAST_BATCH, _WARM_STEPS = 8, 3
_WAYS: dict[str, Way] = {"probe": "frozen", "lora": "lora"}


@dataclass(frozen=True)
class Line:
    """A recipe with a backbone on a GPU; minutes for all drawings, None where it was not measured."""

    recipe: str
    backbone: str
    licence: str
    side: int
    gpu_gb: float
    planned_minutes: float
    planned_gib: float
    device: str = ""
    features_a_second: float | None = None
    trained_a_second: float | None = None
    measured_minutes: float | None = None
    measured_gib: float | None = None


def planned(drawings: int = DRAWINGS, rows: Sequence[Backbone] = STRONG) -> list[Line]:
    """Every recipe with every backbone on every GPU, without one."""
    return [plan_line(name, row, gpu, drawings) for name in RECIPES for row in rows for gpu in TIERS]


def plan_line(name: str, row: Backbone, gpu_gb: float, drawings: int) -> Line:
    recipe = recipe_of(name, row)
    cost = price(
        row,
        way_of(recipe),
        gmacs_a_second("cuda", gpu_gb, 1),
        images=drawings,
        trained_on=trained_on(name, recipe, drawings),
    )
    return Line(name, row.name, row.licence, row.size, gpu_gb, cost.seconds / 60, cost.gib)


def recipe_of(name: str, row: Backbone) -> Recipe:
    overrides = (f"model.backbone={row.name}", f"image.size={row.size}", "model.drop_path=0")
    return read_recipe(Path(name), overrides=overrides)


def way_of(recipe: Recipe) -> Way:
    return _WAYS.get(recipe.finetune.mode, "tuned")


def trained_on(name: str, recipe: Recipe, drawings: int) -> float:
    """Images of all steps: four fifths of the drawings an epoch, and the forward pass of the others."""
    if recipe.finetune.mode == "probe":
        return 0.0
    folds = FOLDS if name == "gpu-folds" else 1
    an_epoch = (1 - 1 / FOLDS) + 1 / FOLDS / 3
    return folds * recipe.train.epochs * an_epoch * drawings


def header(name: str, lines: Sequence[Line]) -> list[str]:
    """The table in the head comment of a recipe: a row a backbone, a column a GPU."""
    table = [f"{'body':<55}   px  GiB" + "".join(f"{f'{gpu:.0f} GB':>9}" for gpu in TIERS)]
    for row in dict.fromkeys(line.backbone for line in lines):
        own = [line for line in lines if (line.recipe, line.backbone) == (name, row)]
        minutes = "".join(f"{_minutes(line.planned_minutes):>9}" for line in own)
        table.append(f"{row:<55}  {own[0].side}  {own[0].planned_gib:>3.0f}{minutes}")
    return [f"# {line}" for line in table]


def _minutes(minutes: float) -> str:
    return f"{max(1.0, minutes):.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def measured(
    device: torch.device,
    precision: str,
    *,
    drawings: int = DRAWINGS,
    rows: Sequence[Backbone] = STRONG,
    seconds: float = 4.0,
    images: int = 512,
    stop_at: float = math.inf,
) -> Iterator[Line]:
    """Each recipe with each backbone on this device; none begins after `stop_at` (monotonic)."""
    memory = free_memory(device) / 2**30
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    for row in rows:
        if time.monotonic() > stop_at:
            print(f"{row.name} is left out: no time is left.", flush=True)
            continue
        data = make_data(images, row.size, CLASSES)
        features, gib = measure_features(recipe_of("gpu-probe", row), data, device)
        # All weights first: updates of low rank stay in a network once they are in it.
        classifier = _random(recipe_of("gpu-folds", row))
        for recipe_name in ("gpu-probe", "gpu-folds", "gpu-lora"):
            recipe = recipe_of(recipe_name, row)
            rate, least = 0.0, 0.0
            if recipe.finetune.mode != "probe":
                rate, least = measure_steps(classifier, recipe, data, device, precision, seconds)
            steps = trained_on(recipe_name, recipe, drawings)
            minutes = (VIEWS * drawings / features + (steps / rate if rate else 0.0)) / 60
            yield replace(
                plan_line(recipe_name, row, memory, drawings),
                device=name,
                features_a_second=features,
                trained_a_second=rate or None,
                measured_minutes=minutes,
                measured_gib=max(gib, least) or None,
            )


def _random(recipe: Recipe) -> Classifier:
    model, size = recipe.model, recipe.image.size
    with quiet():
        weights = resolve_weights(model.backbone, "none")
        return build_classifier(model.backbone, CLASSES, weights, image_size=size, features=model.features)


def measure_features(recipe: Recipe, data: TrainingData, device: torch.device) -> tuple[float, float]:
    """Images a second of the features as they are computed and kept, and GiB; a few images warm up."""
    classifier, few = _random(recipe), make_data(BATCH_SIZE, recipe.image.size, CLASSES)

    def compute() -> float:
        rates = []
        for number, part in enumerate((few, data)):
            rows = np.arange(len(part.store.pixels))
            started = _now(device)
            # A digest that no cache has.
            extract_features(classifier, (f"random {number}",), part.store, rows, device=device)
            rates.append(len(rows) / (_now(device) - started))
        return rates[-1]

    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, DESSIN_CACHE=folder), quiet():
        return _peak(device, compute)


def measure_steps(
    classifier: Classifier,
    recipe: Recipe,
    data: TrainingData,
    device: torch.device,
    precision: str,
    seconds: float,
) -> tuple[float, float]:
    """Images a second of steps at the batch size that the loop would take, and GiB with 8 at a time."""
    tuning = recipe.finetune
    with quiet():
        freezing = apply_finetune(classifier, mode=tuning.mode, lora_rank=tuning.lora_rank or 8)
        batch = choose_batch_size(classifier, recipe, DRAWINGS, device=device.type, precision=precision).value
        at_least = Training(classifier, recipe, data, Computing(device, precision, _LEAST_BATCH), freezing)
        _, gib = _peak(device, lambda: _steps(at_least, 0.0))
        batch = min(batch, len(data.train_rows))
        return _steps(replace(at_least, computing=Computing(device, precision, batch)), seconds), gib


def _steps(training: Training, seconds: float) -> float:
    """Images a second of the loop's own steps, for about so many seconds after some that warm up."""
    device = training.computing.device
    with reproducible(device, torch.get_num_threads()):
        engine = make_engine(training)
        engine.train_mode()
        endless = (parts for epoch in itertools.count() for parts in engine.steps(epoch))
        seen, started = 0, _now(device)
        for step, parts in enumerate(endless):
            engine.stepper.take(step, 1e-6, parts)
            seen += sum(len(part.labels) for part in parts)
            # The host runs ahead of a GPU, so that the clock is looked at now and then.
            if step == _WARM_STEPS:
                seen, started = 0, _now(device)
            elif step > _WARM_STEPS and step % _WARM_STEPS == 0 and _now(device) - started >= seconds:
                return seen / (_now(device) - started)
    raise AssertionError("the steps have no end")


def _peak(device: torch.device, work: Callable[[], float]) -> tuple[float, float]:
    """What it returns, and the most GiB that it took of a GPU."""
    if device.type != "cuda":
        return work(), 0.0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return work(), torch.cuda.max_memory_allocated(device) / 2**30


def write_lines(path: Path, lines: Sequence[Line]) -> None:
    fields = tuple(Line.__dataclass_fields__)
    write_csv(path, fields, ([_cell(getattr(line, name)) for name in fields] for line in lines))


def _cell(value: object) -> object:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else value


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
