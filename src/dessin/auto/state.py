"""`auto.json`: what an auto was asked for, planned and used so far, so that the same command goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from dessin.auto.budget import MIN_EPOCHS, SIZES, AutoPlan, Speed, Workload, plan_auto
from dessin.auto.measure import measure_decoding, measure_speeds
from dessin.collection.readers.collection import Collection
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.folders import claim_folder
from dessin.models.candidates import Job
from dessin.models.default_backbones import ALWAYS, sizes_of
from dessin.models.weights import resolve_weights
from dessin.progress import duration, say
from dessin.results import Result
from dessin.runs.candidates import candidates_here
from dessin.runs.same import check_same
from dessin.schema import Section
from dessin.training.device import choose_device


class MeasuredSpeed(Section):
    """Images a second of a backbone at a size on this machine, when the plan was made."""

    backbone: str
    size: int
    forward: float
    training: float


class Asked(Section):
    """What decides the result of an auto; `manifest` is the digest of the data."""

    manifest: str
    group: str | None
    models: tuple[str, ...]
    seed: int
    budget_seconds: float

    def words(self) -> dict[str, object]:
        """What people asked for; two that are not the same differ here too."""
        return {
            "drawings": self.manifest[:12],
            "group": self.group,
            "models": ", ".join(self.models) or "the usual",
            "seed": self.seed,
            "budget": duration(self.budget_seconds),
        }


class AutoState(Result):
    """What was asked for, the plan, what it was made from, and how far it is.

    `seconds` are those used so far, `training_seconds` those that training may take, and `training_from` the
    seconds used when it began; `finished` is a date.
    """

    FILE = "auto.json"
    WHAT = "the record of an auto"

    kind: Literal["auto"] = "auto"
    data: str
    asked: Asked
    plan: AutoPlan
    images: int
    decoding: float
    speeds: tuple[MeasuredSpeed, ...]
    seconds: float = 0.0
    training_seconds: float | None = None
    training_from: float = 0.0
    finished: str = ""

    @property
    def work(self) -> Workload:
        speeds = {(row.backbone, row.size): Speed(row.forward, row.training) for row in self.speeds}
        return Workload(self.images, self.decoding, speeds)


def plan_now(collection: Collection, data: Path, asked: Asked, left: float) -> AutoState:
    """A new auto with its plan, from speeds that are measured now; `left` seconds, as it begins.

    Raises:
        DessinError: a budget that is too short, or no weights for a backbone.
    """
    started, device = time.monotonic(), choose_device().value
    models, why = asked.models, tuple[Decision[object], ...]()
    if models:
        for name in models:
            resolve_weights(name, "auto")
    else:
        models, why = _candidates(Job(len(collection.items), left, tuned=True))
    work = Workload(len(collection.items), measure_decoding(collection), {})
    sizes = sizes_of(models, device, SIZES)
    for size in sizes:
        # From the largest down: where that fits, the smaller ones need no measuring.
        work = replace(work, speeds={**work.speeds, **measure_speeds(models, size, torch.device(device))})
        still = left - (time.monotonic() - started)
        if work.affordable_epochs(models, size, still) < MIN_EPOCHS and why and size == max(SIZES):
            models, why = _affordable(work, models, still, why)
        if work.affordable_epochs(models, size, still) >= MIN_EPOCHS:
            break
    plan = plan_auto(work, models, still, sizes=sizes, why=why)
    for line in plan.lines(still):
        say(line)
    speeds = (
        MeasuredSpeed(backbone=name, size=size, forward=speed.forward, training=speed.training)
        for (name, size), speed in work.speeds.items()
    )
    return AutoState(
        data=data.as_posix(),
        asked=asked,
        plan=plan,
        images=work.images,
        decoding=work.decoding,
        speeds=tuple(speeds),
    )


def _candidates(job: Job) -> tuple[tuple[str, ...], tuple[Decision[object], ...]]:
    """The backbones that this machine should try, whose weights are here now, and the reasons."""
    plan = candidates_here(job)
    why: list[Decision[object]] = []
    models = []
    for taken in plan.taken:
        try:
            resolve_weights(taken.value, "auto")
        except DessinError as error:
            if taken.value in ALWAYS:
                raise
            why.append(Decision("left out", taken.value, error.seen))
        else:
            models.append(taken.value)
            why += [taken] if taken.value not in ALWAYS else []
    return tuple(models), (*why, *plan.missed)


def _affordable(
    work: Workload, models: tuple[str, ...], budget_s: float, why: tuple[Decision[object], ...]
) -> tuple[tuple[str, ...], tuple[Decision[object], ...]]:
    """Without those beside the usual ones that are too slow at the usual size, the slowest first."""
    size = max(SIZES)
    dropped: dict[str, Decision[object]] = {}
    while set(models) > set(ALWAYS) and work.affordable_epochs(models, size, budget_s) < MIN_EPOCHS:
        rates = {name: work.speeds[name, size].training for name in models if name not in ALWAYS}
        slow, rate = min(rates.items(), key=lambda pair: pair[1])
        reason = f"measured now, it trains {rate:.1f} images/s at {size} px: {MIN_EPOCHS} epochs do not fit"
        models = tuple(name for name in models if name != slow)
        dropped[slow] = Decision("left out", slow, reason)
    return models, tuple(dropped.get(str(decision.value), decision) for decision in why)


class Journey:
    """An auto on its way: its state on disk, and the time used, that of earlier beginnings too."""

    def __init__(
        self, folder: Path, asked: Asked, make: Callable[[float], AutoState], *, started: float
    ) -> None:
        """Begin in a folder that is held, or go on with the same; `make` plans, from the budget that is left.

        Raises:
            DessinError: the folder holds something else, or an auto that was asked for something else.
        """
        self._folder, self._started, self._before = folder, started, 0.0
        found = AutoState.find(folder)
        if found is None:
            claim_folder(folder, what="the result of auto")
            self.state = make(asked.budget_seconds - self.used)
        else:
            check_same(folder, "the result of an auto", found.asked.words(), asked.words())
            self._before = found.seconds + (0.0 if found.finished else _lived(folder))
            self.state = found
            self._say_where(found)
        self.note()

    @property
    def used(self) -> float:
        """Seconds."""
        return self._before + time.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.state.asked.budget_seconds - self.used

    def stage(self, title: str, *, done: bool) -> bool:
        """Say a stage's title; whether it is to be done."""
        if not self.state.finished:
            say(f"\n== {title}{', done already' if done else ''}")
        return not done

    def note(self, **changes: object) -> None:
        """Write down how far it is."""
        if not self.state.finished:
            self.state = self.state.model_copy(update={**changes, "seconds": round(self.used, 3)})
            self.state.write(self._folder)

    def _say_where(self, state: AutoState) -> None:
        if state.finished:
            say(f"{self._folder} is finished already, since {state.finished}.")
        else:
            budget = duration(state.asked.budget_seconds)
            say(f"{self._folder} was begun before and goes on: {duration(self.used)} of {budget} are used.")


def _lived(folder: Path) -> float:
    """Seconds from the last note to the last file that was written after it, which is when it lived still."""
    noted = (folder / AutoState.FILE).stat().st_mtime
    return max(path.lstat().st_mtime for path in folder.rglob("*")) - noted
