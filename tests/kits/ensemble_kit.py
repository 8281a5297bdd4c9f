"""Members made by hand: answers with known properties, as finished runs with bundles that are only named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import to_predictions, write_predictions
from dessin.answers.table import MemberTable
from dessin.collection.split.files import Split, write_split
from dessin.collection.split.plan import make_split
from dessin.files import sha256_bytes, write_bytes, write_json
from dessin.models.card import CARD_FILE, WEIGHTS_FILE, BundleCard, BundleImage
from dessin.recipe import make_recipe
from dessin.runs.record import SPLIT_FILE, Counts, Digests, Hardware, RunRecord, Status, write_record
from dessin.statistics.metrics import measure

Answers = NDArray[np.float32]
LABELS = ("<b>owl", "crab", "tree", "whale")


def cast_split(*, folds: int = 3, of_each: int = 40, seed: int = 0) -> Split:
    """Drawings that do not exist, in groups of two, with a holdout."""
    labels = {f"{label}/{i:03d}.png": label for label in LABELS for i in range(of_each)}
    groups = {image_id: f"{image_id[:-7]}{int(image_id[-7:-4]) // 2}" for image_id in labels}
    return make_split(labels, groups, folds=folds, holdout=0.2, seed=seed)


def truth(split: Split) -> NDArray[np.int64]:
    """The class number of each of the split's rows."""
    return np.array([LABELS.index(row.label) for row in split.rows], dtype=np.int64)


def knows(split: Split, labels: Sequence[str]) -> Answers:
    """A member that is sure of the drawings of some labels, and leans to a wrong class on all others."""
    targets = truth(split)
    table = np.full((len(targets), len(LABELS)), 0.2, dtype=np.float32)
    known = np.isin(targets, [LABELS.index(label) for label in labels])
    rows = np.arange(len(targets))
    table[rows, np.where(known, targets, (targets + 1) % len(LABELS))] = 0.4
    table[known] = 0.02
    table[rows[known], targets[known]] = 0.94
    return table


def guesses(split: Split, seed: int, *, skill: float = 0.0) -> Answers:
    """Noise that is sure of itself; `skill` moves it to the truth."""
    draw = np.random.default_rng([seed, len(split.rows)])
    logits = draw.normal(scale=1.5, size=(len(split.rows), len(LABELS)))
    logits[np.arange(len(logits)), truth(split)] += skill
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def cast_run(
    folder: Path,
    split: Split,
    answers: Answers,
    *,
    fold: int = 0,
    seed: int = 0,
    classes: Sequence[str] = (),
    weights: str = "",
    status: Status = "finished",
    recipe: Mapping[str, object] | None = None,
) -> Path:
    """A run whose answers are those of the split's rows; another order of `classes` permutes its columns."""
    at = {row.image_id: i for i, row in enumerate(split.rows)}
    rows = split.validation(fold)
    own = tuple(classes) or split.classes
    picked = answers[[at[row.image_id] for row in rows]][:, [LABELS.index(label) for label in own]]
    predictions = to_predictions(picked, rows, own)
    metrics = measure(picked, predictions.targets, [row.group for row in rows], own)
    model = cast_bundle(folder / "bundle", weights or f"{folder.parent.name}/{folder.name}", own)
    values = {"model": {"weights": "none"}, "optimizer": {"lr": 2e-4}} | dict(recipe or {})
    record = RunRecord(
        name=folder.name,
        status=status,
        started=("2026-11-20T10:00:00+00:00",),
        seed=seed,
        recipe=make_recipe(values | {"seed": seed, "data": {"fold": fold}}),
        digests=Digests(manifest="a" * 64, split=split.digest, weights="b" * 64, model=model),
        counts=Counts(classes=len(own), train=10, validation=len(rows), holdout=5),
        versions={"torch": "2.13.0"},
        hardware=Hardware(system="Linux", cpu="one", cores=2, threads=2, memory_gib=8.0),
    ).with_results("validation", metrics)
    write_split(split, folder / SPLIT_FILE)
    write_predictions(predictions, folder / "validation")
    write_record(folder, record)
    return folder


def cast_bundle(folder: Path, weights: str, classes: Sequence[str]) -> str:
    """A bundle of weights that are a few letters; returns their digest."""
    image = BundleImage(
        size=32,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        interpolation="bicubic",
        fit="squash",
        colour="rgb",
    )
    data = weights.encode()
    card = BundleCard(
        classes=tuple(classes),
        backbone="test_efficientnet",
        image=image,
        digests={"weights": sha256_bytes(data)},
        licence="Apache-2.0",
    )
    folder.mkdir(parents=True)
    write_bytes(folder / WEIGHTS_FILE, data)
    write_json(folder / CARD_FILE, card.model_dump(mode="json"))
    return sha256_bytes(data)


def cast_members(
    folder: Path, split: Split, members: Mapping[str, Answers], *, folds: Sequence[int] = (0, 1, 2)
) -> list[Path]:
    """For each member its runs on some folds, in `folder/NAME/fold-N`; members have seeds of their own."""
    return [
        cast_run(folder / name / f"fold-{fold}", split, answers, fold=fold, seed=seed)
        for seed, (name, answers) in enumerate(members.items())
        for fold in folds
    ]


def cast_table(split: Split, members: Mapping[str, Answers]) -> MemberTable:
    """The table that such runs give."""
    kept = [i for i, row in enumerate(split.rows) if isinstance(row.fold, int)]
    rows = [split.rows[i] for i in kept]
    return MemberTable(
        names=tuple(members),
        probabilities=np.stack([answers[kept] for answers in members.values()]),
        targets=truth(split)[kept],
        groups=np.array([row.group for row in rows]),
        folds=np.array([row.fold for row in rows], dtype=np.int64),
        image_ids=tuple(row.image_id for row in rows),
        classes=LABELS,
    )
