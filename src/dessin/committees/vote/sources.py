"""What can vote: a CSV as any tool may write it, a folder of predictions, a run; read, and described."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.soft_labels import read_named
from dessin.collection.readers.columns import whole
from dessin.committees.vote.sheet import ROUNDING, Sheet, read_sheet
from dessin.errors import DessinError, listing, quoted
from dessin.page.numbers import counted
from dessin.reading import read_csv

_SHARE = re.compile(r"0?\.\d+|[01](\.0*)?|\d(\.\d+)?e-\d+")
Floats = NDArray[np.float64]
ABSTAINS = -1
SETS = ("validation", "holdout")


@dataclass(frozen=True, eq=False)
class Source:
    """The answers of one file or folder on N images.

    `votes` (N,) int64 are columns of `classes`, or `ABSTAINS`; of a CSV of labels these are the labels that
    occur in it. `truth` are true labels where they are known. `written` are the ids as the file spells them,
    `sheet` is a submission as it was read.
    """

    name: str
    kind: str
    image_ids: tuple[str, ...]
    written: tuple[str, ...]
    classes: tuple[str, ...]
    votes: NDArray[np.int64]
    probabilities: Floats | None = None
    truth: tuple[str, ...] | None = None
    sheet: Sheet | None = None

    def line(self) -> str:
        """What it is, for people."""
        count = f"{counted(len(self.image_ids), 'image')}, {counted(len(self.classes), 'class', 'classes')}"
        quiet = int((self.votes == ABSTAINS).sum())
        abstained = f", no answer on {quiet:,}" if quiet else ""
        other = sum(a != b for a, b in zip(self.image_ids, self.written, strict=True))
        respelt = f"; {other:,} ids are read as a plain path ({self.image_ids[0]})" if other else ""
        return f"{self.name}: {self.kind}, {count}{abstained}{respelt}"


def read_sources(files: Sequence[Path]) -> tuple[Source, ...]:
    """Read each; of runs the validation images, or the holdout where that is all that every run has."""
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
    return tuple(
        _of_folder(file, common[0] if file in of_runs else "") if file.is_dir() else _of_csv(file)
        for file in files
    )


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


def _of_folder(given: Path, set_name: str) -> Source:
    folder = given / set_name
    named = read_named(folder, do="Write them again.")
    table = named.probabilities
    if not table.size:
        raise DessinError(
            f"{folder / 'probabilities.npy'} holds {table.dtype} of shape {table.shape}.",
            allowed="Probabilities are floating-point numbers, a row an image and a column a class.",
        )
    return _of_probabilities(
        given.as_posix(),
        f"probabilities{f' of the {set_name} images' if set_name else ''}",
        named.image_ids,
        named.classes,
        _as_distribution(table.astype(np.float64), str(folder / "probabilities.npy")),
        _truth(folder, named.image_ids),
    )


def _of_probabilities(
    name: str,
    kind: str,
    written: tuple[str, ...],
    classes: tuple[str, ...],
    table: Floats,
    truth: tuple[str, ...] | None,
) -> Source:
    if len(set(classes)) < len(classes):
        twice = [label for label, count in Counter(classes).items() if count > 1]
        raise DessinError(f"{name} has the class {listing(twice)} more than once.", do="Correct its classes.")
    votes = table.argmax(axis=1).astype(np.int64)
    return Source(name, kind, _spelt(name, written), written, classes, votes, table, truth)


def _truth(folder: Path, image_ids: tuple[str, ...]) -> tuple[str, ...] | None:
    """The true labels, where there is a `predictions.csv` that has them for every image."""
    path = folder / "predictions.csv"
    if not path.is_file():
        return None
    rows = read_csv(path, ["image_id"])[1]
    labels = {row["image_id"]: row.get("label", "") for row in rows}
    known = tuple(labels.get(image_id, "") for image_id in image_ids)
    return known if all(known) else None


def _of_csv(path: Path) -> Source:
    """Read a CSV of labels, or one with a column of probabilities for each class."""
    sheet = read_sheet(path)
    rows, columns, name = sheet.table.rows, sheet.table.columns, path.as_posix()
    written = tuple(row[sheet.image].strip() for row in rows)
    truth = tuple(_label(row[sheet.truth]) for row in rows) if sheet.truth is not None else None
    if sheet.wide:
        try:
            # Not as an array of texts first: one long field makes room for all others of its length.
            numbers = np.array([[float(cell) for cell in row] for row in sheet.probabilities()])
            table = _as_distribution(numbers, name)
        except ValueError as error:
            raise DessinError(
                f"{path}: a probability is not a number: {quoted(str(error))}.", do="Correct the field."
            ) from None
        kind = f"probabilities, {len(sheet.answers):,} columns (images by {columns[sheet.image]})"
        classes = tuple(_label(columns[i]) for i in sheet.answers)
        source = _of_probabilities(name, kind, written, classes, table, truth)
        return replace(source, sheet=sheet if sheet.alone else None)
    answer = sheet.answers[0]
    labels = _labels(path, rows, answer, [column.lower() for column in columns])
    classes = in_order(set(labels) - {""})
    number = {label: i for i, label in enumerate(classes)} | {"": ABSTAINS}
    return Source(
        name=name,
        kind=f"{'a submission' if sheet.alone else 'labels'} ({columns[answer]} by {columns[sheet.image]})",
        image_ids=_spelt(name, written),
        written=written,
        classes=classes,
        votes=np.array([number[label] for label in labels], dtype=np.int64),
        truth=truth,
        sheet=sheet if sheet.alone else None,
    )


def in_order(labels: Sequence[str] | set[str]) -> tuple[str, ...]:
    """Labels in their order, which no file's order has a say in: numbers by value, then words."""

    def order(label: str) -> tuple[bool, int, str]:
        number = whole(label)
        return (number is None, number or 0, label)

    return tuple(sorted(labels, key=order))


