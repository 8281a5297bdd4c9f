"""What fits into a time budget: a pure plan from measured speeds, made before anything is done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.progress import duration

SIZES = (224, 160, 128)
MIN_EPOCHS = 4
MAX_EPOCHS = 15
VIEWS = 2
# Planning for less than the whole budget leaves room for a machine that slows down on the way.
SAFETY = 0.85
TRAINING_SHARE, VALIDATION_SHARE = 0.64, 0.16


@dataclass(frozen=True)
class Speed:
    """Images a second of one backbone at one size on this machine: forward only, and a training step."""

    forward: float
    training: float


@dataclass(frozen=True)
class Stage:
    name: str
    seconds: float
    what: str


@dataclass(frozen=True)
class AutoPlan:
    """What `auto` will do; `epochs` 0 means that only the probe fits."""

    size: int
    models: tuple[str, ...]
    epochs: int
    stages: tuple[Stage, ...]
    decisions: tuple[Decision[object], ...]

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    def lines(self, budget_s: float) -> list[str]:
        rows = [f"  {stage.name:<10} {duration(stage.seconds):>12}  {stage.what}" for stage in self.stages]
        total = f"  {'total':<10} {duration(self.seconds):>12}  of a budget of {duration(budget_s)}"
        return ["Plan, from speeds measured on this machine just now:", *rows, total]


def parse_budget(text: str) -> float:
    """Seconds from `90s`, `15m`, `2h` or a plain number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise DessinError(
            f'"{text}" is not a budget of time.',
            allowed="A budget is written 90s, 15m or 2h, and is above zero.",
        )
    return seconds


def plan_auto(
    images: int,
    models: Sequence[str],
    speeds: Mapping[tuple[str, int], Speed],
    *,
    decoding: float,
    budget_s: float,
) -> AutoPlan:
    """The largest picture size at which every candidate can be scouted and fine-tuned for some epochs.

    Args:
        images: how many images the collection has.
        speeds: (backbone, size) → speed, for every size of `SIZES` that may be chosen.
        decoding: images a second that are decoded and measured.

    Raises:
        DessinError: not even a probe of the first candidate at the smallest size fits.
    """
    fixed = _fixed(images, decoding)
    sizes = sorted({size for _, size in speeds}, reverse=True)
    for size in sizes:
        epochs = affordable_epochs(images, models, speeds, size, decoding=decoding, budget_s=budget_s)
        if epochs >= MIN_EPOCHS:
            scouting = _scouting(images, models, speeds, size)
            reason = f"the largest of {list(SIZES)} at which {MIN_EPOCHS} or more epochs of any candidate fit"
            slowest = _slowest_epoch(images, models, speeds, size)
            return _plan(size, tuple(models), epochs, fixed, scouting, slowest, reason)
    return _smallest(images, models, speeds, fixed, SAFETY * budget_s, min(sizes))


def affordable_epochs(
    images: int,
    models: Sequence[str],
    speeds: Mapping[tuple[str, int], Speed],
    size: int,
    *,
    decoding: float,
    budget_s: float,
) -> int:
    """How many epochs of the slowest candidate fit at this size, after everything else; 0 if none."""
    other = sum(stage.seconds for stage in _fixed(images, decoding))
    other += _scouting(images, models, speeds, size).seconds
    return epochs_that_fit(SAFETY * budget_s - other, _slowest_epoch(images, models, speeds, size))


def epoch_seconds(images: int, speed: Speed) -> float:
    """Seconds for one epoch on one fold's training part, its validation included."""
    return images * (TRAINING_SHARE / speed.training + VALIDATION_SHARE / speed.forward)


def epochs_that_fit(left_s: float, epoch_s: float) -> int:
    """How many epochs fit into what is left, from none to `MAX_EPOCHS`."""
    return max(0, min(MAX_EPOCHS, int(left_s / epoch_s)))


def _smallest(
    images: int,
    models: Sequence[str],
    speeds: Mapping[tuple[str, int], Speed],
    fixed: tuple[Stage, ...],
    usable: float,
    size: int,
) -> AutoPlan:
    """All candidates at the smallest size if they can be scouted, else the first one alone."""
    need = 0.0
    for chosen in (tuple(models), tuple(models[:1])):
        scouting = _scouting(images, chosen, speeds, size)
        slowest = _slowest_epoch(images, chosen, speeds, size)
        need = sum(stage.seconds for stage in fixed) + scouting.seconds
        if need <= usable:
            epochs = epochs_that_fit(usable - need, slowest)
            reason = f"the smallest size: {MIN_EPOCHS} epochs at a larger one do not fit the budget"
            return _plan(size, chosen, epochs, fixed, scouting, slowest, reason)
    raise DessinError(
        f"{images} images cannot be read and probed in this budget: the shortest plan is {duration(need)}.",
        allowed=f"A budget of at least {duration(need / SAFETY)} is needed.",
        do="Give a larger --budget.",
    )


def _slowest_epoch(
    images: int, models: Sequence[str], speeds: Mapping[tuple[str, int], Speed], size: int
) -> float:
    return max(epoch_seconds(images, speeds[name, size]) for name in models)


def _fixed(images: int, decoding: float) -> tuple[Stage, ...]:
    return (
        Stage("audit", 4 + images / decoding, f"decode and compare {images} images"),
        Stage("report", 10 + 0.3 * images / decoding, "evaluate, open the holdout once, write the report"),
    )


def _scouting(
    images: int, models: Sequence[str], speeds: Mapping[tuple[str, int], Speed], size: int
) -> Stage:
    forward = sum(VIEWS * images / speeds[name, size].forward for name in models)
    probing = len(models) * (2 + images / 100)
    return Stage(
        "scout", forward + probing, f"{', '.join(models)} at {size} px: features, probe on every fold"
    )


def _plan(
    size: int,
    models: tuple[str, ...],
    epochs: int,
    fixed: tuple[Stage, ...],
    scouting: Stage,
    epoch_s: float,
    reason: str,
) -> AutoPlan:
    audit, report = fixed
    what = f"up to {epochs} epochs from the probe's start" if epochs else "nothing: only the probe fits"
    training = Stage("train", epochs * epoch_s, what)
    decisions = (
        Decision("image size", size, reason),
        Decision("candidates", ", ".join(models), "fit the budget"),
    )
    return AutoPlan(size, models, epochs, (audit, scouting, training, report), decisions)
