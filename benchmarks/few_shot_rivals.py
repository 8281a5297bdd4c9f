"""fastai's `fine_tune` and a script as timm's users write it, for the few-shot benchmark.

Run by `few_shot.py` as `PYTHON few_shot_rivals.py fastai|timm JOB.json`, in an environment that need not have
dessin. Both train on every drawing that they are given and end with the last epoch. How long an epoch takes
is timed first, at no cost: the seconds of that are taken off the clock. Then the schedule that fits is
trained from a fresh model.
"""

from __future__ import annotations

import csv
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BACKBONE = "tf_efficientnet_lite0"
SMALL, LARGE = 128, 224
# A schedule may end so much after its budget; dessin is allowed the same.
OVER = 1.05
# Epochs of the whole network from which on the larger pictures are worth their price.
LEAST_EPOCHS = 5
TIMED, WARM_UP = 8, 2
FASTAI_BATCH, TIMM_BATCH = 64, 32


@dataclass(frozen=True)
class Schedule:
    """`frozen` epochs of the head, then `tuned` ones of the whole network."""

    frozen: int
    tuned: int


def schedule(seconds: float, frozen_s: float, tuned_s: float) -> Schedule:
    """`fine_tune(n)`, a frozen epoch and n of the whole network, with the largest n that fits.

    Where not even n = 1 fits, as many frozen epochs as fit, at least one.
    """
    tuned = math.floor((seconds - frozen_s) / tuned_s)
    return Schedule(1, tuned) if tuned >= 1 else Schedule(max(1, math.floor(seconds / frozen_s)), 0)


def side_of(seconds: float, frozen_s: float, tuned_s: float) -> int:
    """224 pixels where `LEAST_EPOCHS` of them fit, by the times of an epoch at 128 pixels; else 128."""
    larger = (LARGE / SMALL) ** 2
    return LARGE if seconds >= larger * (frozen_s + LEAST_EPOCHS * tuned_s) else SMALL


def epoch_seconds(ends: Sequence[float], batches: int) -> float:
    """From the moments at which steps ended, the first ones being a warm-up; `batches` make an epoch.

    Steps of several epochs count what happens between two of them.
    """
    marks = ends[WARM_UP - 1 :]
    return batches * (marks[-1] - marks[0]) / (len(marks) - 1)


@dataclass
class Clock:
    """The seconds since the process was started by its parent, less those spent on timing epochs."""

    started: float
    budget: float
    off: float = 0.0

    @property
    def used(self) -> float:
        return time.time() - self.started - self.off

    @property
    def left(self) -> float:
        return OVER * self.budget - self.used

    def timing(self, act: Callable[[], Any]) -> Any:
        started = time.time()
        found = act()
        self.off += time.time() - started
        return found


@dataclass
class Job:
    """What the parent asks: pictures below `train` and `test`, each with its label or none."""

    train: str
    test: str
    labels: dict[str, str]
    files: list[str]
    weights: str
    budget: float
    started: float
    threads: int
    predictions: str
    result: str
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.started, self.budget)

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.labels.values()))

    def finish(self, seconds: float, how: str, versions: dict[str, str], predicted: Sequence[str]) -> None:
        """`seconds` as they were when the training had ended."""
        with Path(self.predictions).open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows(zip(self.files, predicted, strict=True))
        found = {"seconds": seconds, "how": how, "versions": versions, "timing_s": self.clock.off}
        Path(self.result).write_text(json.dumps(found), encoding="utf-8")


