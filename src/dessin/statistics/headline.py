"""The metrics of every record, table and page: one entry each; a further one is a function and its entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dessin.language import tr, translated
from dessin.page.numbers import Interval, capital, number, plain, share

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOP = 5
# A probability is not taken to be smaller than float32 can tell from 0 beside 1; the loss is at most 16.1.
_SMALLEST = 1e-7


class Counted(Interval, Protocol):
    """A value with its interval, the number of images behind it, and how the interval was found."""

    @property
    def n(self) -> int: ...

    @property
    def method(self) -> str: ...

    @property
    def too_few(self) -> bool: ...


@dataclass(frozen=True)
class Metric:
    """One number that says how good answers are; `METRICS` are those of every record, table and page.

    It is either the mean of `per_image`, which gives a value (N,) for probabilities (N, C) and class numbers
    (N,), or `of_counts`, which gives values (R,) for how often each class was rightly named, was named at
    all, and is there, (R, C) each.

    Attributes:
        name: its key in records and files.
        title: for people; `short` the same within a sentence.
        better: which of two values is the better one.
        bounds: the least and the largest value; what lies within 0..1 is written as a share.
        least_classes: with fewer classes it has one value whatever the answers are, and is not shown.
        note: a clause about it, for below a table.
    """

    name: str
    title: str
    short: str
    per_image: Callable[[Floats, Integers], Floats] | None = None
    of_counts: Callable[[Floats, Floats, Floats], Floats] | None = None
    better: Literal["higher", "lower"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)
    least_classes: int = 2
    note: str = ""

    def written(self, result: Interval) -> str:
        """The value with its interval, for people."""
        return share(result) if self.bounds == (0.0, 1.0) else plain(result)


def rank_of(probabilities: Floats, targets: Integers) -> Integers:
    """The place (from 0) of each image's own class, (N,); of equal ones the earlier class is first."""
    own = probabilities[np.arange(len(targets)), targets][:, None]
    before = np.arange(probabilities.shape[1])[None, :] < targets[:, None]
    rank = (probabilities > own).sum(axis=1) + ((probabilities == own) & before).sum(axis=1)
    return np.asarray(rank, dtype=np.int64)


def _correct(probabilities: Floats, targets: Integers) -> Floats:
    return np.asarray(probabilities.argmax(axis=1) == targets, dtype=np.float64)


def _among_the_first(probabilities: Floats, targets: Integers) -> Floats:
    return np.asarray(rank_of(probabilities, targets) < TOP, dtype=np.float64)


def _log_loss(probabilities: Floats, targets: Integers) -> Floats:
    own = probabilities[np.arange(len(targets)), targets]
    return np.asarray(-np.log(np.clip(own, _SMALLEST, 1.0)), dtype=np.float64)


def _macro_f1(right: Floats, named: Floats, there: Floats) -> Floats:
    """The mean of F1 over the classes that have an image."""
    present = there > 0
    f1 = 2 * right / np.maximum(named + there, 1)
    return np.asarray((f1 * present).sum(axis=1) / present.sum(axis=1), dtype=np.float64)


METRICS: list[Metric] = [
    Metric("accuracy", "Accuracy", "accuracy", per_image=_correct),
    Metric("top5", "Top-5 accuracy", "top-5", per_image=_among_the_first, least_classes=TOP + 1),
    Metric(
        "macro_f1",
        "Macro-F1",
        "macro-F1",
        of_counts=_macro_f1,
        note="Macro-F1 weighs every class alike, however few drawings it has",
    ),
    Metric(
        "loss",
        "Log loss",
        "loss",
        per_image=_log_loss,
        better="lower",
        bounds=(0.0, -math.log(_SMALLEST)),
        note="log loss also counts how sure the answers were",
    ),
]


def metric_notes() -> str:
    """A sentence about the metrics that need one, for below their table."""
    noted = (
        tr("{note}, and less is better", note=translated(metric.note))
        if metric.better == "lower"
        else translated(metric.note)
        for metric in METRICS
        if metric.note
    )
    return f"{capital('; '.join(noted))}."


def metric_lines(where: str, results: Iterable[tuple[Metric, Counted]], classes: int) -> list[str]:
    """The metrics of a set of images as lines for a terminal, two a line; and where groups are too few."""
    shown = [(metric, result) for metric, result in results if classes >= metric.least_classes]
    said = [
        f"{translated(metric.short)} {metric.written(result)}, n = {number(result.n)}"
        for metric, result in shown
    ]
    lines = [f"{where}: {'; '.join(said[start : start + 2])}" for start in range(0, len(said), 2)]
    few = [result.method for metric, result in shown if metric.name == "accuracy" and result.too_few]
    return lines + [f"{where}: {method}" for method in few]
