"""What can vote: a CSV as any tool may write it, a folder of predictions, a run; read, and described."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.soft_labels import read_named
from dessin.collection.readers.collection import listing
from dessin.collection.readers.columns import label_columns
from dessin.collection.readers.table import Table, read_table
from dessin.errors import DessinError
from dessin.files import read_csv
from dessin.page.numbers import counted

Rows = Sequence[Sequence[str]]
Floats = NDArray[np.float64]
ABSTAINS = -1
SETS = ("validation", "holdout")

IMAGE_COLUMNS = (
    *("image_id", "image_path", "path", "file_path", "filepath", "file"),
    *("file_name", "filename", "image", "image_name"),
)
# A row number beside one of those above, as in a contest's submission; a name only where there is none.
NUMBER_COLUMNS = ("id", "index")
PREDICTED_COLUMNS = ("predicted", "prediction", "pred", "predicted_label", "predicted_class")
LABEL_COLUMNS = ("target", "label", "class", "class_name", "class_id", "category")
SUBMISSION = ("ID", "image_path", "target")

# A column of such a name is never a class of its own.
_BESIDE = {
    *("", "unnamed: 0", "fold", "correct", "name", "probability", "confidence", "score", "share", "reason"),
    *(*IMAGE_COLUMNS, *NUMBER_COLUMNS, *PREDICTED_COLUMNS, *LABEL_COLUMNS),
}
_RANKED = re.compile(r"top\d+(_probability)?")
# What rounding to four decimals may add up to over 500 classes, and more.
_ROUNDING = 0.05


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
    """Read a CSV of labels, or one with a column of probabilities for each class.

    The image's column is the one among `IMAGE_COLUMNS` (`id` where there is none of them). The answer is the
    one among `PREDICTED_COLUMNS`, else among `LABEL_COLUMNS`; or all columns that are none of these, where
    they are numbers that add up to 1. Capitals do not matter.
    """
    read = _read_rows(path)
    columns, rows = read.columns, read.rows
    spelt = [column.lower() for column in columns]

    def one_of(names: Sequence[str], what: str) -> int | None:
        """Where the one column among `names` is; None where there is none."""
        found = [i for i, name in enumerate(spelt) if name in names]
        if len(found) > 1:
            both = " and ".join(columns[i] for i in found)
            raise DessinError(
                f"{path}: the columns {both} could each name {what}; its columns are {', '.join(columns)}.",
                do="Leave one of them out, or rename it.",
            )
        return found[0] if found else None

    image = one_of(IMAGE_COLUMNS, "the image")
    if image is None:
        image = one_of(NUMBER_COLUMNS, "the image")
    if image is None:
        raise DessinError(
            f"{path} has no column that names the image; its columns are {', '.join(columns)}.",
            allowed=f"It is one of {', '.join((*IMAGE_COLUMNS, 'id'))}.",
            do="Rename the column.",
        )
    no_class = [i for i, name in enumerate(spelt) if name in _BESIDE or _RANKED.fullmatch(name)]
    rest = sorted(set(range(len(columns))) - {image, *no_class})
    predicted = one_of(PREDICTED_COLUMNS, "the class that was predicted")
    # Beside a predicted class, a label is the true one.
    plain = one_of(LABEL_COLUMNS, "the class")
    if plain is None and predicted is None and not _looks_wide(rows, rest, sure=True):
        # A submission has the columns that its contest chose, such as breed.
        others = label_columns([columns[i] for i in rest])
        plain = columns.index(others[0]) if len(others) == 1 else None
    answer = plain if predicted is None else predicted
    written = tuple(row[image].strip() for row in rows)
    wide = _looks_wide(rows, rest, sure=answer is None)
    if answer is None and not wide:
        raise DessinError(
            f"{path} has no column that says the class; its columns are {', '.join(columns)}.",
            allowed=f"It is one of {', '.join((*PREDICTED_COLUMNS, *LABEL_COLUMNS))}; or there is a column "
            "of probabilities for each class.",
            do="Rename the column.",
        )
    truth = tuple(_label(row[plain]) for row in rows) if plain is not None else None
    name = path.as_posix()
    if wide:
        try:
            numbers = np.array([[row[i] for i in rest] for row in rows], dtype=np.str_).astype(np.float64)
        except ValueError as error:
            raise DessinError(
                f"{path}: a probability is not a number: {error}.", do="Correct the field."
            ) from None
        table = _as_distribution(numbers, name)
        kind = f"probabilities, {len(rest):,} columns (images by {columns[image]})"
        return _of_probabilities(name, kind, written, tuple(_label(columns[i]) for i in rest), table, truth)
    assert answer is not None, "a CSV that is not wide has a column of answers"
    labels = _labels(path, rows, answer, spelt)
    classes = in_order(set(labels) - {""})
    number = {label: i for i, label in enumerate(classes)} | {"": ABSTAINS}
    is_submission = columns == SUBMISSION
    return Source(
        name=name,
        kind=f"{'a submission' if is_submission else 'labels'} ({columns[answer]} by {columns[image]})",
        image_ids=_spelt(name, written),
        written=written,
        classes=classes,
        votes=np.array([number[label] for label in labels], dtype=np.int64),
        truth=truth if predicted is not None else None,
        numbers=tuple(row[0] for row in rows) if is_submission else (),
    )


def in_order(labels: Sequence[str] | set[str]) -> tuple[str, ...]:
    """Labels in their order, which no file's order has a say in: numbers by value, then words."""

    def order(label: str) -> tuple[bool, int, str]:
        number = label.isascii() and label.isdigit()
        return (not number, int(label) if number else 0, label)

    return tuple(sorted(labels, key=order))


def _read_rows(path: Path) -> Table:
    table = read_table(path)
    if not table.rows:
        raise DessinError(f"{path} has no rows; its columns are {', '.join(table.columns) or 'none'}.")
    return table


def _looks_wide(rows: Rows, rest: list[int], *, sure: bool) -> bool:
    """Whether the other columns hold a number each; where a label could be meant too, they must add to 1."""
    try:
        first = [float(rows[0][i]) for i in rest]
    except ValueError:
        return False
    return len(rest) > 1 and (sure or abs(sum(first) - 1.0) <= _ROUNDING)


def _as_distribution(table: NDArray[np.float64], where: str) -> Floats:
    """Rows that add up to 1 but for rounding, made to add up to 1."""
    with np.errstate(invalid="ignore", over="ignore"):
        total = table.sum(axis=1)
        wrong = ~((table >= 0).all(axis=1) & (np.abs(total - 1.0) <= _ROUNDING))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DessinError(
            f"{where}: {int(wrong.sum()):,} rows are no probabilities; row {row + 1} goes from "
            f"{table[row].min():g} to {table[row].max():g} and adds up to {total[row]:g}.",
            allowed="The probabilities of an image are from 0 to 1 and add up to 1.",
            do="If these are logits or scores, take their softmax first.",
        )
    return np.asarray(table / total[:, None])


def _labels(path: Path, rows: Rows, answer: int, spelt: list[str]) -> tuple[str, ...]:
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
