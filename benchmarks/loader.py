"""How much of the speed of the bare model is left in the real training loop.

Images a second through `fit` (order, gathering from the pixel store, plans, augmentation, learning rate,
checks) divided by images a second of the same model, optimiser and loss on one batch that lies in memory.
Both in turn, so that a change of the machine's mood meets both; medians. Run from the repository root:

    python benchmarks/loader.py --data DATA [--backbone tf_efficientnet_lite0] [--size 128]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.losses import make_loss
from dessin.models.weights import resolve_weights
from dessin.progress import quiet
from dessin.recipe import Recipe, make_recipe
from dessin.training.data import Training, TrainingData
from dessin.training.device import Computing, choose_device, choose_precision
from dessin.training.loop import fit
from dessin.training.optimise import make_optimizer
from dessin.training.seeding import reproducible

OPS = ["hflip", "rotate(15)", "translate(0.08)", "scale(0.85, 1.15)"]
GOAL = 0.97


def main() -> None:
    options = _options()
    device = str(choose_device().value)
    precision = str(choose_precision(device).value)
    store, labels, classes = _pixels(options.data, options.backbone, options.size)
    images = options.batch_size * options.steps
    none = np.empty(0, dtype=np.int64)
    data = TrainingData(store, np.arange(images), labels[:images], none, none)
    # One rate throughout, too small to move the weights: the speed is measured, not the learning.
    optimizer = {"lr": 1e-6, "warmup_epochs": 0}
    recipe = make_recipe({"augment": OPS, "train": {"epochs": 1}, "optimizer": optimizer})
    classifier = build_classifier(options.backbone, classes, resolve_weights(options.backbone))
    loop: list[float] = []
    bare: list[float] = []
    for number in range(options.rounds + 1):
        loop.append(images / _loop_seconds(classifier, recipe, data, device, precision, options))
        bare.append(images / _bare_seconds(classifier, recipe, data, device, precision, options))
        print(
            f"{'warm-up' if number == 0 else number:>8}  loop {loop[-1]:7.1f}  bare {bare[-1]:7.1f} images/s"
        )
    ratio = statistics.median(a / b for a, b in zip(loop[1:], bare[1:], strict=True))
    print(
        f"  median  loop {statistics.median(loop[1:]):7.1f}  bare {statistics.median(bare[1:]):7.1f} images/s"
    )
    verdict = "reached" if ratio >= GOAL else "MISSED"
    print(f"{options.backbone}, {options.size} px, batch {options.batch_size}, {device}, {precision}")
    print(f"ratio {ratio:.3f} (median of {options.rounds} pairs); the goal of {GOAL} is {verdict}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8, help="steps a measurement")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--workers", type=int, default=0)
    return parser.parse_args()


def _pixels(data: Path, backbone: str, size: int) -> tuple[PixelStore, np.ndarray, int]:
    manifest = build_manifest(read_collection(data))
    spec, interpolation = ImageSpec(size=size), describe_backbone(backbone).interpolation
    stored = [StoredImage(row.image_id, row.sha256) for row in manifest.rows]
    store = open_store(stored, manifest.root, spec, interpolation)
    number = {label: index for index, label in enumerate(manifest.classes)}
    label_of = {row.image_id: number[row.label] for row in manifest.rows}
    return store, np.array([label_of[image_id] for image_id in store.image_ids]), len(manifest.classes)


def _loop_seconds(
    classifier: Classifier,
    recipe: Recipe,
    data: TrainingData,
    device: str,
    precision: str,
    options: argparse.Namespace,
) -> float:
    with tempfile.TemporaryDirectory() as folder, quiet():
        computing = Computing(torch.device(device), precision, options.batch_size, options.workers)
        outcome = fit(Training(classifier, recipe, data, computing), Path(folder))
    return outcome.seconds


def _bare_seconds(
    classifier: Classifier,
    recipe: Recipe,
    data: TrainingData,
    device: str,
    precision: str,
    options: argparse.Namespace,
) -> float:
    where = torch.device(device)
    rows = data.train_rows[: options.batch_size]
    pixels = torch.from_numpy(np.asarray(data.store.pixels)[rows]).to(where).float()
    targets = functional.one_hot(torch.from_numpy(data.train_labels[: options.batch_size])).float()
    targets = functional.pad(targets, (0, classifier.classes - targets.shape[1])).to(where)
    loss_of = make_loss(recipe.loss)
    classifier.to(where).train()
    for module in classifier.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    optimizer = make_optimizer(classifier, recipe.optimizer)
    with reproducible(where, torch.get_num_threads()):
        started = time.monotonic()
        for _ in range(options.steps):
            with torch.autocast(where.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                logits = classifier(pixels)
            loss = loss_of(logits, targets).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()
        return time.monotonic() - started


if __name__ == "__main__":
    main()