def _as_distribution(table: NDArray[np.float64], where: str) -> Floats:
    """Rows that add up to 1 but for rounding, made to add up to 1."""
    with np.errstate(invalid="ignore", over="ignore"):
        total = table.sum(axis=1)
        wrong = ~((table >= 0).all(axis=1) & (np.abs(total - 1.0) <= ROUNDING))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DessinError(
            f"{where}: {int(wrong.sum()):,} rows are no probabilities; row {row + 1} goes from "
            f"{table[row].min():g} to {table[row].max():g} and adds up to {total[row]:g}.",
            allowed="The probabilities of an image are from 0 to 1 and add up to 1.",
            do="If these are logits or scores, take their softmax first.",
        )
    return np.asarray(table / total[:, None])


def _labels(path: Path, rows: Sequence[Sequence[str]], answer: int, spelt: list[str]) -> tuple[str, ...]:
    """The answers; one may be empty only where a `reason` says why."""
    labels = [_label(row[answer]) for row in rows]
    reason = spelt.index("reason") if "reason" in spelt else None
    empty = [i for i, label in enumerate(labels) if not label and (reason is None or not rows[i][reason])]
    if empty:
        raise DessinError(
            f"{path}: {len(empty):,} rows have no {spelt[answer]}; the first is row {empty[0] + 1}.",
            do="Fill them, or say in a column `reason` why they have none.",
        )
    if all(re.fullmatch(r"\d+\.0", label) for label in labels if label):
        # A table program's way to write whole numbers in a column that has an empty field somewhere.
        labels = [label.removesuffix(".0") for label in labels]
    if labels and all(_SHARE.fullmatch(label) for label in labels) and any("." in label for label in labels):
        raise DessinError(
            f"{path}: the column {spelt[answer]} holds shares such as {labels[0]}, not classes.",
            allowed="A vote needs classes, or a column of probabilities for each class.",
            do="Add a column for the other class.",
        )
    return tuple(labels)


def _label(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


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
