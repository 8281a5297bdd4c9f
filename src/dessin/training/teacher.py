"""Soft labels of a teacher: a distribution over the classes for each image, tempered and mixed with labels.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), with a temperature for the
teacher alone: for cross entropy, the loss of a mixture of targets is the mixture of their losses.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import atomic_path, digest_of, read_csv, sha256_bytes, write_bytes, write_csv
from dessin.recipe import TeacherSpec
from dessin.statistics.temperature import tempered

Floats = NDArray[np.float32]

# Probabilities are written in float32; over thousands of classes their sum is a little off.
_TOLERANCE = 1e-3
_NAMED = 3


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """Probabilities (N, C) float32 of images by name, columns by class."""

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: Floats

    @property
    def digest(self) -> str:
        """The sha256 of ids, classes and probabilities, whatever the order of rows and columns."""
        rows = sorted(range(len(self.image_ids)), key=self.image_ids.__getitem__)
        columns = sorted(range(len(self.classes)), key=self.classes.__getitem__)
        table = np.ascontiguousarray(self.probabilities[np.ix_(rows, columns)], dtype="<f4")
        return digest_of([sorted(self.image_ids), sorted(self.classes), sha256_bytes(table.tobytes())])


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a teacher says of a run's training images, (n, C) float32 in their order; the files' digest."""

    probabilities: Floats
    digest: str
    decision: Decision[str]


def write_soft_labels(labels: SoftLabels, folder: Path) -> None:
    """Write a new folder that `read_soft_labels` reads; it appears whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(labels.probabilities, dtype=np.float32), allow_pickle=False)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_bytes(temporary / "probabilities.npy", buffer.getvalue())
        write_csv(temporary / "image_ids.csv", ["image_id"], ([name] for name in labels.image_ids))
        write_csv(temporary / "classes.csv", ["label"], ([name] for name in labels.classes))


def read_soft_labels(folder: Path) -> SoftLabels:
    """Soft labels from `probabilities.npy`, `image_ids.csv` and `classes.csv`; predictions have them too.

    Raises:
        DessinError: a missing file, names twice, or rows that are no distributions.
    """
    image_ids = tuple(row["image_id"] for row in read_csv(folder / "image_ids.csv", ["image_id"])[1])
    classes = tuple(row["label"] for row in read_csv(folder / "classes.csv", ["label"])[1])
    table = _read_table(folder / "probabilities.npy", (len(image_ids), len(classes)))
    for names, what in ((image_ids, "image"), (classes, "class")):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DessinError(
                f"The soft labels in {folder} name the {what} {twice[0]} twice.", do="Make them anew."
            )
    with np.errstate(invalid="ignore"):
        wrong = ~np.isfinite(table).all(axis=1) | (table < 0).any(axis=1)
        wrong |= ~(np.abs(table.sum(axis=1, dtype=np.float64) - 1.0) <= _TOLERANCE)
    if wrong.any():
        first = int(wrong.argmax())
        raise DessinError(
            f"The soft labels in {folder} are no distribution for {int(wrong.sum()):,} of {len(wrong):,} "
            f"images: that of {image_ids[first]} sums to {float(table[first].sum(dtype=np.float64)):g}.",
            allowed="Each row has numbers from 0 to 1 that sum to 1.",
            do="Make them anew.",
        )
    return SoftLabels(image_ids, classes, table.astype(np.float32, copy=False))


def _read_table(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    try:
        table: NDArray[Any] = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DessinError(f"There is no file {path}.", do="Name a folder of predictions.") from None
    except (ValueError, OSError, EOFError):
        raise DessinError(f"{path} is not a plain array of numbers.", do="Make it anew.") from None
    if table.shape != shape or table.dtype.kind != "f":
        raise DessinError(
            f"{path} holds {table.dtype} of the shape {table.shape}.",
            allowed=f"Floating-point numbers of the shape {shape}, as image_ids.csv and classes.csv say.",
            do="Make it anew.",
        )
    return table


def read_teacher(spec: TeacherSpec, image_ids: Sequence[str], classes: Sequence[str]) -> Teacher | None:
    """The teacher that a recipe names, joined to the training images by id and to the classes by name.

    Raises:
        DessinError: as `read_soft_labels`, other classes, or a training image that it says nothing of.
    """
    if spec.labels is None:
        return None
    labels = read_soft_labels(Path(spec.labels))
    if set(labels.classes) != set(classes):
        strange = sorted(set(labels.classes) ^ set(classes))
        raise DessinError(
            f"The soft labels in {spec.labels} have {len(labels.classes)} classes and the split has "
            f"{len(classes)}; they differ in {strange[0]}.",
            do="Use a teacher of the same classes.",
        )
    row_of = {image_id: row for row, image_id in enumerate(labels.image_ids)}
    missing = [image_id for image_id in image_ids if image_id not in row_of]
    if missing:
        more = " …" if len(missing) > _NAMED else ""
        raise DessinError(
            f"The soft labels in {spec.labels} say nothing of {len(missing):,} of {len(image_ids):,} "
            f"training images: {', '.join(missing[:_NAMED])}{more}.",
            do="Let the teacher answer every training image of this fold.",
        )
    column_of = {label: column for column, label in enumerate(labels.classes)}
    rows, columns = [row_of[name] for name in image_ids], [column_of[label] for label in classes]
    digest = labels.digest
    decision = Decision(
        "teacher",
        f"{spec.weight:g} of each target",
        f"soft labels in {spec.labels}, at temperature {spec.temperature:g}; the rest is the label; sha256 "
        f"{digest[:12]}…",
    )
    return Teacher(labels.probabilities[np.ix_(rows, columns)], digest, decision)


def teacher_targets(probabilities: Floats, labels: NDArray[np.int64], spec: TeacherSpec) -> Floats:
    """Targets (n, C) float32: `weight` of the tempered probabilities (n, C), the rest one-hot labels (n,)."""
    targets = spec.weight * tempered(probabilities, spec.temperature)
    targets[np.arange(len(labels)), labels] += 1.0 - spec.weight
    return targets.astype(np.float32)
