"""What a router and experts could give at most: perfect ones, in place of real ones.

A perfect router always knows the family, and the generalist then chooses inside it. A perfect expert names
the class wherever the family is found by the generalist itself (its own sum over the family's classes), and
spoils nothing that is right without it. Real ones give a part of that at best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.families.result import FamilyMap
from dessin.statistics.contrasts import Contrast, two_models
from dessin.statistics.intervals import Estimate, bootstrap_mean

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Families looked at closely; a bootstrap each.
MOST = 8


@dataclass(frozen=True)
class Bound:
    """An accuracy that cannot be had, and what it gains over the generalist on the same images."""

    name: str
    accuracy: Estimate
    gain: Contrast


@dataclass(frozen=True)
class FamilyPotential:
    """One family: its images, the generalist's accuracy on them, and where the errors are.

    `found` images have their family right. Of the `errors`, `inside` are named as another class of the
    family. `gained` images would be right with a perfect expert; `bound` says so with an interval, for the
    families that gain most.
    """

    name: str
    labels: tuple[str, ...]
    images: int
    correct: int
    found: int
    inside: int
    gained: int
    bound: Bound | None

    @property
    def errors(self) -> int:
        return self.images - self.correct


@dataclass(frozen=True)
class Potential:
    """The generalist now, with a perfect router, and with perfect experts.

    `families` come in the order of what a perfect expert gains; `cumulated` is for experts of the first one,
    two, .. of them. `found` is how often the generalist's own sums find the family.
    """

    now: Estimate
    found: Estimate
    router: Bound
    families: tuple[FamilyPotential, ...]
    cumulated: tuple[Bound, ...]


def family_sums(probabilities: NDArray[Any], family: NDArray[np.int64]) -> Floats:
    """The probability of each family, (N, F), for the family number (C,) of each class."""
    sums = np.zeros((len(probabilities), int(family.max()) + 1))
    for column, number in enumerate(family):
        sums[:, number] += probabilities[:, column]
    return sums


def right_in_family(
    probabilities: NDArray[Any], targets: NDArray[np.int64], family: NDArray[np.int64]
) -> Bools:
    """Where the most probable class of the true family is the true class, (N,): a perfect router."""
    outside = family[None, :] != family[targets][:, None]
    inside = np.where(outside, -1.0, probabilities)
    return np.asarray(inside.argmax(axis=1) == targets)


def right_with_experts(correct: Bools, found: Bools, expert: Bools) -> Bools:
    """Where an answer is right once perfect experts answer for the images (N,) of the families with `expert`.

    `found` is where the family is right. What was right stays right.
    """
    return correct | (found & expert)


def potential(
    probabilities: NDArray[Any],
    targets: NDArray[np.int64],
    groups: NDArray[Any],
    families: FamilyMap,
    classes: Sequence[str],
    *,
    seed: int = 0,
) -> Potential:
    """Bounds for out-of-fold probabilities (N, C) of targets (N,); intervals resample groups (N,)."""
    table = np.asarray(probabilities, dtype=np.float64)
    family = families.numbers(classes)
    truth = family[targets]
    predicted = table.argmax(axis=1)
    correct = predicted == targets
    found = family_sums(table, family).argmax(axis=1) == truth

    def bound(name: str, right: Bools) -> Bound:
        accuracy = bootstrap_mean(right, groups, seed=seed)
        return Bound(name, accuracy, two_models(right, correct, groups, seed=seed))

    gained = np.bincount(truth[found & ~correct], minlength=len(families.names))
    ranked = sorted(range(len(families.names)), key=lambda f: (-gained[f], families.names[f]))
    rows = []
    for place, number in enumerate(ranked):
        name, own = families.names[number], truth == number
        close = place < MOST and bool(gained[number])
        rows.append(
            FamilyPotential(
                name=name,
                labels=families.members(name),
                images=int(own.sum()),
                correct=int((own & correct).sum()),
                found=int((own & found).sum()),
                inside=int((own & ~correct & (family[predicted] == number)).sum()),
                gained=int(gained[number]),
                bound=bound(name, right_with_experts(correct, found, own)) if close else None,
            )
        )
    steps = [number for number in ranked[:MOST] if gained[number]]
    cumulated = tuple(
        bound(families.names[number], right_with_experts(correct, found, np.isin(truth, steps[: place + 1])))
        for place, number in enumerate(steps)
    )
    return Potential(
        now=bootstrap_mean(correct, groups, seed=seed),
        found=bootstrap_mean(found, groups, seed=seed),
        router=bound("perfect router", right_in_family(table, targets, family)),
        families=tuple(rows),
        cumulated=cumulated,
    )


def worth_an_expert(found: Potential, most: int = 3) -> tuple[FamilyPotential, ...]:
    """The families, at most `most`, where a perfect expert gains most and its interval excludes 0."""
    sure = [
        row
        for row in found.families
        if row.bound is not None and row.bound.gain.difference.low > 0 and len(row.labels) > 1
    ]
    return tuple(sure[:most])
