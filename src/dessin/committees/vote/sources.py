"""What can vote: a CSV of labels or of probabilities, a folder of predictions, a run; read, and described."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.collection.readers.collection import listing
from dessin.committees.vote.answer_csv import Answers, Floats, as_distribution, read_answers
from dessin.errors import DessinError
from dessin.files import read_csv

ABSTAINS = -1
SETS = ("validation", "holdout")


@dataclass(frozen=True, eq=False)
class Source:
    """The answers of one file or folder on N images.

    `votes` (N,) int64 are columns of `classes`, or `ABSTAINS`; of a CSV of labels these are the labels that
    occur in it. `truth` are true labels where they are known. `written` are the ids as the file spells them,
    `numbers` a submission's ID column.
    """

    name: str
    kind: str
    image_ids: tuple[str, ...]
    written: tuple[str, ...]
    classes: tuple[str, ...]
    votes: NDArray[np.int64]
    probabilities: Floats | None = None
    truth: tuple[str, ...] | None = None
    numbers: tuple[str, ...] = ()

    def line(self) -> str:
        """What it is, for people."""
        count = f"{len(self.image_ids):,} images, {len(self.classes):,} classes"
        quiet = int((self.votes == ABSTAINS).sum())
        abstained = f", no answer on {quiet:,}" if quiet else ""
        other = sum(a != b for a, b in zip(self.image_ids, self.written, strict=True))
        respelt = f"; {other:,} ids are read as a plain path ({self.image_ids[0]})" if other else ""
        return f"{self.name}: {self.kind}, {count}{abstained}{respelt}"


def read_sources(files: Sequence[Path]) -> tuple[Source, ...]:
    """Read each; of runs the validation images, or the holdout where that is all that every run has.

    Raises:
        DessinError: a path that holds no answers, runs without a common set, an image twice in one file.
    """
    missing = [file.as_posix() for file in files if not file.exists()]
    if missing:
        raise DessinError(f"There is no file or folder {listing(missing)}.", do="Check the path.")
    of_runs = {file: _sets(file) for file in files if file.is_dir() and not _is_predictions(file)}
    common = [name for name in SETS if all(name in sets for sets in of_runs.values())]
    if of_runs and not common:
        has = "; ".join(f"{file} has {' and '.join(sets)}" for file, sets in of_runs.items())
        raise DessinError(
            f"The runs have no set of predictions in common: {has}.",
            do="Name the folders of predictions themselves, such as RUN/validation.",
        )
    return tuple(_read(file, common[0] if file in of_runs else "") for file in files)


def _sets(folder: Path) -> tuple[str, ...]:
    found = tuple(name for name in SETS if _is_predictions(folder / name))
    if not found:
        raise DessinError(
            f"{folder} holds no predictions.",
            allowed="A folder holds probabilities.npy, image_ids.csv and classes.csv, or is a run's, with "
            "these in validation/ or holdout/.",
            do="Check the path; an unfinished run has none yet.",
        )
    return found


def _is_predictions(folder: Path) -> bool:
    return (folder / "probabilities.npy").is_file()


def _read(file: Path, set_name: str) -> Source:
    if file.is_dir():
        return _of_folder(file / set_name if set_name else file, file.as_posix(), set_name)
    return _of_csv(file)


def _of_csv(path: Path) -> Source:
    answers = read_answers(path)
    table = answers.probabilities
    votes = _numbered(answers) if table is None else table.argmax(axis=1).astype(np.int64)
    return Source(
        name=path.as_posix(),
        kind=answers.kind,
        image_ids=_spelt(path.as_posix(), answers.images),
        written=answers.images,
        classes=_once(path.as_posix(), answers.classes),
        votes=votes,
        probabilities=table,
        truth=answers.truth,
        numbers=answers.numbers,
    )


def _numbered(answers: Answers) -> NDArray[np.int64]:
    number = {label: i for i, label in enumerate(answers.classes)} | {"": ABSTAINS}
    return np.array([number[label] for label in answers.labels or ()], dtype=np.int64)


def _of_folder(folder: Path, name: str, set_name: str) -> Source:
    image_ids = tuple(row["image_id"] for row in read_csv(folder / "image_ids.csv", ["image_id"])[1])
    classes = tuple(row["label"] for row in read_csv(folder / "classes.csv", ["label"])[1])
    table = _array(folder / "probabilities.npy")
    if table.shape != (len(image_ids), len(classes)):
        raise DessinError(
            f"The predictions in {folder} do not belong together: probabilities.npy is {table.shape}, for "
            f"{len(image_ids):,} ids and {len(classes):,} classes.",
            do="Write them again.",
        )
    probabilities = as_distribution(table, str(folder / "probabilities.npy"))
    return Source(
        name=name,
        kind=f"probabilities{f' of the {set_name} images' if set_name else ''}",
        image_ids=_spelt(name, image_ids),
        written=image_ids,
        classes=_once(name, classes),
        votes=probabilities.argmax(axis=1).astype(np.int64),
        probabilities=probabilities,
        truth=_truth(folder, image_ids),
    )


def _array(path: Path) -> Floats:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise DessinError(f"{path} is not a plain array of numbers.", do="Write it again.") from None
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise DessinError(
            f"{path} holds {array.dtype} of shape {array.shape}.",
            allowed="Probabilities are floating-point numbers, a row an image and a column a class.",
        )
    return array.astype(np.float64)


def _truth(folder: Path, image_ids: tuple[str, ...]) -> tuple[str, ...] | None:
    """The true labels, where there is a `predictions.csv` that has them for every image."""
    path = folder / "predictions.csv"
    if not path.is_file():
        return None
    rows = read_csv(path, ["image_id"])[1]
    labels = {row["image_id"]: row.get("label", "") for row in rows}
    known = tuple(labels.get(image_id, "") for image_id in image_ids)
    return known if all(known) else None


def _spelt(name: str, written: tuple[str, ...]) -> tuple[str, ...]:
    """The ids in one spelling, each once."""
    ids = tuple(map(one_spelling, written))
    if len(set(ids)) < len(ids):
        twice = [image_id for image_id, count in Counter(ids).items() if count > 1]
        raise DessinError(
            f"{name} has {len(twice):,} images more than once: {listing(twice)}.",
            allowed="An image has one answer in a file.",
            do="Remove the rows that are too many.",
        )
    if "" in ids:
        raise DessinError(f"{name} has a row that names no image.", do="Correct the row.")
    return ids


def one_spelling(image_id: str) -> str:
    """`.\\a\\1.png` and `a//1.png` → `a/1.png`, composed (NFC): other ways to write the very same path."""
    text = image_id if image_id.isascii() else unicodedata.normalize("NFC", image_id)
    if "\\" not in text and "./" not in text and "//" not in text:
        return text
    text = text.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return ("/" if text.startswith("/") else "") + "/".join(parts)


def _once(name: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(classes)) < len(classes):
        twice = [label for label, count in Counter(classes).items() if count > 1]
        raise DessinError(f"{name} has the class {listing(twice)} more than once.", do="Correct its classes.")
    return classes
