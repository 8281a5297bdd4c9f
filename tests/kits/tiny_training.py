"""A whole training small enough to be killed many times: generated pixels, a network of 2,000 weights."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dessin.files import sha256_bytes
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore
from dessin.progress import quiet
from dessin.recipe import Recipe, make_recipe
from dessin.training.data import Training, TrainingData
from dessin.training.device import Computing
from dessin.training.loop import fit
from dessin.training.outcome import Outcome

SIZE = 16
CLASSES = 3
OPS = ["hflip", "rotate(15)", "translate(0.1)", "scale(0.8, 1.25)"]


class TinyNet(nn.Module):
    """Convolution, batch normalisation and dropout: everything whose state or draws a resumed run needs.

    Without `noise` it has neither dropout nor batch normalisation, so that a batch is the sum of its parts.
    """

    backbone = "tiny"
    classes = CLASSES

    def __init__(self, *, noise: bool = True) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if noise else nn.Identity
        rate = 1.0 if noise else 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.body = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1), norm(8), nn.ReLU(), nn.Dropout2d(0.1 * rate),
                nn.Conv2d(8, 16, 3, stride=2, padding=1), norm(16), nn.ReLU(),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2 * rate),
            )  # fmt: skip
            self.head = nn.Linear(16, CLASSES)
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.classify(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        return self.body(pixels.to(torch.float32, memory_format=torch.channels_last) / 128 - 1)

    def classify(self, features: Tensor) -> Tensor:
        return self.head(features)


def make_data(train: int = 24, validation: int = 9, *, permuted: bool = False) -> TrainingData:
    """Bars whose direction is their class, each a little different."""
    count = train + validation
    generator = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    pixels = np.full((count, 3, SIZE, SIZE), 240, dtype=np.uint8)
    for image, label, place in zip(pixels, labels, generator.integers(4, 12, count), strict=True):
        if label == 0:
            image[:, place] = 20
        elif label == 1:
            image[:, :, place] = 20
        else:
            image[:, np.arange(SIZE), np.arange(SIZE) - place // 2] = 20
    pixels -= generator.integers(0, 20, pixels.shape, dtype=np.uint8)
    store = PixelStore(
        pixels=pixels,
        image_ids=tuple(f"{n:03d}.png" for n in range(count)),
        spec=ImageSpec(size=SIZE),
        interpolation="bilinear",
        background=np.full((count, 3), 230, dtype=np.uint8),
        digest="pixels of the test",
    )
    order = np.arange(train)
    if permuted:
        order = generator.permutation(train)
    rest = np.arange(train, count)
    return TrainingData(store, order, labels[order], rest, labels[rest])


def make_settings(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "augment": OPS,
        "optimizer": {"lr": 0.01, "warmup_epochs": 0.5},
        "train": {"epochs": 2, "select_by": "loss"},
        "finetune": {"mode": "full"},
        "seed": 7,
    }
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) and key in values else value
    return make_recipe(values)


EVERYTHING: dict[str, Any] = {
    "augment": [*OPS, "jitter(0.2, 0.2, 0.2, 0.05)", "noise(0.05)", "elastic(0.05)", "erase(0.2)"],
    "copies": [["rotate(90)", "thickness(0.7, 1.4)"]],
    "stages": {2: ["stroke_dropout(0.1)", "cutmix(1.0)"]},
    "loss": "triplet(0.2)",
    "optimizer": {"sam": 0.05, "clip_norm": 1.0, "schedule": "plateau"},
    "train": {
        "epochs": 3,
        "accumulate": 2,
        "ema": 0.7,
        "average_last": 2,
        "early_stop": 3,
        "class_weights": "balanced",
    },
}  # fmt: skip


def make_training(
    model: nn.Module | None = None,
    recipe: Recipe | None = None,
    data: TrainingData | None = None,
    *,
    batch_size: int = 5,
    workers: int = 0,
) -> Training:
    """A training of the tiny network on a CPU."""
    computing = Computing(torch.device("cpu"), batch_size=batch_size, workers=workers)
    return Training(model or TinyNet(), recipe or make_settings(), data or make_data(), computing)  # type: ignore[arg-type]


def run_tiny(
    folder: Path,
    *,
    recipe: Recipe | None = None,
    data: TrainingData | None = None,
    model: nn.Module | None = None,
    workers: int = 0,
    resume: bool = False,
    checkpoint_seconds: float = 60.0,
    seconds_allowed: float | None = None,
    batch_size: int = 5,
    lr: float | None = None,
) -> tuple[nn.Module, Outcome]:
    model = model or TinyNet()
    outcome = fit(
        make_training(model, recipe, data, batch_size=batch_size, workers=workers),
        folder,
        lr=lr,
        resume=resume,
        checkpoint_seconds=checkpoint_seconds,
        seconds_allowed=seconds_allowed,
    )
    return model, outcome


def final_bytes(folder: Path, model: nn.Module) -> str:
    """One digest of the weights that count and of all tensors where the run stands: model and optimiser."""
    state = model.state_dict()
    parts = [state[name].contiguous().numpy().tobytes() for name in sorted(state)]
    (last,) = (folder / "checkpoint").glob("step-*")
    parts += [path.read_bytes() for path in sorted(last.glob("*.safetensors"))]
    return sha256_bytes(b"".join(parts))


def in_a_process(
    folder: str,
    workers: int,
    resume: bool,
    threads: int,
    die: tuple[str, int] | None = None,
    settings: dict[str, Any] | None = None,
    sent: int = signal.SIGKILL,
) -> None:
    """Train and write what it came to; with `die`, send itself a signal at the n-th call of that function."""
    torch.set_num_threads(threads)
    if die is not None:
        name, nth = die
        module: Any = shutil if name == "rmtree" else torch.optim.AdamW if name == "step" else os
        original, calls = getattr(module, name), 0

        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth:
                os.kill(os.getpid(), sent)
            return original(*args, **kwargs)

        setattr(module, name, counted)
    with quiet():
        recipe = make_settings(**settings or {})
        model, _ = run_tiny(
            Path(folder), recipe=recipe, workers=workers, resume=resume, checkpoint_seconds=0.0
        )
    (Path(folder) / "final.sha256").write_text(final_bytes(Path(folder), model))
