"""The files of a set of predictions: `predictions.csv` for people, `probabilities.npy` for programs.

Rows are joined by image id, never by position: `image_ids.csv` names the rows of the array, `classes.csv` its
columns. A run keeps one folder for each set of images (`validation/`, `holdout/`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.collection.split.files import Assignment
from dessin.errors import DessinError
from dessin.files import read_csv, write_bytes, write_csv
from dessin.statistics.metrics import TOP

COLUMNS = ("image_id", "label", "fold", "predicted", "probability", "correct")
HOLDOUT = "holdout"


@dataclass(frozen=True)
class Predictions:
    """Probabilities (N, C) float32 of N images, their true labels, and the fold of each (or `holdout`)."""

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    folds: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]

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

    def table(self, image_ids: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32]:
        """The probabilities (n, c) of some images and classes, each in the order given: joined by name.

        Raises:
            DessinError: an image or a class that they say nothing of.
        """
        rows = _places(self.image_ids, image_ids, "image")
        columns = _places(self.classes, classes, "class")
        return self.probabilities[np.ix_(rows, columns)]

    def of(self, image_ids: Sequence[str]) -> Predictions:
        """Those of some images, in the order given; raises like `table`."""
        rows = _places(self.image_ids, image_ids, "image")
        labels, folds = (tuple(names[row] for row in rows) for names in (self.labels, self.folds))
        return Predictions(tuple(image_ids), labels, folds, self.classes, self.probabilities[rows])


def _places(names: Sequence[str], wanted: Sequence[str], what: str) -> list[int]:
    place = {name: number for number, name in enumerate(names)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise DessinError(
            f"The predictions say nothing of the {what} {missing[0]} ({len(missing):,} such in all).",
            do="Join predictions of the same images and classes.",
        )
    return [place[name] for name in wanted]


def join_out_of_fold(
    parts: Iterable[Predictions], rows: Sequence[Assignment], classes: Sequence[str]
) -> NDArray[np.float32]:
    """Probabilities (N, C) of a split's `rows`, of which each part answers some, joined by name.

    Raises:
        DessinError: an image of no part or of two, or other classes.
    """
    place = {row.image_id: number for number, row in enumerate(rows)}
    table = np.empty((len(rows), len(classes)), dtype=np.float32)
    answered = np.zeros(len(rows), dtype=np.int64)
    for part in parts:
        if set(part.classes) != set(classes):
            strange = sorted(set(part.classes) ^ set(classes))
            raise DessinError(
                f"Predictions have {len(part.classes)} classes and the split has {len(classes)}; they differ "
                f"in {strange[0]}.",
                do="Evaluate the run again.",
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
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(predictions.probabilities, dtype=np.float32), allow_pickle=False)
    write_bytes(folder / "probabilities.npy", buffer.getvalue())
    write_csv(folder / "image_ids.csv", ["image_id"], ([image_id] for image_id in predictions.image_ids))
    write_csv(folder / "classes.csv", ["label"], ([label] for label in predictions.classes))
    top = min(TOP, len(predictions.classes))
    columns = [*COLUMNS, *(f"top{place}" for place in range(2, top + 1))]
    write_csv(folder / "predictions.csv", columns, _rows(predictions, top))


def _rows(predictions: Predictions, top: int) -> list[list[object]]:
    rows: list[list[object]] = []
    order = predictions.order
    for i, image_id in enumerate(predictions.image_ids):
        named = [predictions.classes[c] for c in order[i, :top]]
        label = predictions.labels[i]
        probability = f"{predictions.probabilities[i, order[i, 0]]:.6f}"
        correct = int(named[0] == label)
        rows.append([image_id, label, predictions.folds[i], named[0], probability, correct, *named[1:]])
    return rows


def read_predictions(folder: Path) -> Predictions:
    """Read what `write_predictions` wrote, in the order of `image_ids.csv`.

    Raises:
        DessinError: a missing file, or files that do not belong together.
    """
    rows = {row["image_id"]: row for row in read_csv(folder / "predictions.csv", COLUMNS)[1]}
    image_ids = tuple(row["image_id"] for row in read_csv(folder / "image_ids.csv", ["image_id"])[1])
    classes = tuple(row["label"] for row in read_csv(folder / "classes.csv", ["label"])[1])
    probabilities = _read_array(folder / "probabilities.npy")
    if probabilities.shape != (len(image_ids), len(classes)):
        raise _mismatch(folder, f"probabilities.npy is {probabilities.shape}, and the names say")
    if len(set(image_ids)) != len(image_ids) or set(image_ids) != set(rows):
        raise _mismatch(folder, "image_ids.csv and predictions.csv do not name the same images once each;")
    strange = sorted({row["label"] for row in rows.values()} - set(classes))
    if strange:
        raise _mismatch(folder, f'predictions.csv has the label "{strange[0]}", which classes.csv has not;')
    labels = tuple(rows[image_id]["label"] for image_id in image_ids)
    folds = tuple(rows[image_id]["fold"] for image_id in image_ids)
    return Predictions(image_ids, labels, folds, classes, probabilities)


def _read_array(path: Path) -> NDArray[np.float32]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DessinError(f"There is no file {path}.", do="Evaluate the run again.") from None
    except (ValueError, OSError, EOFError):
        raise DessinError(f"{path} is not a plain array of numbers.", do="Evaluate the run again.") from None
    if array.dtype != np.float32 or array.ndim != 2:
        raise DessinError(
            f"{path} holds {array.dtype} of {array.ndim} dimensions.", allowed="float32 of 2 dimensions."
        )
    return array


def _mismatch(folder: Path, seen: str) -> DessinError:
    return DessinError(
        f"The predictions in {folder} do not belong together: {seen} rows are images, columns classes.",
        do="Evaluate the run again.",
    )


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
