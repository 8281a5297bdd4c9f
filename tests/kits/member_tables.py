"""Small tables of members' answers, with known properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable


def make_table(probabilities: Any, targets: Any, *, folds: int = 5, names: Sequence[str] = ()) -> MemberTable:
    """A table of given answers (M, N, C); images 2i and 2i + 1 are a group, in one fold."""
    answers = np.asarray(probabilities, dtype=np.float32)
    members, images, classes = answers.shape
    number = np.arange(images)
    return MemberTable(
        names=tuple(names) or tuple(f"member{member:02d}" for member in range(members)),
        probabilities=answers,
        targets=np.asarray(targets, dtype=np.int64),
        groups=np.array([f"photo{image // 2}" for image in number]),
        folds=(number // 2 % folds).astype(np.int64),
        image_ids=tuple(f"{image:04d}.png" for image in number),
        classes=tuple(f"class{label}" for label in range(classes)),
    )


def plausible(members: int, images: int, classes: int, *, seed: int = 0, levels: int = 0) -> MemberTable:
    """Members that err partly alike. With `levels`, probabilities are multiples of 1 / levels: many ties."""
    draw = np.random.default_rng([seed, members, images, classes])
    targets = draw.integers(0, classes, images)
    shared = draw.normal(size=(images, classes))
    shared[np.arange(images), targets] += draw.normal(1.8, 1.2, images)
    noise = draw.uniform(0.4, 1.2, (members, 1, 1)) * draw.normal(size=(members, images, classes))
    logits = (shared + noise) * draw.uniform(0.8, 2.0, (members, 1, 1))
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities = powers / powers.sum(axis=2, keepdims=True)
    if levels:
        probabilities = np.round(probabilities * levels) / levels
    return make_table(probabilities, targets)


def with_members(table: MemberTable, order: Sequence[int], names: Sequence[str] = ()) -> MemberTable:
    """The table of these members, in this order; a member may come twice if `names` tell them apart."""
    chosen = tuple(names) or tuple(table.names[member] for member in order)
    return replace(table, names=chosen, probabilities=table.probabilities[list(order)])


def with_images(table: MemberTable, order: NDArray[np.int64]) -> MemberTable:
    """The same images in another order."""
    return replace(
        table,
        probabilities=table.probabilities[:, order],
        targets=table.targets[order],
        groups=table.groups[order],
        folds=table.folds[order],
        image_ids=tuple(table.image_ids[image] for image in order),
    )


def spoiled(table: MemberTable, rows: NDArray[np.int64]) -> MemberTable:
    """The table with nonsense in some rows: no numbers for probabilities, and other labels."""
    probabilities, targets = table.probabilities.copy(), table.targets.copy()
    probabilities[:, rows] = np.nan
    targets[rows] = (targets[rows] + 1) % len(table.classes)
    return replace(table, probabilities=probabilities, targets=targets)