def with_fastai(job: Job) -> None:
    """fastai's defaults: `aug_transforms`, batches of 64, one cycle, Adam, `fine_tune`'s own rates."""
    import torch
    from fastai import __version__
    from fastai.vision import all as vision

    class Watch(vision.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ends: list[float] = []

        def after_batch(self) -> None:
            if self.training:
                self.ends.append(time.perf_counter())
            if len(self.ends) == WARM_UP + TIMED:
                raise vision.CancelFitException

    def learner(size: int) -> Any:
        vision.set_seed(0)
        block = vision.DataBlock(
            blocks=(vision.ImageBlock, vision.CategoryBlock),
            get_items=lambda _: list(job.labels),
            get_x=lambda file: Path(job.train) / file,
            get_y=job.labels.get,
            # Everything is trained on; fastai wants a validation set, so it gets a few of the same images.
            splitter=lambda items: (list(range(len(items))), list(range(min(8, len(items))))),
            item_tfms=vision.Resize(size),
            batch_tfms=vision.aug_transforms(),
        )
        loaders = block.dataloaders(None, bs=min(FASTAI_BATCH, len(job.labels)))
        overlay = {"file": job.weights}
        return vision.vision_learner(
            loaders, BACKBONE, metrics=vision.accuracy, pretrained_cfg_overlay=overlay
        )

    def timed(size: int) -> tuple[float, float]:
        """Seconds of an epoch of the head, and of the whole network."""
        found = []
        for prepare in ("freeze", "unfreeze"):
            trial, watch = learner(size), Watch()
            getattr(trial, prepare)()
            with trial.no_bar(), trial.no_logging():
                trial.fit_one_cycle(WARM_UP + TIMED, cbs=watch)
            found.append(epoch_seconds(watch.ends, len(trial.dls.train)))
        return found[0], found[1]

    torch.set_num_threads(job.threads)
    seconds = job.clock.timing(lambda: timed(SMALL))
    size = side_of(job.clock.left, *seconds)
    if size != SMALL:
        seconds = job.clock.timing(lambda: timed(size))
    trained = learner(size)
    plan = schedule(job.clock.left, *seconds)
    with trained.no_bar():
        if plan.tuned:
            trained.fine_tune(plan.tuned)
        else:
            trained.freeze()
            trained.fit_one_cycle(plan.frozen)
    used = job.clock.used
    test = trained.dls.test_dl([Path(job.test) / file for file in job.files])
    probabilities, _ = trained.get_preds(dl=test)
    names = [str(trained.dls.vocab[i]) for i in probabilities.argmax(1).tolist()]
    how = f"fine_tune({plan.tuned})" if plan.tuned else f"{_epochs(plan.frozen)} frozen"
    job.finish(used, f"{how}, {size} px", {"fastai": __version__, "torch": torch.__version__}, names)


def with_timm(job: Job) -> None:
    """What train.py does with `--opt adamw --lr 5e-4 --weight-decay 0.05 --sched cosine -b 32
    --aa rand-m7-mstd0.5-inc1 --mixup 0.2 --smoothing 0.1 --channels-last`, a warm-up of a tenth."""
    import numpy
    import timm
    import torch
    from PIL import Image
    from timm.data import Mixup, create_loader, resolve_data_config
    from timm.loss import SoftTargetCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.scheduler import CosineLRScheduler

    class Pictures(torch.utils.data.Dataset):  # type: ignore[type-arg]
        transform: Any = None

        def __init__(self, folder: str, targets: dict[str, int]) -> None:
            self.folder, self.targets, self.files = Path(folder), targets, list(targets)

        def __len__(self) -> int:
            return len(self.files)

        def __getitem__(self, i: int) -> tuple[Any, int]:
            with Image.open(self.folder / self.files[i]) as picture:
                return self.transform(picture.convert("RGB")), self.targets[self.files[i]]

    numbers = {label: number for number, label in enumerate(job.classes)}
    batch = min(TIMM_BATCH, 2 * (len(job.labels) // 2))

    def network() -> Any:
        torch.manual_seed(0)
        overlay = {"file": job.weights}
        made = timm.create_model(
            BACKBONE, pretrained=True, num_classes=len(numbers), pretrained_cfg_overlay=overlay
        )
        return made.to(memory_format=torch.channels_last)

    def loader(size: int, data: Pictures, training: bool) -> Any:
        config = resolve_data_config({"input_size": (3, size, size)}, model=model)
        known = {name: config[name] for name in ("input_size", "interpolation", "mean", "std", "crop_pct")}
        return create_loader(
            data,
            **known,
            batch_size=batch,
            is_training=training,
            auto_augment="rand-m7-mstd0.5-inc1" if training else None,
            num_workers=job.threads,
            use_prefetcher=False,
            persistent_workers=training,
            device=torch.device("cpu"),
        )

    def train(model: Any, batches: Any, epochs: int, most: float = math.inf) -> list[float]:
        """The moments at which steps ended; with `most` steps at most."""
        optimizer = create_optimizer_v2(model, opt="adamw", lr=5e-4, weight_decay=0.05)
        steps = epochs * len(batches)
        rates = CosineLRScheduler(
            optimizer, steps, warmup_t=steps // 10, warmup_lr_init=1e-6, t_in_epochs=False
        )
        mixup = Mixup(mixup_alpha=0.2, label_smoothing=0.1, num_classes=len(numbers))
        loss_of, ends = SoftTargetCrossEntropy(), list[float]()
        model.train()
        for _ in range(epochs):
            for images, targets in batches:
                rates.step_update(len(ends))
                images, targets = mixup(images, targets)
                loss = loss_of(model(images.contiguous(memory_format=torch.channels_last)), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                ends.append(time.perf_counter())
                if len(ends) >= most:
                    return ends
        return ends

    def timed(size: int) -> float:
        batches = loader(size, drawings, training=True)
        ends = train(network(), batches, WARM_UP + TIMED, WARM_UP + TIMED)
        return epoch_seconds(ends, len(batches))

    random.seed(0)
    numpy.random.seed(0)
    torch.set_num_threads(job.threads)
    model = network()
    drawings = Pictures(job.train, {file: numbers[label] for file, label in job.labels.items()})
    seconds = job.clock.timing(lambda: timed(SMALL))
    size = side_of(job.clock.left, 0.0, seconds)
    if size != SMALL:
        seconds = job.clock.timing(lambda: timed(size))
    batches = loader(size, drawings, training=True)
    epochs = max(1, math.floor(job.clock.left / seconds))
    train(model, batches, epochs)
    used = job.clock.used
    model.eval()
    found: list[int] = []
    with torch.inference_mode():
        for images, _ in loader(size, Pictures(job.test, dict.fromkeys(job.files, 0)), training=False):
            found += model(images.contiguous(memory_format=torch.channels_last)).argmax(1).tolist()
    versions = {"timm": timm.__version__, "torch": torch.__version__}
    job.finish(used, f"{_epochs(epochs)}, {size} px", versions, [job.classes[i] for i in found])


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _declare_missing_ops() -> None:
    """A torchvision whose compiled ops do not fit the installed torch cannot be imported without this."""
    import importlib.util

    import torch
    from torch import library as torch_library

    folder = Path(importlib.util.find_spec("torchvision").submodule_search_locations[0])  # type: ignore[union-attr, index]
    try:
        torch.ops.load_library(str(next(folder.glob("_C*.so"))))
    except OSError:
        global library
        library = torch_library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if __name__ == "__main__":
    _declare_missing_ops()
    asked = Job(**json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    {"fastai": with_fastai, "timm": with_timm}[sys.argv[1]](asked)
