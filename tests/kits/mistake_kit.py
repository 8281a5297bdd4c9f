"""Answers made by hand to drawings that need not exist."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dessin.collection.split.files import Assignment
from dessin.trust.mistakes.answered import Answered


def hand_answers(
    labels: tuple[str, ...], targets: NDArray[np.int64], named: NDArray[np.int64], *, of_group: int = 1
) -> Answered:
    """Drawings of `labels[targets]` in groups of `of_group`, each taken for `labels[named]` with 70%."""
    table = np.full((len(targets), len(labels)), 0.3 / max(1, len(labels) - 1))
    table[np.arange(len(targets)), named] = 0.7
    rows = tuple(
        Assignment(f"{labels[c]}/{i:04d}.png", labels[c], f"group {i // of_group}", 0)
        for i, c in enumerate(targets)
    )
    return Answered(rows, labels, table, targets, {label: label for label in labels})
