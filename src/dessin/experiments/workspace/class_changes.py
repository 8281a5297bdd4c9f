"""Which classes one run names better or worse than another, and whether chance alone would do that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.statistics.paired_tests import holm, mcnemar

_SHOWN = 8
_ALPHA = 0.05


@dataclass(frozen=True)
class ClassChange:
    """A class of `n` images: how many each run named right; `p_holm` is McNemar's over all classes."""

    label: str
    n: int
    base: int
    level: int
    p_holm: float

    @property
    def change(self) -> int:
        return self.level - self.base


@dataclass(frozen=True)
class ClassChanges:
    """The classes that gained and lost most, how many changed at all, and those beyond chance."""

    gained: tuple[ClassChange, ...]
    lost: tuple[ClassChange, ...]
    classes: int
    better: int
    worse: int
    beyond_chance: tuple[str, ...]


def class_changes(base: NDArray[np.bool_], level: NDArray[np.bool_], labels: Sequence[str]) -> ClassChanges:
    """What changed from `base` to `level`, right or wrong (N,) bool, class by class."""
    names = np.asarray(labels)
    kept = [(label, names == label) for label in sorted(set(labels))]
    p_values = holm([mcnemar(level[rows], base[rows])[2] for _, rows in kept])
    changes = [
        ClassChange(label, int(rows.sum()), int(base[rows].sum()), int(level[rows].sum()), p)
        for (label, rows), p in zip(kept, p_values, strict=True)
    ]
    better = sorted((c for c in changes if c.change > 0), key=lambda c: (-c.change, c.n, c.label))
    worse = sorted((c for c in changes if c.change < 0), key=lambda c: (c.change, c.n, c.label))
    return ClassChanges(
        gained=tuple(better[:_SHOWN]),
        lost=tuple(worse[:_SHOWN]),
        classes=len(changes),
        better=len(better),
        worse=len(worse),
        beyond_chance=tuple(c.label for c in changes if c.p_holm < _ALPHA),
    )
