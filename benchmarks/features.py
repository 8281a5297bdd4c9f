"""How much of the speed of the fastest bare backbone is left in feature extraction.

Images a second through `extract_features` (reading the store, the forward pass, writing the cache) divided by
images a second of the fastest forward pass that this machine has on one batch that lies in memory: the
backbone as it comes, with its normalisations folded, that in bfloat16, and by ONNX Runtime where it is
installed. All in turn, so that a change of the machine's mood meets all; the median of the rounds.
Run from the repository root:

    python benchmarks/features.py [--data DATA] [--backbone tf_efficientnet_lite0] [--size 128] [--n 512]

Without --data it draws doodles into a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.doodles.doodles import generate_doodles
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import resolve_weights
from dessin.progress import quiet
from dessin.training.device import choose_device
from dessin.training.features import BATCH_SIZE, extract_features
from dessin.training.folding import folded, in_bfloat16

GOAL = 0.95


def main() -> None:
    options = _options()
    device = torch.device(str(choose_device().value))
    weights = resolve_weights(options.backbone)
    classifier = build_classifier(options.backbone, 2, weights, image_size=options.size)
    with tempfile.TemporaryDirectory() as folder, quiet():
        os.environ["DESSIN_CACHE"] = f"{folder}/cache"
        data = options.data or _doodles(Path(folder) / "doodles", options.n)
        store = _store(data, options)
        sample = torch.from_numpy(np.array(store.pixels[:BATCH_SIZE])).to(device)
        bare = _forwards(classifier.to(device).eval(), sample)
        ratios: dict[str, list[float]] = {name: [] for name in bare}
        for number in range(options.rounds + 1):
            extracted = _extraction(classifier, store, f"round {number}", device)
            speeds = {name: _bare(forward, sample, len(store.pixels)) for name, forward in bare.items()}
            shown = "  ".join(f"{name} {speed:7.1f}" for name, speed in speeds.items())
            print(f"{'warm-up' if number == 0 else number:>8}  extraction {extracted:7.1f}  {shown} images/s")
            if number:
                for name, speed in speeds.items():
                    ratios[name].append(extracted / speed)
    medians = {name: statistics.median(found) for name, found in ratios.items()}
    fastest = min(medians, key=lambda name: medians[name])
    verdict = "reached" if medians[fastest] >= GOAL else "MISSED"
    images, threads = len(store.pixels), torch.get_num_threads()
    what = f"{options.backbone}, {options.size} px, {images} images, batch {BATCH_SIZE}"
    print(f"{what}, {device}, {threads} threads")
    print("extraction divided by: " + ", ".join(f"{name} {ratio:.3f}" for name, ratio in medians.items()))
    print(
        f"ratio {medians[fastest]:.3f} to the fastest, {fastest} (median of {options.rounds} rounds); "
        f"the goal of {GOAL} is {verdict}"
    )


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


def _doodles(folder: Path, count: int) -> Path:
    generate_doodles(folder, classes=16, per_class=max(10, -(-count // 16)))
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


def _forwards(classifier: Classifier, sample: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Every way that this machine has to compute the features of a batch."""
    fast = folded(classifier, sample)
    half = in_bfloat16(fast)
    found: dict[str, Callable[[], object]] = {
        "plain": lambda: classifier.features(sample),
        "folded": lambda: fast.features(sample),
        "bfloat16": lambda: half.features(sample),
    }
    if sample.device.type == "cpu" and find_spec("onnxruntime") and find_spec("onnxscript"):
        session, pixels = _onnx_session(fast, sample), sample.float().numpy()
        found["onnx"] = lambda: session.run(None, {"pixels": pixels})
    return found


class _Features(torch.nn.Module):
    """What is exported: pixels → features."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.classifier.features(pixels)


def _onnx_session(classifier: Classifier, sample: torch.Tensor) -> Any:
    import onnxruntime as runtime

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            _Features(classifier).eval(),
            (sample.float(),),
            dynamo=True,
            input_names=["pixels"],
            verbose=False,
        )
    assert exported is not None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    model = exported.model_proto.SerializeToString()
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _bare(forward: Callable[[], object], sample: torch.Tensor, images: int) -> float:
    batches = max(1, images // len(sample))
    with torch.inference_mode():
        start = time.perf_counter()
        for _ in range(batches):
            forward()
        if sample.device.type == "cuda":
            torch.cuda.synchronize()
        return batches * len(sample) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
