"""The verb `auto`: from a folder of drawings to a classifier with a report, inside a budget of time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import yaml

from dessin.audit.result import AuditResult
from dessin.audit.verb import audit, look_at
from dessin.auto.budget import (
    SAFETY,
    epochs_that_fit,
    parse_budget,
)
from dessin.auto.state import Asked, Journey, plan_now
from dessin.collection.curation import (
    Curation,
    describe_curation,
    propose_curation,
    read_curation,
    write_curation,
)
from dessin.collection.issues import default_kinds
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import Collection, describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Split, read_split, write_split
from dessin.collection.split.plan import check_classes, check_possible, describe_split, plan_split
from dessin.decisions import Decision
from dessin.files import write_text
from dessin.folders import going_on, is_finished
from dessin.models.backbones import asked_for, check_backbone
from dessin.models.default_backbones import side_of
from dessin.progress import duration, say, say_once
from dessin.recipe import read_recipe
from dessin.reports.verb import report
from dessin.runs.holdout import settle
from dessin.runs.inputs import read_inputs
from dessin.runs.record import RunRecord, now, read_record
from dessin.runs.run import Order, begin_run, resume_run
from dessin.runs.scout import ScoutRow, rank, read_scout
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

    The plan is made for the time that is given. The holdout is opened once, at the end. Stopped, the same
    command goes on where it was.

    Args:
        data: Class folders, a CSV, or a contest folder.
        out: A new folder for everything, or one that the same command began.
        budget: The time for everything, such as `90s`, `15m` or `2h`; a number is seconds.
        group: What belongs together, such as the drawings of one photo: a regular expression over image ids,
            or a column of the CSV.
        models: The backbones to choose from; by default those of the table of defaults that this machine,
            its weights or the hub, and this time allow (see dessin doctor).
        seed: Of the split and of the training; the same seed gives the same result.

    Raises:
        DessinError: bad data, a budget that is too short, no weights for any backbone, or an `out` that holds
            something else.
    """
    started, seconds = time.monotonic(), parse_budget(budget) if isinstance(budget, str) else budget
    data, folder = Path(data), Path(out)
    asked_models = asked_for(models) or ()
    for name in asked_models:
        check_backbone(name)
    collection = read_collection(data, group=group)
    check_classes(collection)
    # At once, not after the audit.
    labels = {item.image_id: item.label for item in collection.items}
    check_possible(labels, folds=FOLDS, holdout=HOLDOUT, seed=seed)
    with going_on(folder, keeps="What is done so far"):
        say_once(describe_collection(collection))
        asked = Asked(
            manifest=build_manifest(collection).digest,
            group=group,
            models=asked_models,
            seed=seed,
            budget_seconds=seconds,
        )
        journey = Journey(folder, asked, partial(plan_now, collection, data, asked), started=started)
        return _go(journey, collection, data, folder)


def _go(journey: Journey, collection: Collection, data: Path, folder: Path) -> AutoResult:
    """Every stage that is not done yet."""
    audited = _audited(journey, collection, data, folder / "audit")
    curation = _curation(audited, folder / "curation.csv")
    split = _split(audited, curation, collection, folder / "split.csv", journey.state.asked.seed)
    journey.note()
    tried = _scouted(journey, data, folder)
    journey.note()
    run = _train(journey, next(row.backbone for row in tried if row.chosen), len(split.rows), data, folder)
    journey.note()
    settle(run)
    if journey.stage("4/5 evaluate on the holdout", done=is_finished(folder / "holdout")):
        evaluate(run, out=folder / "holdout", holdout=True)
    journey.note()
    path, record = folder / "report.html", read_record(run)
    if journey.stage("5/5 report", done=bool(journey.state.finished)):
        report(run, out=path, audit=audited, scout=tried)
    journey.note(finished=now())
    _close(record, run, path, journey)
    return AutoResult(folder, run, path, audited, curation, split, record, journey.used)


def _audited(journey: Journey, collection: Collection, data: Path, out: Path) -> AuditResult:
    """The audit; one that is there already is not written again."""
    if journey.stage("1/5 audit", done=is_finished(out)):
        return audit(data, out=out, group=journey.state.asked.group)
    return look_at(collection)[1]


def _scouted(journey: Journey, data: Path, folder: Path) -> tuple[ScoutRow, ...]:
    plan, out = journey.state.plan, folder / "scout"
    if journey.stage("2/5 scout", done=is_finished(out)):
        split, seed = folder / "split.csv", journey.state.asked.seed
        sides = {name: side_of(name, plan.size) for name in plan.models}
        rank(read_inputs(data, split, None), sides, out, seed)
    return read_scout(out)


def _curation(audited: AuditResult, file: Path) -> Curation:
    """Only safe drops are proposed, and each is in the file with its reason."""
    if file.is_file():
        return read_curation(file)
    curation = propose_curation(audited.issues, audited.manifest, default_kinds())
    write_curation(curation, file)
    say(describe_curation(curation, audited.manifest))
    return curation


def _split(audited: AuditResult, curation: Curation, collection: Collection, file: Path, seed: int) -> Split:
    if file.is_file():
        return read_split(file)
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
    write_split(split, file)
    say(describe_split(split))
    return split


def _train(journey: Journey, chosen: str, images: int, data: Path, folder: Path) -> Path:
    """The run; one that was begun is gone on with in what is left of the time that it was given."""
    file, run = folder / "recipe.yaml", folder / "run"
    begun = (run / RunRecord.FILE).is_file()
    journey.stage("3/5 train", done=begun and read_record(run).status == "finished")
    if journey.state.training_seconds is None:
        given = max(0.0, journey.left - journey.state.plan.stages[-1].seconds)
        journey.note(training_seconds=given, training_from=journey.used)
    state = journey.state
    allowed = state.training_seconds or 0.0
    if not file.is_file():
        epoch_s, planned = replace(state.work, images=images).epoch(chosen, state.plan.size), SAFETY * allowed
        reason = f"{duration(planned)} are planned for training, {duration(epoch_s)} an epoch"
        epochs = Decision("epochs", epochs_that_fit(planned, epoch_s), reason)
        say(epochs.line())
        values = _recipe_values(
            epochs.value,
            chosen,
            side_of(chosen, state.plan.size),
            data=data,
            folder=folder,
            seed=state.asked.seed,
        )
        # Written down, so that it can be repeated without a clock.
        heading = f"# Made by dessin auto. {epochs.line()}\n# Repeat it: dessin train {file}\n"
        write_text(file, heading + yaml.safe_dump(values, sort_keys=False))
    left = max(0.0, allowed - (journey.used - state.training_from))
    if begun:
        return resume_run(run, data=data, seconds_allowed=left)
    return begin_run(Order(read_recipe(file), out=run, seconds_allowed=left))


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


def _close(record: RunRecord, run: Path, path: Path, journey: Journey) -> None:
    budget = duration(journey.state.asked.budget_seconds)
    say(f"\nDone in {duration(journey.state.seconds)} of {budget}.")
    for name, results in record.results.items():
        say(f"  {name}: accuracy {results.accuracy}")
    say(f"  report: {path}")
    say(f"  use it: dessin predict {shlex.quote(str(run / 'bundle'))} PATH.. --out predictions.csv")
    say(f"  what it gets wrong, and why: dessin mistakes {shlex.quote(str(run))} --out mistakes")
    say(f"  what to trust it with: dessin card {shlex.quote(str(run))} --out card.html")
