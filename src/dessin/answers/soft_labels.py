"""Soft labels: what somebody says of images, probabilities by the names of images and classes, and its files.

The one reader of such files: predictions are soft labels with the true ones beside them.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError, quoted
from dessin.files import atomic_path, digest_of, sha256_bytes, write_bytes, write_csv
from dessin.reading import read_csv
from dessin.reading_arrays import read_npy

Floats = NDArray[np.float32]

# Probabilities are written in float32; over thousands of classes their sum is a little off.
_TOLERANCE = 1e-3


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

    def table(self, image_ids: Sequence[str], classes: Sequence[str]) -> Floats:
        """The probabilities (n, c) of some images and classes, each in the order given: joined by name."""
        rows = places_of(self.image_ids, image_ids, "image")
        columns = places_of(self.classes, classes, "class")
        return self.probabilities[np.ix_(rows, columns)]


def places_of(names: Sequence[str], wanted: Sequence[str], what: str) -> list[int]:
    """Where those wanted are among `names`, images or classes that something is said of."""
    place = {name: number for number, name in enumerate(names)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise DessinError(
            f"The predictions say nothing of the {what} {quoted(missing[0])} ({len(missing):,} such in all).",
            do="Join predictions of the same images and classes.",
        )
    return [place[name] for name in wanted]


def write_named(labels: SoftLabels, folder: Path) -> None:
    """Write `probabilities.npy` with the names of its rows and columns into a folder."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(labels.probabilities, dtype=np.float32), allow_pickle=False)
    write_bytes(folder / "probabilities.npy", buffer.getvalue())
    write_csv(folder / "image_ids.csv", ["image_id"], ([name] for name in labels.image_ids))
    write_csv(folder / "classes.csv", ["label"], ([name] for name in labels.classes))


def write_soft_labels(labels: SoftLabels, folder: Path) -> None:
    """Write a new folder that `read_soft_labels` reads; it appears whole or not at all."""
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_named(labels, temporary)


def read_named(folder: Path, *, do: str) -> SoftLabels:
    """What `write_named` wrote; `do` says what to do where that is not in order.

    Raises:
        DessinError: a missing file, something else than numbers, names twice, or another shape than theirs.
    """
    image_ids = tuple(row["image_id"] for row in read_csv(folder / "image_ids.csv", ["image_id"])[1])
    classes = tuple(row["label"] for row in read_csv(folder / "classes.csv", ["label"])[1])
    path = folder / "probabilities.npy"
    try:
        table = read_npy(path)
    except DessinError as error:
        raise DessinError(error.seen, do=do) from None
    shape = (len(image_ids), len(classes))
    if table.shape != shape or table.dtype.kind != "f":
        raise DessinError(
            f"The files in {folder} do not belong together: probabilities.npy holds {table.dtype} of the "
            f"shape {table.shape}.",
            allowed=f"Floating-point numbers of the shape {shape}, as image_ids.csv and classes.csv say.",
            do=do,
        )
    for names, what in ((image_ids, "image"), (classes, "class")):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DessinError(f"The files in {folder} name the {what} {quoted(twice[0])} twice.", do=do)
    return SoftLabels(image_ids, classes, table)


def read_soft_labels(folder: Path) -> SoftLabels:
    """Soft labels from a folder of them, or of predictions.

    Raises:
        DessinError: as `read_named`, or rows that are no distributions.
    """
    labels = read_named(folder, do="Make them anew.")
    image_ids, table = labels.image_ids, labels.probabilities
    with np.errstate(invalid="ignore"):
        wrong = ~np.isfinite(table).all(axis=1) | (table < 0).any(axis=1)
        wrong |= ~(np.abs(table.sum(axis=1, dtype=np.float64) - 1.0) <= _TOLERANCE)
    if wrong.any():
        first = int(wrong.argmax())
        total = float(table[first].sum(dtype=np.float64))
        raise DessinError(
            f"The soft labels in {folder} are no distribution for {int(wrong.sum()):,} of {len(wrong):,} "
            f"images: that of {quoted(image_ids[first])} sums to {total:g}.",
            allowed="Each row has numbers from 0 to 1 that sum to 1.",
            do="Make them anew.",
        )
    return SoftLabels(image_ids, labels.classes, table.astype(np.float32, copy=False))
