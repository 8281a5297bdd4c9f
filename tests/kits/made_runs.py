"""Run folders with known answers, written without training: records, splits and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dessin.answers.predictions import to_predictions, write_predictions
from dessin.collection.split.files import Split, write_split
from dessin.collection.split.plan import make_split
from dessin.recipe import make_recipe
from dessin.runs.record import SPLIT_FILE, Counts, Digests, Hardware, RunRecord, SetName, Status, write_record
from dessin.statistics.metrics import measure

CLASSES = ("crab", "owl", "tree")
STARTED = "2026-11-20T10:00:00+00:00"


def made_split(*, photos: int = 12, of_each: int = 4, seed: int = 0) -> Split:
    """Three classes of `photos` photos with `of_each` drawings; two folds and a holdout."""
    labels, groups = {}, {}
    for label in CLASSES:
        for photo in range(photos):
            for drawing in range(of_each):
                image_id = f"{label}/{photo:02d}-{drawing}.png"
                labels[image_id] = label
                groups[image_id] = f"{label}/{photo:02d}"
    return make_split(labels, groups, folds=2, holdout=0.2, seed=seed)


def made_record(
    name: str = "run",
    *,
    recipe: Mapping[str, object] | None = None,
    seed: int = 0,
    status: Status = "finished",
    split_digest: str = "a" * 64,
    model: str = "",
    started: str = STARTED,
) -> RunRecord:
    values = {"model": {"weights": "none"}, "optimizer": {"lr": 2e-4}} | dict(recipe or {}) | {"seed": seed}
    return RunRecord(
        name=name,
        status=status,
        started=(started,),
        seed=seed,
        recipe=make_recipe(values),
        digests=Digests(manifest="m" * 64, split=split_digest, weights="w" * 64, model=model),
        counts=Counts(classes=3, train=10, validation=10, holdout=5),
        versions={"torch": "2.13.0"},
        hardware=Hardware(system="Linux", cpu="one", cores=2, threads=2, memory_gib=8.0),
        timings={"probe": 3.5, "training": 60.25},
    )


def made_run(
    folder: Path,
    split: Split,
    right: Mapping[str, bool],
    *,
    fold: int = 0,
    seed: int = 0,
    recipe: Mapping[str, object] | None = None,
    model: str = "",
    order: Sequence[int] | None = None,
    set_name: SetName = "validation",
) -> Path:
    """A finished run that names the images right that `right` says; `order` permutes its files' rows."""
    rows = split.validation(fold) if set_name == "validation" else split.held_out()
    rows = tuple(rows[i] for i in order) if order is not None else rows
    probabilities = np.full((len(rows), len(CLASSES)), 0.1, np.float32)
    for i, row in enumerate(rows):
        truth = CLASSES.index(row.label)
        named = truth if right[row.image_id] else (truth + 1) % len(CLASSES)
        probabilities[i, named] = 0.8
    predictions = to_predictions(probabilities, rows, CLASSES)
    groups = [row.group for row in rows]
    metrics = measure(probabilities, predictions.targets, groups, CLASSES)
    record = made_record(
        folder.name,
        recipe=dict(recipe or {}) | {"data": {"fold": fold}},
        seed=seed,
        split_digest=split.digest,
        model=model,
    ).with_results(set_name, metrics)
    if set_name == "holdout":
        record = record.changed(holdout_opened=(STARTED,))
    write_split(split, folder / SPLIT_FILE)
    write_predictions(predictions, folder / set_name)
    write_record(folder, record)
    return folder


def answers(split: Split, accuracy: float, seed: int) -> dict[str, bool]:
    """Which images a made-up model of that accuracy names right."""
    draws = np.random.default_rng(seed).random(len(split.rows))
    return {row.image_id: bool(draw < accuracy) for row, draw in zip(split.rows, draws, strict=True)}
