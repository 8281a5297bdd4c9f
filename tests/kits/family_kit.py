"""Six classes in two families, drawn, split and learnt by a tiny network; and run folders made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dessin.answers.predictions import to_predictions, write_predictions
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Split, write_split
from dessin.collection.split.plan import make_split
from dessin.recipe import Recipe, make_recipe
from dessin.runs.record import SPLIT_FILE, Counts, Digests, Hardware, RunRecord, write_record
from dessin.statistics.metrics import measure

FAMILIES = {
    "bars 1": "bars",
    "bars 2": "bars",
    "bars 3": "bars",
    "spots 1": "<b>spots",
    "spots 2": "<b>spots",
    "spots 3": "<b>spots",
}
CLASSES = tuple(FAMILIES)
A_CLASS = 8


def write_families_by_hand(path: Path, family_of: Mapping[str, str] = FAMILIES) -> Path:
    rows = [f"{label},{family}" for label, family in family_of.items()]
    path.write_text("\n".join(["label,family", *rows]) + "\n")
    return path


def make_drawings(folder: Path) -> Path:
    """Bars of three widths and spots of three sizes, 40 x 40, each drawing a little different."""
    for label in CLASSES:
        kind, size = label.split()
        (folder / label).mkdir(parents=True)
        for i in range(A_CLASS):
            random = np.random.default_rng([int(size), i, kind == "bars"])
            page = np.full((40, 40), 255, np.uint8)
            step = 3 + 3 * int(size)
            if kind == "bars":
                for start in range(i % 3, 40, 2 * step):
                    page[:, start : start + step] = 0
            else:
                for y, x in random.integers(0, 40 - step, (12 // int(size), 2)):
                    page[y : y + step, x : x + step] = 0
            noisy = page - random.integers(0, 30, page.shape).astype(np.uint8) * (page > 128)
            Image.fromarray(noisy.astype(np.uint8)).save(folder / label / f"{i}.png")
    return folder


def make_kit_split(data: Path, path: Path) -> Path:
    """Two folds and a holdout of single drawings."""
    manifest = build_manifest(read_collection(data))
    labels = {row.image_id: row.label for row in manifest.rows}
    split = make_split(labels, {i: i for i in labels}, folds=2, holdout=0.25, seed=0)
    write_split(replace(split, manifest_digest=manifest.digest, images=len(labels)), path)
    return path


def kit_recipe(fold: int = 0, **changes: object) -> Recipe:
    """A probe on a network with a hundred thousand random weights at 32 px: done in a moment."""
    values: dict[str, object] = {
        "data": {"fold": fold},
        "image": {"size": 32},
        "model": {"backbone": "test_efficientnet", "weights": "none"},
        "finetune": {"mode": "probe"},
    }
    return make_recipe(values | changes)


@contextmanager
def apart(folder: Path) -> Iterator[Path]:
    """For fixtures that several tests share: a cache of its own, and one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        yield folder


def hand_split(classes: Sequence[str] = CLASSES, *, of_each: int = 12, folds: int = 2) -> Split:
    """A split of images that do not exist, in groups of two."""
    labels = {f"{label}/{i:02d}.png": label for label in classes for i in range(of_each)}
    groups = {image_id: f"{image_id[:-5]}{int(image_id[-5]) // 2}" for image_id in labels}
    return make_split(labels, groups, folds=folds, holdout=0.2, seed=0)


def hand_run(folder: Path, split: Split, answer: Mapping[str, Sequence[float]], *, fold: int = 0) -> Path:
    """A finished run whose probabilities for an image of a label are those that `answer` says."""
    rows = split.validation(fold)
    probabilities = np.array([answer[row.label] for row in rows], dtype=np.float32)
    predictions = to_predictions(probabilities, rows, split.classes)
    metrics = measure(probabilities, predictions.targets, [row.group for row in rows], split.classes)
    record = RunRecord(
        name=folder.name,
        status="finished",
        started=("2026-11-20T10:00:00+00:00",),
        seed=0,
        recipe=make_recipe({"data": {"fold": fold}, "model": {"weights": "none"}, "optimizer": {"lr": 2e-4}}),
        digests=Digests(manifest="a" * 64, split=split.digest, weights="b" * 64),
        counts=Counts(classes=len(split.classes), train=10, validation=len(rows), holdout=5),
        versions={"torch": "2.13.0"},
        hardware=Hardware(system="Linux", cpu="one", cores=2, threads=2, memory_gib=8.0),
    ).with_results("validation", metrics)
    write_split(split, folder / SPLIT_FILE)
    write_predictions(predictions, folder / "validation")
    write_record(folder, record)
    return folder
