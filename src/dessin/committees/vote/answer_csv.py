"""A CSV of answers, as any tool may write it: which column names the image, and which say its class."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.files import read_text

Floats = NDArray[np.float64]

IMAGE_COLUMNS = (
    "image_id",
    "image_path",
    "path",
    "file_path",
    "filepath",
    "file",
    "file_name",
    "filename",
    "image",
    "image_name",
)
# A row number beside one of those above, as in a contest's submission; a name only where there is none.
NUMBER_COLUMNS = ("id", "index")
PREDICTED_COLUMNS = ("predicted", "prediction", "pred", "predicted_label", "predicted_class")
LABEL_COLUMNS = ("target", "label", "class", "class_name", "class_id", "category")
SUBMISSION = ("ID", "image_path", "target")

_BESIDE = ("", "unnamed: 0", "fold", "correct", "name", "probability", "confidence", "score", "share")
_RANKED = re.compile(r"top\d+(_probability)?")
_SEPARATORS = ",;\t"
# What rounding to four decimals may add up to over 500 classes, and more.
_ROUNDING = 0.05


@dataclass(frozen=True, eq=False)
class Answers:
    """The N rows of a CSV: `images` as written, then `labels` ("": abstains) or `probabilities` (N, C).

    `kind` says what was read from which columns. `truth` are the true labels where the file has them;
    `numbers` a submission's ID column, else empty.
    """

    kind: str
    images: tuple[str, ...]
    labels: tuple[str, ...] | None
    probabilities: Floats | None
    classes: tuple[str, ...]
    truth: tuple[str, ...] | None
    numbers: tuple[str, ...]


def read_answers(path: Path) -> Answers:
    """Read a CSV of labels, or one with a column of probabilities for each class.

    The image's column is the one among `IMAGE_COLUMNS` (`id` where there is none of them). The answer is the
    one among `PREDICTED_COLUMNS`, else among `LABEL_COLUMNS`; or all columns that are none of these, where
    they are numbers that add up to 1. Capitals do not matter.

    Raises:
        DessinError: columns that are missing or could be meant in two ways, an empty answer without a
            `reason` beside it, or numbers that are no probabilities.
    """
    columns, rows = _read_rows(path)
    spelt = [column.lower() for column in columns]
    image = _image_column(path, columns, spelt)
    rest = [i for i, name in enumerate(spelt) if i != image and not _is_beside(name)]
    predicted = _one_of(path, columns, spelt, PREDICTED_COLUMNS, "the class that was predicted")
    # Beside a predicted class, a label is the true one.
    plain = _one_of(path, columns, spelt, LABEL_COLUMNS, "the class")
    answer = plain if predicted is None else predicted
    names = tuple(row[image].strip() for row in rows)
    wide = _looks_wide(rows, rest, sure=answer is None)
    if answer is None and not wide:
        raise _no_answer(path, columns)
    truth = tuple(_label(row[plain]) for row in rows) if plain is not None else None
    if wide:
        table = _probabilities(path, rows, rest)
        classes = tuple(_label(columns[i]) for i in rest)
        kind = f"probabilities, {len(rest):,} columns (images by {columns[image]})"
        return Answers(kind, names, None, table, classes, truth, ())
    assert answer is not None, "a CSV that is not wide has a column of answers"
    labels = _labels(path, rows, answer, spelt)
    is_submission = columns == SUBMISSION
    return Answers(
        kind=f"{'a submission' if is_submission else 'labels'} ({columns[answer]} by {columns[image]})",
        images=names,
        labels=labels,
        probabilities=None,
        classes=tuple(sorted(set(labels) - {""}, key=_order)),
        truth=truth if predicted is not None else None,
        numbers=tuple(row[0] for row in rows) if is_submission else (),
    )


def in_order(labels: Sequence[str] | set[str]) -> tuple[str, ...]:
    """Labels in their order, which no file's order has a say in: numbers by value, then words."""
    return tuple(sorted(labels, key=_order))


