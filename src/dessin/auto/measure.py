"""How fast this machine is, measured now: decoding, forward passes and training steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from dessin.auto.budget import Speed
from dessin.collection.readers.collection import Collection
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import page_of
from dessin.images.spec import Page
from dessin.models.backbones import candidate, describe_backbone, resize_body
from dessin.models.classifier import Classifier, empty_classifier
from dessin.models.default_backbones import ROWS, side_of
from dessin.models.stages import parts_of
from dessin.progress import track
from dessin.training.device import choose_feature_precision, seconds_of
from dessin.training.folding import folded, in_bfloat16

_SAMPLE = 48
# What is tuned of a packaged body on a processor: the stages before it, where most of the time goes, see
# drawings well enough as they are. With their activations kept for half of the epochs' views, an epoch takes
# this share of one that computes them (measured, see docs/log.md).
_LAST_STAGES, _KEPT_SHARE = (4,), 0.82
_BATCH = 32
_MATRIX = 1024
_REPEATS = 2


def measure_decoding(collection: Collection, page: Page = "off") -> float:
    """Images a second that are read and decoded on one core, with `page: auto` to the page of a photograph.

    From an even sample of the collection.
    """
    step = max(1, len(collection.items) // _SAMPLE)
    sample = collection.items[::step][:_SAMPLE]
    start = time.perf_counter()
    for item in sample:
        try:
            page_of(decode(read_image_bytes(collection.path(item.image_id))).pixels, page)
        except Unreadable:
            continue
    return len(sample) / (time.perf_counter() - start)


def measure_speeds(models: Sequence[str], size: int, device: torch.device) -> dict[tuple[str, int], Speed]:
    """(backbone, size) → images a second, from the best of a few timed batches each.

    A backbone of the table of defaults is measured at the side that it has where up to `size` are wanted.
    """
    speeds = {}
    backbones = list(dict.fromkeys(candidate(name)[0] for name in models))
    for name in track(backbones, len(backbones), f"Measuring speed at {size} px", unit="backbones"):
        side = side_of(name, size)
        classifier = empty_classifier(name, 100, features="several")
        resize_body(classifier.body, describe_backbone(name), side)
        classifier.to(device)
        if stages := tuned_stages(name, device.type):
            for part in parts_of(classifier.body):
                for parameter in part.parameters:
                    classifier.body.get_parameter(parameter).requires_grad_(part.stage in stages)
        pixels = torch.randint(0, 256, (_BATCH, 3, side, side), dtype=torch.uint8, device=device)
        forward, features = _forward(classifier, pixels), _features(classifier, pixels)
        training = _training(classifier, pixels) / (_KEPT_SHARE if stages else 1.0)
        speeds[name, size] = Speed(forward, training, features)
    return speeds


def tuned_stages(backbone: str, device: str) -> tuple[int, ...]:
    """The stages of a body that `auto` tunes; none means all, as where nobody measured what is enough."""
    row = ROWS.get(backbone)
    return _LAST_STAGES if device == "cpu" and row is not None and row.tier == "packaged" else ()


def measure_flops() -> float:
    """Floating-point operations a second in a product of matrices, as the fit of a probe has them."""
    matrix = torch.ones(_MATRIX, _MATRIX)
    _ = matrix @ matrix
    times = [seconds_of(lambda: matrix @ matrix, torch.device("cpu")) for _ in range(_REPEATS)]
    return 2.0 * _MATRIX**3 / min(times)


def _forward(classifier: Classifier, pixels: torch.Tensor) -> float:
    classifier.eval()
    with torch.inference_mode():
        return _rate(lambda: classifier(pixels), pixels)


def _features(classifier: Classifier, pixels: torch.Tensor) -> float:
    """As a probe's are computed, where bfloat16 proves to be near enough for its drawings."""
    classifier.eval()
    fast = folded(classifier, pixels[:2]).encoders[0]
    if choose_feature_precision(pixels.device.type).value == "bfloat16":
        fast = in_bfloat16(fast)
    with torch.inference_mode():
        return _rate(lambda: fast.features(pixels), pixels)


def _training(classifier: Classifier, pixels: torch.Tensor) -> float:
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=0.0)
    labels = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(classifier(pixels), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return _rate(step, pixels)


def _rate(work: Callable[[], object], pixels: torch.Tensor) -> float:
    """Images a second, the best of a few times after one to warm up: another process may take a moment."""
    work()
    return len(pixels) / min(seconds_of(work, pixels.device) for _ in range(_REPEATS))
