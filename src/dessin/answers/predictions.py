"""The files of a set of predictions: `predictions.csv` for people, `probabilities.npy` for programs.

Rows are joined by image id, never by position: `image_ids.csv` names the rows of the array, `classes.csv` its
columns. A run keeps one folder for each set of images (`validation/`, `holdout/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.soft_labels import SoftLabels, places_of, read_named, write_named
from dessin.collection.split.files import Assignment
from dessin.errors import DessinError, quoted
from dessin.files import write_csv
from dessin.reading import read_csv
from dessin.statistics.headline import TOP

COLUMNS = ("image_id", "label", "fold", "predicted", "probability", "correct")
HOLDOUT = "holdout"


@dataclass(frozen=True, eq=False)
class Predictions(SoftLabels):
    """Probabilities (N, C) float32 of N images, their true labels, and the fold of each (or `holdout`)."""

    labels: tuple[str, ...]
    folds: tuple[str, ...]

    @property
    def targets(self) -> NDArray[np.int64]:
        """The true class numbers, (N,)."""
        number = {label: i for i, label in enumerate(self.classes)}
        return np.array([number[label] for label in self.labels], dtype=np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image is named right, (N,); of equally probable classes the first counts."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.targets, dtype=np.bool_)

    @property
    def order(self) -> NDArray[np.int64]:
        """Class numbers from the most to the least probable, (N, C); equal ones in class order."""
        return np.argsort(-self.probabilities, axis=1, kind="stable")

    def of(self, image_ids: Sequence[str]) -> Predictions:
        """Those of some images, in the order given."""
        rows = places_of(self.image_ids, image_ids, "image")
        labels, folds = (tuple(names[row] for row in rows) for names in (self.labels, self.folds))
        return Predictions(tuple(image_ids), self.classes, self.probabilities[rows], labels, folds)


def join_out_of_fold(
    parts: Iterable[Predictions], rows: Sequence[Assignment], classes: Sequence[str]
) -> NDArray[np.float32]:
    """Probabilities (N, C) of a split's `rows`, of which each part answers some, joined by name."""
    place = {row.image_id: number for number, row in enumerate(rows)}
    table = np.empty((len(rows), len(classes)), dtype=np.float32)
    answered = np.zeros(len(rows), dtype=np.int64)
    for part in parts:
        if set(part.classes) != set(classes):
            strange = sorted(set(part.classes) ^ set(classes))
            raise DessinError(
                f"Predictions have {len(part.classes)} classes and the split has {len(classes)}; they differ "
                f"in {strange[0]}.",
                do="Join models of the same classes.",
            )
        own = [image_id for image_id in part.image_ids if image_id in place]
        at = [place[image_id] for image_id in own]
        table[at] = part.table(own, classes)
        answered[at] += 1
    if (answered != 1).any():
        wrong = int((answered != 1).argmax())
        raise DessinError(
            f"The image {rows[wrong].image_id} is answered by {answered[wrong]} of the models that are "
            "joined.",
            allowed="Out of fold, each image is answered by the one model that did not see it.",
        )
    return table


def write_predictions(predictions: Predictions, folder: Path) -> None:
    """Write the four files; `predictions.csv` comes last, so where it is, the others are."""
    write_named(predictions, folder)
    top = min(TOP, len(predictions.classes))
    columns = [*COLUMNS, *(f"top{place}" for place in range(2, top + 1))]
    rows: list[list[object]] = []
    for i, (image_id, order) in enumerate(zip(predictions.image_ids, predictions.order, strict=True)):
        named = [predictions.classes[c] for c in order[:top]]
        label, probability = predictions.labels[i], f"{predictions.probabilities[i, order[0]]:.6f}"
        correct = int(named[0] == label)
        rows.append([image_id, label, predictions.folds[i], named[0], probability, correct, *named[1:]])
    write_csv(folder / "predictions.csv", columns, rows)


def read_predictions(folder: Path) -> Predictions:
    """Read what `write_predictions` wrote, in the order of `image_ids.csv`."""
    again = "Evaluate the run again."
    rows = {row["image_id"]: row for row in read_csv(folder / "predictions.csv", COLUMNS)[1]}
    named = read_named(folder, do=again)
    if named.probabilities.dtype != np.float32:
        dtype = named.probabilities.dtype
        raise DessinError(f"The probabilities in {folder} are {dtype}.", allowed="float32.", do=again)
    if set(named.image_ids) != set(rows):
        apart = "image_ids.csv and predictions.csv do not name the same images"
        raise DessinError(f"The predictions in {folder} do not belong together: {apart}.", do=again)
    strange = sorted({row["label"] for row in rows.values()} - set(named.classes))
    if strange:
        apart = f'predictions.csv has the label "{quoted(strange[0])}", which classes.csv has not'
        raise DessinError(f"The predictions in {folder} do not belong together: {apart}.", do=again)
    labels, folds = (tuple(rows[name][key] for name in named.image_ids) for key in ("label", "fold"))
    return Predictions(named.image_ids, named.classes, named.probabilities, labels, folds)


def to_predictions(
    probabilities: NDArray[np.float32], rows: Sequence[Assignment], classes: Sequence[str]
) -> Predictions:
    """Predictions for rows of a split, in their order; the holdout's fold is written `holdout`."""
    return Predictions(
        image_ids=tuple(row.image_id for row in rows),
        labels=tuple(row.label for row in rows),
        folds=tuple(HOLDOUT if row.fold is None else str(row.fold) for row in rows),
        classes=tuple(classes),
        probabilities=probabilities,
    )