def _order(label: str) -> tuple[bool, int, str]:
    number = label.isascii() and label.isdigit()
    return (not number, int(label) if number else 0, label)


def _read_rows(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """The header and the rows, all as long as it; commas, semicolons or tabs between the fields."""
    text = read_text(path)
    while text.startswith("#"):
        text = text.partition("\n")[2]
    header = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise DessinError(f"{path}, line {reader.line_num}: {error}.", do="Correct the row.") from None
    columns = tuple(column.strip() for column in rows[0]) if rows else ()
    if len(rows) < 2:
        raise DessinError(f"{path} has no rows; its columns are {', '.join(columns) or 'none'}.")
    short = next((i for i, row in enumerate(rows) if len(row) != len(columns)), None)
    if short is not None:
        raise DessinError(
            f"{path}, row {short} does not have the {len(columns)} fields of the header.",
            do="Correct the row (a separator inside a value needs quotes).",
        )
    return columns, rows[1:]


def _image_column(path: Path, columns: tuple[str, ...], spelt: list[str]) -> int:
    found = _one_of(path, columns, spelt, IMAGE_COLUMNS, "the image")
    if found is None:
        found = _one_of(path, columns, spelt, NUMBER_COLUMNS, "the image")
    if found is None:
        raise DessinError(
            f"{path} has no column that names the image; its columns are {', '.join(columns)}.",
            allowed=f"It is one of {', '.join((*IMAGE_COLUMNS, 'id'))}.",
            do="Rename the column.",
        )
    return found


def _one_of(
    path: Path, columns: tuple[str, ...], spelt: list[str], names: Sequence[str], what: str
) -> int | None:
    """Where the one column among `names` is; None where there is none."""
    found = [i for i, name in enumerate(spelt) if name in names]
    if len(found) > 1:
        both = " and ".join(columns[i] for i in found)
        raise DessinError(
            f"{path}: the columns {both} could each name {what}; its columns are {', '.join(columns)}.",
            do="Leave one of them out, or rename it.",
        )
    return found[0] if found else None


def _is_beside(name: str) -> bool:
    """Whether a column of this name is never a class of its own."""
    known = (*_BESIDE, "reason", *IMAGE_COLUMNS, *NUMBER_COLUMNS, *PREDICTED_COLUMNS, *LABEL_COLUMNS)
    return name in known or _RANKED.fullmatch(name) is not None


def _looks_wide(rows: list[list[str]], rest: list[int], *, sure: bool) -> bool:
    """Whether the other columns hold a number each; where a label could be meant too, they must add to 1."""
    try:
        first = [float(rows[0][i]) for i in rest]
    except ValueError:
        return False
    return len(rest) > 1 and (sure or abs(sum(first) - 1.0) <= _ROUNDING)


def _probabilities(path: Path, rows: list[list[str]], rest: list[int]) -> Floats:
    try:
        table = np.array([[row[i] for i in rest] for row in rows], dtype=np.str_).astype(np.float64)
    except ValueError as error:
        raise DessinError(
            f"{path}: a probability is not a number: {error}.", do="Correct the field."
        ) from None
    return as_distribution(table, str(path))


def as_distribution(table: NDArray[np.float64], where: str) -> Floats:
    """Rows that add up to 1 but for rounding, made to add up to 1.

    Raises:
        DessinError: a row that is negative, not finite, or adds up to something else.
    """
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


def _labels(path: Path, rows: list[list[str]], answer: int, spelt: list[str]) -> tuple[str, ...]:
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


def _no_answer(path: Path, columns: tuple[str, ...]) -> DessinError:
    return DessinError(
        f"{path} has no column that says the class; its columns are {', '.join(columns)}.",
        allowed=f"It is one of {', '.join((*PREDICTED_COLUMNS, *LABEL_COLUMNS))}; or there is a column of "
        "probabilities for each class.",
        do="Rename the column.",
    )
