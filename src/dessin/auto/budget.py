"""What fits into a time budget: a pure plan from measured speeds, made before anything is done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dessin.decisions import Decision
from dessin.errors import DessinError, quoted
from dessin.page.numbers import counted
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
class Workload:
    """A collection of so many images on this machine, which decodes `decoding` of them a second.

    `speeds`: (backbone, size) → speed.
    """

    images: int
    decoding: float
    speeds: Mapping[tuple[str, int], Speed]

    @property
    def audit(self) -> Stage:
        return Stage("audit", 4 + self.images / self.decoding, f"decode and compare {self.images} images")

    @property
    def report(self) -> Stage:
        seconds = 10 + 0.3 * self.images / self.decoding
        return Stage("report", seconds, "evaluate, open the holdout once, write the report")

    def scouting(self, models: Sequence[str], size: int) -> Stage:
        forward = sum(VIEWS * self.images / self.speeds[name, size].forward for name in models)
        probing = len(models) * (2 + self.images / 100)
        what = f"{', '.join(models)} at {size} px: features, probe on every fold"
        return Stage("scout", forward + probing, what)

    def around(self, models: Sequence[str], size: int) -> float:
        """Seconds of everything but the training."""
        return self.audit.seconds + self.report.seconds + self.scouting(models, size).seconds

    def epoch(self, model: str, size: int) -> float:
        """Seconds for one epoch on one fold's training part, its validation included."""
        speed = self.speeds[model, size]
        return self.images * (TRAINING_SHARE / speed.training + VALIDATION_SHARE / speed.forward)

    def slowest_epoch(self, models: Sequence[str], size: int) -> float:
        return max(self.epoch(name, size) for name in models)

    def affordable_epochs(self, models: Sequence[str], size: int, budget_s: float) -> int:
        """How many epochs of the slowest candidate fit at this size, after everything else; 0 if none."""
        left = SAFETY * budget_s - self.around(models, size)
        return epochs_that_fit(left, self.slowest_epoch(models, size))


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
        decided = [f"  {decision.line()}" for decision in self.decisions]
        return ["Plan, from speeds measured on this machine just now:", *rows, total, *decided]


def parse_budget(text: str) -> float:
    """Seconds from `90s`, `15m`, `2h` or a plain number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise DessinError(
            f'"{quoted(text)}" is not a budget of time.',
            allowed="A budget is written 90s, 15m or 2h, and is above zero.",
        )
    return seconds


def plan_auto(
    work: Workload,
    models: Sequence[str],
    budget_s: float,
    *,
    sizes: Sequence[int] = SIZES,
    why: Sequence[Decision[object]] = (),
) -> AutoPlan:
    """The largest picture size at which every candidate can be scouted and fine-tuned for some epochs.

    Where none is, all candidates at the smallest size if they can be scouted, else the first one alone.
    `sizes` are those that were allowed, and `why` is how the candidates were chosen.
    """
    offered, sizes = list(sizes), sorted({size for _, size in work.speeds}, reverse=True)
    for size in sizes:
        if work.affordable_epochs(models, size, budget_s) >= MIN_EPOCHS:
            reason = f"the largest of {offered} at which {MIN_EPOCHS} or more epochs of any candidate fit"
            return _plan(work, tuple(models), size, budget_s, reason, why)
    for chosen in (tuple(models), tuple(models[:1])):
        if work.around(chosen, sizes[-1]) <= SAFETY * budget_s:
            reason = f"the smallest size: {MIN_EPOCHS} epochs at a larger one do not fit the budget"
            return _plan(work, chosen, sizes[-1], budget_s, reason, why)
    need = work.around(models[:1], sizes[-1])
    raise DessinError(
        f"{work.images} images cannot be read and probed in this budget: the shortest plan is "
        f"{duration(need)}.",
        allowed=f"A budget of at least {duration(need / SAFETY)} is needed.",
        do="Give a larger --budget.",
    )


def epochs_that_fit(left_s: float, epoch_s: float) -> int:
    """How many epochs fit into what is left, from none to `MAX_EPOCHS`."""
    return max(0, min(MAX_EPOCHS, int(left_s / epoch_s)))


def _plan(
    work: Workload,
    models: tuple[str, ...],
    size: int,
    budget_s: float,
    reason: str,
    why: Sequence[Decision[object]],
) -> AutoPlan:
    epochs = work.affordable_epochs(models, size, budget_s)
    up_to = f"up to {counted(epochs, 'epoch')} from the probe's start"
    what = up_to if epochs else "nothing: only the probe fits"
    training = Stage("train", epochs * work.slowest_epoch(models, size), what)
    return AutoPlan(
        size=size,
        models=models,
        epochs=epochs,
        stages=(work.audit, work.scouting(models, size), training, work.report),
        decisions=(
            Decision("image size", size, reason),
            Decision("candidates", ", ".join(models), "fit the budget"),
            *why,
        ),
    )
