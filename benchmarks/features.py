"""How much of the speed of the bare backbone is left in feature extraction.

Images a second through `extract_features` (reading the store, the forward pass, writing the cache)
divided by images a second of the same forward pass (normalisations folded in both) on one batch that lies in
memory. Both in turn, so that a change of the machine's mood meets both; the median of the pairs. `plain` is
the backbone as it was, not folded. Run from the repository root:

    python benchmarks/features.py [--data DATA] [--backbone tf_efficientnet_lite0] [--size 128] [--n 512]

Without --data it makes images of noise in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import resolve_weights
from dessin.progress import quiet
from dessin.training.device import choose_device
from dessin.training.features import BATCH_SIZE, extract_features
from dessin.training.folding import folded

GOAL = 0.95


def main() -> None:
    options = _options()
    device = torch.device(str(choose_device().value))
    weights = resolve_weights(options.backbone)
    classifier = build_classifier(options.backbone, 2, weights, image_size=options.size)
    with tempfile.TemporaryDirectory() as folder, quiet():
        os.environ["DESSIN_CACHE"] = f"{folder}/cache"
        data = options.data or _noise(Path(folder) / "noise", options.n)
        store = _store(data, options)
        sample = torch.from_numpy(np.array(store.pixels[:BATCH_SIZE])).to(device)
        fast = folded(classifier.to(device), sample)
        pairs = []
        for number in range(options.rounds + 1):
            extracted = _extraction(classifier, store, f"round {number}", device)
            bare = _bare(fast, store, device)
            plain = _bare(classifier, store, device)
            pairs.append((extracted, bare))
            name = "warm-up" if number == 0 else str(number)
            print(f"{name:>8}  extraction {extracted:7.1f}  bare {bare:7.1f}  plain {plain:7.1f} images/s")
    ratio = statistics.median(extracted / bare for extracted, bare in pairs[1:])
    verdict = "reached" if ratio >= GOAL else "MISSED"
    print(f"{options.backbone}, {options.size} px, {len(store.pixels)} images, batch {BATCH_SIZE}, {device}")
    print(f"ratio {ratio:.3f} (median of {options.rounds} pairs); the goal of {GOAL} is {verdict}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--n", type=int, default=3125, help="images a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _noise(folder: Path, count: int) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    return folder


def _store(data: Path, options: argparse.Namespace) -> PixelStore:
    manifest = build_manifest(read_collection(data))
    rows = [row for row in manifest.rows if row.mode != "unreadable"][: options.n]
    images = [StoredImage(row.image_id, row.sha256) for row in rows]
    info = describe_backbone(options.backbone)
    return open_store(images, manifest.root, ImageSpec(size=options.size), info.interpolation)


def _extraction(classifier: Classifier, store: PixelStore, key: str, device: torch.device) -> float:
    """A key of its own, so that nothing is found in the cache."""
    rows = np.arange(len(store.pixels))
    start = time.perf_counter()
    extract_features(classifier, (key,), store, rows, device=device)
    return len(rows) / (time.perf_counter() - start)


def _bare(classifier: Classifier, store: PixelStore, device: torch.device) -> float:
    classifier.to(device).eval()
    pixels = torch.from_numpy(np.array(store.pixels[:BATCH_SIZE])).to(device)
    batches = max(1, len(store.pixels) // len(pixels))
    start = time.perf_counter()
    with torch.inference_mode():
        for _ in range(batches):
            features = classifier.features(pixels)
        float(features.sum())
    return batches * len(pixels) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
