"""How an auto begins: the backbones it may try, how fast this machine is, whether the time is enough."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from dessin.auto.budget import Costs, Part
from dessin.auto.measure import measure_decoding, measure_flops, measure_speeds
from dessin.auto.portfolio import next_step, table_of
from dessin.auto.situation import Situation
from dessin.auto.state import Asked, AutoState, Measured
from dessin.collection.readers.collection import Collection
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.language import tr
from dessin.models.backbones import candidate
from dessin.models.candidates import Job
from dessin.models.default_backbones import ALWAYS, ROWS
from dessin.models.layers import feature_count
from dessin.models.weights import resolve_weights
from dessin.progress import duration, say
from dessin.runs.candidates import candidates_here, this_machine
from dessin.training.device import choose_device

FOLDS, HOLDOUT = 5, 0.2
# A holdout of fewer says nothing: its interval would reach from bad to good.
LEAST_HELD_IMAGES, LEAST_HELD_GROUPS = 30, 5
# Seconds below which nothing is tuned, and measuring at large sides would cost more than it is worth.
_TUNING_FITS = 200.0
# Allowed sides, the largest first; none: those of the portfolio.
SIDES: tuple[int, ...] = ()


def begin(collection: Collection, data: Path, asked: Asked, left: float) -> AutoState:
    """A new auto with its candidates, from speeds that are measured now; `left` seconds, as it begins.

    Raises:
        DessinError: a budget that is too short, or no weights for a backbone.
    """
    started, device = time.monotonic(), torch.device(choose_device().value)
    models, offered, why = asked.models, tuple[str, ...](), tuple[Decision[object], ...]()
    if models:
        for name in models:
            resolve_weights(*candidate(name))
    else:
        models, offered, why = _candidates(Job(len(collection.items), left, tuned=True))
    side = min(SIDES, default=_measured_side(device.type, left))
    apart = holdout_of(collection, asked.holdout)
    part = expected_part(len(collection.items), len(collection.classes), apart.value)
    costs = Costs(
        part,
        measure_decoding(collection),
        measure_speeds(models, side, device),
        {name: feature_count(name, "several") for name in {candidate(model)[0] for model in models}},
        measure_flops(),
    )
    frozen = tuple(dict.fromkeys((*offered, *_frozen(models))))
    still = left - (time.monotonic() - started) - audit_seconds(costs)
    # Refused at once, where it is too short.
    further = len(collection.test_ids)
    situation = Situation(costs, asked.budget_seconds, still, models, further=further, sides=SIDES)
    next_step(situation, table_of(device.type))
    for decision in why:
        say(f"  {decision.line()}")
    budget = duration(asked.budget_seconds)
    say(tr("Candidates for {budget}: {models}", budget=budget, models=", ".join(models)))
    return AutoState(
        data=data.as_posix(),
        asked=asked,
        candidates=models,
        frozen=frozen,
        decisions=(*why, *([] if apart.value else [apart])),
        images=len(collection.items),
        measured=Measured.of(costs),
    )


def _measured_side(device: str, left: float) -> int:
    """Where speeds are measured: where there is time to tune, at the side that tuning would have.

    A step at a small side has costs of its own, and would make one at a large side look slower than it is.
    """
    table = table_of(device)
    return max(table.tuning_sides) if device == "cpu" and left >= _TUNING_FITS else min(table.probe_sides)


def holdout_of(collection: Collection, asked: float | None = None) -> Decision[float]:
    """The share of the drawings that is set aside; none where that would be too few to say anything."""
    if asked is not None:
        return Decision("holdout", asked, "it was asked so")
    images = len(collection.items)
    groups = len({item.group or item.image_id for item in collection.items})
    if HOLDOUT * images >= LEAST_HELD_IMAGES and HOLDOUT * groups >= LEAST_HELD_GROUPS:
        return Decision("holdout", HOLDOUT, "the usual share")
    held = f"{round(HOLDOUT * images)} drawings of {round(HOLDOUT * groups)} groups"
    reason = f"one of {held} would say little, so all drawings are learnt from and judged by all folds"
    return Decision("holdout", 0.0, reason)


def expected_part(images: int, classes: int, holdout: float) -> Part:
    """What a split will be like, before there is one."""
    held = round(holdout * images)
    return Part(max(1, (images - held) // FOLDS), FOLDS, max(1, images - held), held, classes)


def audit_seconds(costs: Costs) -> float:
    """Of decoding and comparing all images."""
    return 4.0 * costs.pace + costs.all_images / costs.decoding


def _frozen(models: tuple[str, ...]) -> tuple[str, ...]:
    """Those that can be tuned on no such machine: their features alone are used."""
    memory = this_machine().memory_gib
    rows = {name: ROWS.get(candidate(name)[0]) for name in models}
    return tuple(name for name, row in rows.items() if row and row.tuning_gib > 0.9 * memory)


def _candidates(job: Job) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Decision[object], ...]]:
    """The backbones that this machine should try, whose weights are here now; those of them that it cannot
    tune; and the reasons."""
    plan = candidates_here(job)
    why: list[Decision[object]] = []
    models = []
    for found in (*plan.taken, *plan.offered):
        try:
            resolve_weights(*candidate(found.value))
        except DessinError as error:
            if found.value in ALWAYS:
                raise
            why.append(Decision("left out", found.value, error.seen))
        else:
            models.append(found.value)
            why += [Decision(found.name, found.value, found.reason)] if found.value not in ALWAYS else []
    # What beside the usual ones was chosen for this machine is stronger than they are.
    models.sort(key=lambda name: name in ALWAYS)
    missed = (Decision[object](each.name, each.value, each.reason) for each in plan.missed)
    offered = {found.value for found in plan.offered}
    return tuple(models), tuple(name for name in models if name in offered), (*why, *missed)
