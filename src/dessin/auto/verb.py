"""The verb `auto`: from a folder of drawings to a classifier with a report, inside a budget of time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import torch
import yaml

from dessin.audit.result import AuditResult
from dessin.audit.verb import audit
from dessin.auto.budget import (
    MIN_EPOCHS,
    SAFETY,
    SIZES,
    AutoPlan,
    Workload,
    epochs_that_fit,
    parse_budget,
    plan_auto,
)
from dessin.auto.measure import measure_decoding, measure_speeds
from dessin.collection.curation import Curation, describe_curation, propose_curation, write_curation
from dessin.collection.issues import default_kinds
from dessin.collection.readers.collection import Collection, describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Split, write_split
from dessin.collection.split.plan import check_classes, describe_split, plan_split
from dessin.decisions import Decision
from dessin.files import write_text
from dessin.folders import claim_folder
from dessin.models.default_backbones import auto_candidates
from dessin.models.weights import resolve_weights
from dessin.ops import names
from dessin.progress import duration, say, say_once
from dessin.recipe import read_recipe
from dessin.reports.verb import report
from dessin.runs.record import RunRecord, read_record
from dessin.runs.run import Order, begin_run
from dessin.runs.scout import scout
from dessin.training.device import choose_device
from dessin.trust.evaluate.verb import evaluate

AUGMENTATION = ("hflip", "rotate(15)", "translate(0.07)", "scale(0.8, 1.2)")
FOLDS, HOLDOUT = 5, 0.2


@dataclass(frozen=True)
class AutoResult:
    """What `auto` made: every file is below `folder`; the bundle to use is `run / "bundle"`."""

    folder: Path
    run: Path
    report: Path
    audit: AuditResult
    curation: Curation
    split: Split
    record: RunRecord
    seconds: float


@dataclass
class _Clock:
    budget_s: float
    started: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        return time.monotonic() - self.started


def auto(
    data: str | Path,
    *,
    out: str | Path,
    budget: str | float = "15m",
    group: str | None = None,
    models: str | Sequence[str] | None = None,
    seed: Annotated[int, "from 0"] = 0,
) -> AutoResult:
    """Go the whole path on your own drawings: audit, curate, split, scout, train, evaluate, report.

    The plan is made for the time that is given. The holdout is opened once, at the end.

    Args:
        data: Class folders, a CSV, or a contest folder.
        out: A new folder for everything.
        budget: The time for everything, such as `90s`, `15m` or `2h`; a number is seconds.
        group: What belongs together, such as the drawings of one photo: a regular expression over image ids,
            or a column of the CSV.
        models: The backbones to choose from; by default those that this machine and this time allow.
        seed: Of the split and of the training; the same seed gives the same result.

    Raises:
        DessinError: bad data, a budget that is too short, or no weights for any backbone.
    """
    clock = _Clock(parse_budget(budget) if isinstance(budget, str) else budget)
    data, folder = Path(data), Path(out)
    collection = read_collection(data, group=group)
    check_classes(collection)
    claim_folder(folder, what="the result of auto")
    say_once(describe_collection(collection))
    device = choose_device().value
    plan, work = _plan(collection, names(models or auto_candidates(device)), torch.device(device), clock)

    say("\n== 1/5 audit")
    audited = audit(data, out=folder / "audit", group=group)
    # Only safe drops are proposed, and each is in the file with its reason.
    curation = propose_curation(audited.issues, audited.manifest, default_kinds())
    write_curation(curation, folder / "curation.csv")
    say(describe_curation(curation, audited.manifest))
    split = _split(audited, curation, collection, folder, seed)

    say("\n== 2/5 scout")
    scouted = scout(
        data, split=folder / "split.csv", models=plan.models, out=folder / "scout", size=plan.size, seed=seed
    )

    say("\n== 3/5 train")
    allowed = clock.budget_s - clock.used - plan.stages[-1].seconds
    epoch_s = replace(work, images=len(split.rows)).epoch(scouted.chosen, plan.size)
    planned = max(0.0, SAFETY * allowed)
    reason = f"{duration(planned)} are planned for training, {duration(epoch_s)} an epoch"
    epochs = Decision("epochs", epochs_that_fit(planned, epoch_s), reason)
    say(epochs.line())
    values = _recipe_values(epochs.value, scouted.chosen, plan.size, data=data, folder=folder, seed=seed)
    # Written down, so that it can be repeated without a clock.
    file = folder / "recipe.yaml"
    heading = f"# Made by dessin auto. {epochs.line()}\n# Repeat it: dessin train {file}\n"
    write_text(file, heading + yaml.safe_dump(values, sort_keys=False))
    run = begin_run(Order(read_recipe(file), out=folder / "run", seconds_allowed=max(allowed, 0.0)))

    say("\n== 4/5 evaluate on the holdout")
    evaluate(run, out=folder / "holdout", holdout=True)

    say("\n== 5/5 report")
    path = folder / "report.html"
    report(run, out=path, audit=audited, scout=scouted.rows)
    record = read_record(run)
    _close(record, run, path, clock)
    return AutoResult(folder, run, path, audited, curation, split, record, clock.used)


def _plan(
    collection: Collection, models: tuple[str, ...], device: torch.device, clock: _Clock
) -> tuple[AutoPlan, Workload]:
    for name in models:
        resolve_weights(name, "auto")
    work = Workload(len(collection.items), measure_decoding(collection), {})
    for size in SIZES:
        # From the largest down: where that fits, the smaller ones need no measuring.
        work = replace(work, speeds={**work.speeds, **measure_speeds(models, size, device)})
        left = clock.budget_s - clock.used
        if work.affordable_epochs(models, size, left) >= MIN_EPOCHS:
            break
    plan = plan_auto(work, models, left)
    for line in plan.lines(left):
        say(line)
    return plan, work


def _split(
    audited: AuditResult, curation: Curation, collection: Collection, folder: Path, seed: int
) -> Split:
    split = plan_split(
        audited.manifest,
        audited.scan,
        audited.pairs,
        folds=FOLDS,
        holdout=HOLDOUT,
        seed=seed,
        curation=curation,
        group_by=collection.group_by,
    )
    write_split(split, folder / "split.csv")
    say(describe_split(split))
    return split


def _recipe_values(
    epochs: int, backbone: str, size: int, *, data: Path, folder: Path, seed: int
) -> dict[str, object]:
    values: dict[str, object] = {
        "data": {
            "path": data.as_posix(),
            "split": (folder / "split.csv").as_posix(),
            "fold": 0,
            "curation": (folder / "curation.csv").as_posix(),
        },
        "image": {"size": size},
        "model": {"backbone": backbone},
        "finetune": {"mode": "probe_then_full" if epochs else "probe"},
        "seed": seed,
    }
    if epochs:
        values["augment"] = list(AUGMENTATION)
        values["loss"] = "label_smoothing(0.1)"
        values["train"] = {"epochs": epochs}
        values["optimizer"] = {"lr": 2e-4, "warmup_epochs": 0.5}
    return values


def _close(record: RunRecord, run: Path, path: Path, clock: _Clock) -> None:
    say(f"\nDone in {duration(clock.used)} of {duration(clock.budget_s)}.")
    for name, results in record.results.items():
        say(f"  {name}: accuracy {results.accuracy}")
    say(f"  report: {path}")
    say(f"  use it: dessin predict {shlex.quote(str(run / 'bundle'))} PATH.. --out predictions.csv")
    say(f"  what it gets wrong, and why: dessin mistakes {shlex.quote(str(run))} --out mistakes")
    say(f"  what to trust it with: dessin card {shlex.quote(str(run))} --out card.html")
