"""What a run's report says, as plain frozen data; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.collection.split.files import Split
from dessin.progress import duration
from dessin.reports.run.pictures import Thumbnails
from dessin.runs.record import RunRecord
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import ClassResult, Confusion, Metrics

_PAIRS = 12
_A_SIDE = 3
_MISTAKES = 24
_METRICS = {"accuracy": "Accuracy", "top5": "Top-5 accuracy", "macro_f1": "Macro-F1", "loss": "Log loss"}


@dataclass(frozen=True)
class Picture:
    """A drawing with the words below it; `note` may be empty."""

    uri: str
    title: str
    note: str = ""


@dataclass(frozen=True)
class PairView:
    """A confusion: drawings of one class that were taken for another, beside real ones of that other."""

    truth: str
    taken_for: str
    count: int
    n: int
    mistaken: tuple[Picture, ...]
    genuine: tuple[Picture, ...]


@dataclass(frozen=True)
class ClassView:
    name: str
    n: int
    recall: Estimate
    confusion: str


@dataclass(frozen=True)
class SetView:
    """The results of a set of `n` images: measure → value with interval, and how intervals were found."""

    name: str
    n: int
    values: Mapping[str, str]
    method: str


def set_views(record: RunRecord) -> tuple[SetView, ...]:
    """The results of every set in the record, in words; the holdout first."""
    views = []
    for name, results in sorted(record.results.items()):
        estimates: dict[str, Estimate] = {key: getattr(results, key) for key in _METRICS}
        texts = {
            title: estimates[key].plain() if key == "loss" else str(estimates[key])
            for key, title in _METRICS.items()
        }
        values = {title: text.partition(", n = ")[0] for title, text in texts.items()}
        accuracy = estimates["accuracy"]
        views.append(SetView(name, accuracy.n, values, accuracy.method))
    return tuple(views)


def class_views(metrics: Metrics, names: Mapping[str, str]) -> tuple[ClassView, ...]:
    """The classes that have images in the set, worst first."""
    rows = [(row, row.recall) for row in metrics.per_class if row.recall is not None]
    ordered = sorted(rows, key=lambda pair: (pair[1].value, -pair[0].n, names[pair[0].label]))
    return tuple(ClassView(names[row.label], row.n, recall, _taken(row, names)) for row, recall in ordered)


def _taken(row: ClassResult, names: Mapping[str, str]) -> str:
    if not row.confused_count:
        return ""
    return f"{row.confused_count} taken for {names[row.confused_with]}"


def pair_views(
    metrics: Metrics, predictions: Predictions, names: Mapping[str, str], thumbnails: Thumbnails
) -> tuple[PairView, ...]:
    """The most frequent confusions with up to three drawings a side, the surest ones first."""
    n_of = {row.label: row.n for row in metrics.per_class}
    found = _Finder(predictions, thumbnails)
    return tuple(
        PairView(
            truth=names[pair.label],
            taken_for=names[pair.predicted],
            count=pair.count,
            n=n_of[pair.label],
            mistaken=found.mistaken(pair),
            genuine=found.genuine(pair.predicted),
        )
        for pair in metrics.confusions[:_PAIRS]
    )


class _Finder:
    """Drawings of a set by their true and their predicted class, the surest first."""

    def __init__(self, predictions: Predictions, thumbnails: Thumbnails) -> None:
        self._predictions, self._thumbnails = predictions, thumbnails
        self._predicted = predictions.order[:, 0]
        self._targets = predictions.targets

    def mistaken(self, pair: Confusion) -> tuple[Picture, ...]:
        classes = self._predictions.classes
        truth, number = classes.index(pair.label), classes.index(pair.predicted)
        return self._pictures((self._targets == truth) & (self._predicted == number), number)

    def genuine(self, label: str) -> tuple[Picture, ...]:
        number = self._predictions.classes.index(label)
        return self._pictures(self._targets == number, number)

    def _pictures(self, wanted: NDArray[np.bool_], number: int) -> tuple[Picture, ...]:
        """The wanted drawings, the most probable ones of class `number` first."""
        rows = np.flatnonzero(wanted)
        sureness = self._predictions.probabilities[rows, number]
        rows = rows[np.argsort(-sureness, kind="stable")][:_A_SIDE]
        ids = [self._predictions.image_ids[row] for row in rows]
        return tuple(Picture(self._thumbnails.uri(image_id), image_id) for image_id in ids)


def confident_mistakes(
    predictions: Predictions, names: Mapping[str, str], thumbnails: Thumbnails
) -> tuple[Picture, ...]:
    """The wrong answers that the model was surest of: its own errors, or the labels'."""
    best = predictions.order[:, 0]
    wrong = np.flatnonzero(best != predictions.targets)
    sureness = predictions.probabilities[wrong, best[wrong]]
    chosen = np.argsort(-sureness, kind="stable")[:_MISTAKES]
    return tuple(
        Picture(
            uri=thumbnails.uri(predictions.image_ids[row]),
            title=names[predictions.labels[row]],
            note=f"taken for {names[predictions.classes[best[row]]]}, {sureness[i]:.0%} sure",
        )
        for i, row in zip(chosen, wrong[chosen], strict=True)
    )


@dataclass(frozen=True)
class PartView:
    """One part of the split; `share` is of all its images."""

    name: str
    images: int
    groups: int
    classes: int
    share: float


def split_parts(split: Split, record: RunRecord) -> tuple[PartView, ...]:
    """Training, validation and holdout of this run, with the groups in each."""
    fold = record.recipe.data.fold
    parts = {
        "training": split.training(None if fold == "none" else fold),
        "validation": () if fold == "none" else split.validation(fold),
        "holdout": split.held_out(),
    }
    total = len(split.rows)
    return tuple(
        PartView(
            name=name,
            images=len(rows),
            groups=len({row.group for row in rows}),
            classes=len({row.label for row in rows}),
            share=len(rows) / total,
        )
        for name, rows in parts.items()
        if rows
    )


def chance_level(predictions: Predictions) -> float:
    """The accuracy of always answering the set's most frequent class."""
    return float(np.bincount(predictions.targets).max() / len(predictions.labels))


def timing_rows(record: RunRecord) -> tuple[tuple[str, str], ...]:
    rows = [(stage, duration(seconds)) for stage, seconds in record.timings.items()]
    rows.append(("total", duration(sum(record.timings.values()))))
    return tuple(rows)


def moment(timestamp: str) -> str:
    """`2026-11-23T20:34:28+00:00` → `2026-11-23 20:34 UTC`."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC" if timestamp else ""
