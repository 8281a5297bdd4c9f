"""The real training loop on a GPU, beside the same model on a resident batch and timm's loader.

For each backbone, images a second at 224 px through `fit` (order, pixels, plans, augmentation, mixing of
precisions, checks, checkpoint at the end), divided by those of the same model, optimiser and loss on one
batch that stays on the GPU; and timm's own loader (worker processes, its augmentation, prefetcher) feeding
the same step from PNG files. All in turn, medians of the rounds. `benchmarks/gpu.py` runs it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from dessin.models.classifier import Classifier, build_classifier
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import resolve_weights
from dessin.progress import quiet
from dessin.recipe import Recipe, make_recipe
from dessin.training.data import Training, TrainingData
from dessin.training.device import Computing
from dessin.training.loop import fit
from dessin.training.seeding import reproducible
from gpu_data import make_data

SIZE = 224
CLASSES = 100
OPS = ("hflip", "rotate(15)", "translate(0.07)", "scale(0.8, 1.2)", "thickness(0.8, 1.25)")
ALL = "all"
# What of the time is whose.
PARTS: dict[str, Sequence[str]] = {
    "none": (),
    "moved": OPS[:4],
    "thickness": OPS[4:],
    ALL: OPS,
}
GOAL = 0.97


@dataclass(frozen=True)
class Speeds:
    """Images a second, medians over the rounds; 0 where timm was not run."""

    loop: float
    resident: float
    timm: float


def compare(device: str, precision: str, options: argparse.Namespace) -> None:
    """Print a row a backbone, and whether the goal is reached."""
    name = torch.cuda.get_device_name() if device == "cuda" else device
    print(f"{name}, torch {torch.__version__}, timm {import_timm().__version__}, {precision}, {SIZE} px")
    print(f"batch {options.batch_size}, {options.images} images a measurement, {options.rounds} rounds\n")
    print(
        "| backbone | augmentation | loop | resident batch | timm's loader | loop ÷ resident | loop ÷ timm |"
    )
    print("|---|---|---|---|---|---|---|")
    worst = 1.0
    for backbone in options.backbones:
        for label, ops in PARTS.items() if options.parts else [(ALL, OPS)]:
            speeds = measure(backbone, ops, device, precision, options)
            ratio = speeds.loop / speeds.resident
            worst = min(worst, ratio if label == ALL else worst)
            beside = f"{speeds.timm:.0f}" if speeds.timm else "not run"
            against = f"{speeds.loop / speeds.timm:.2f}" if speeds.timm else ""
            print(
                f"| {backbone} | {label} | {speeds.loop:.0f} | {speeds.resident:.0f} | {beside} "
                f"| {ratio:.3f} | {against} |",
                flush=True,
            )
    print(f"\nThe goal of {GOAL} of the resident batch is {'reached' if worst >= GOAL else 'MISSED'}.")


def measure(
    backbone: str, ops: Sequence[str], device: str, precision: str, options: argparse.Namespace
) -> Speeds:
    data = make_data(options.images, SIZE, CLASSES)
    recipe = make_recipe(
        {
            "augment": list(ops),
            "train": {"epochs": 1, "compile": options.compile},
            "optimizer": {"lr": 1e-6, "warmup_epochs": 0},
            "finetune": {"mode": "full", "batch_norm": "train"},
        }
    )
    classifier = build_classifier(backbone, CLASSES, resolve_weights(backbone, "none"))
    loop, resident, timm_side = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        files = None if options.no_timm else write_files(data, Path(folder))
        for number in range(options.rounds + 1):
            rates = (
                loop_rate(classifier, recipe, data, device, precision, options),
                resident_rate(classifier, data, device, precision, options),
                timm_rate(classifier, files, device, precision, options) if files else 0.0,
            )
            # The first round warms everything up.
            if number:
                for kept, rate in zip((loop, resident, timm_side), rates, strict=True):
                    kept.append(rate)
    return Speeds(*(statistics.median(rates) for rates in (loop, resident, timm_side)))


def loop_rate(
    classifier: Classifier,
    recipe: Recipe,
    data: TrainingData,
    device: str,
    precision: str,
    options: argparse.Namespace,
) -> float:
    """Images a second of the epoch itself, as `fit` times it (compiling and the checkpoints left out)."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        computing = Computing(torch.device(device), precision, options.batch_size)
        outcome = fit(Training(classifier, recipe, data, computing), Path(folder), lr=1e-6)
    return options.images / outcome.seconds


def resident_rate(
    classifier: Classifier,
    data: TrainingData,
    device: str,
    precision: str,
    options: argparse.Namespace,
) -> float:
    pixels = torch.from_numpy(np.asarray(data.store.pixels)[: options.batch_size]).to(device).float()
    labels = torch.from_numpy(data.train_labels[: options.batch_size]).to(device)
    step = _step(classifier, device, precision, options)
    with reproducible(torch.device(device), torch.get_num_threads()):
        step(pixels, labels)
        started = _now(device)
        for _ in range(options.images // options.batch_size):
            step(pixels, labels)
        return options.images // options.batch_size * options.batch_size / (_now(device) - started)


def timm_rate(
    classifier: Classifier, files: Path, device: str, precision: str, options: argparse.Namespace
) -> float:
    """timm's loader with its usual training augmentation; its normalisation is in the classifier already."""
    timm = import_timm()
    from timm.data import create_dataset, create_loader

    dataset = create_dataset("", root=str(files))
    loader = create_loader(
        dataset,
        input_size=(3, SIZE, SIZE),
        batch_size=options.batch_size,
        is_training=True,
        use_prefetcher=True,
        mean=(0.0, 0.0, 0.0),
        std=(1 / 255, 1 / 255, 1 / 255),
        num_workers=options.workers,
        persistent_workers=False,
        device=torch.device(device),
    )
    assert timm is not None
    step = _step(classifier, device, precision, options)
    seen, started = 0, 0.0
    with reproducible(torch.device(device), torch.get_num_threads()):
        for number, (pixels, labels) in enumerate(loader):
            step(pixels, labels)
            if number == 0:
                # Starting the workers is not what is measured.
                started = _now(device)
            else:
                seen += len(labels)
        return seen / (_now(device) - started)


def _step(classifier: Classifier, device: str, precision: str, options: argparse.Namespace):  # type: ignore[no-untyped-def]
    where = torch.device(device)
    classifier.to(where).train()
    model: nn.Module = torch.compile(classifier) if options.compile else classifier  # type: ignore[assignment]
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-6, fused=True)

    def step(pixels: torch.Tensor, labels: torch.Tensor) -> None:
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(pixels)
        loss = functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def write_files(data: TrainingData, folder: Path) -> Path:
    """The same drawings as PNG files in class folders, for timm's loader."""
    for row, label in zip(data.train_rows, data.train_labels, strict=True):
        path = folder / f"{label:03d}" / f"{row:06d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.asarray(data.store.pixels[row]).transpose(1, 2, 0)).save(path, compress_level=1)
    return folder


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
