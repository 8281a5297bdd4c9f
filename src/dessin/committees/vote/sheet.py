"""A table of answers as any tool writes it: which columns name the image, and which hold the answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.readers.columns import label_columns, path_columns
from dessin.collection.readers.table import Table, read_table
from dessin.errors import DessinError, listing

IMAGE_COLUMNS = (
    *("image_id", "image_path", "path", "file_path", "filepath", "file"),
    *("file_name", "filename", "image", "image_name"),
)
# A row number beside one of those above, as in a contest's submission; a name only where there is none.
NUMBER_COLUMNS = ("id", "index")
PREDICTED_COLUMNS = ("predicted", "prediction", "pred", "predicted_label", "predicted_class")
LABEL_COLUMNS = ("target", "label", "class", "class_name", "class_id", "category")

_NUMBERED = ("", "unnamed: 0", *NUMBER_COLUMNS)
# A column of such a name is never a class of its own.
_BESIDE = {
    *("", "unnamed: 0", "fold", "correct", "name", "probability", "confidence", "score", "share", "reason"),
    *(*IMAGE_COLUMNS, *NUMBER_COLUMNS, *PREDICTED_COLUMNS, *LABEL_COLUMNS),
}
_RANKED = re.compile(r"top\d+(_probability)?")
# What probabilities in a file may add up to, beside 1.
ROUNDING = 0.05


@dataclass(frozen=True)
class Sheet:
    """A table of answers, and the places of its columns.

    `answers` is one column of labels, or for `wide` one of probabilities for each class. `number` are IDs or
    row numbers beside `image`, `truth` true labels. `alone`: nothing else is there, as in a submission.
    """

    table: Table
    image: int
    answers: tuple[int, ...]
    wide: bool
    number: int | None
    truth: int | None
    alone: bool

    def numbers(self) -> tuple[str, ...]:
        """The IDs or row numbers beside the images; () without."""
        return () if self.number is None else self.table.column(self.table.columns[self.number])

    def probabilities(self) -> tuple[tuple[str, ...], ...]:
        """The cells of the answers, a row an image."""
        return tuple(tuple(_decimal(self.table, row[i]) for i in self.answers) for row in self.table.rows)


def read_sheet(path: Path) -> Sheet:
    """A table with its columns told apart by their names; capitals do not matter.

    The image's column is the one among `IMAGE_COLUMNS` (`id` where there is none of them). The answer is the
    one among `PREDICTED_COLUMNS`, else among `LABEL_COLUMNS`, else another that is called like a label; or
    all columns that are none of these, where they are numbers that add up to 1.

    Raises:
        DessinError: no rows, or not one column for the image and one for the answer.
    """
    table = read_table(path)
    columns = table.columns
    if not table.rows:
        raise DessinError(f"{path} has no rows; its columns are {listing(columns) or 'none'}.")
    spelt = [column.lower() for column in columns]
    image = _image_column(table)
    numbers = [i for i, name in enumerate(spelt) if name in _NUMBERED and i != image]
    no_class = [i for i, name in enumerate(spelt) if name in _BESIDE or _RANKED.fullmatch(name)]
    rest = sorted(set(range(len(columns))) - {image, *no_class})
    predicted = _one_of(table, PREDICTED_COLUMNS, "the class that was predicted")
    plain = _one_of(table, LABEL_COLUMNS, "the class")
    if plain is None and predicted is None and not _looks_wide(table, rest, sure=True):
        # A submission has the columns that its contest chose, such as breed.
        others = label_columns([columns[i] for i in rest])
        if len(columns) == 2 and numbers and len(set(table.column(columns[numbers[0]]))) < len(table.rows):
            # Image,Id: what is the same for several images is no number of a row.
            others, numbers = (columns[numbers[0]],), []
        plain = columns.index(others[0]) if len(others) == 1 else None
    # Beside a predicted class, a label is the true one; so it is beside probabilities.
    answer = plain if predicted is None else predicted
    wide = _looks_wide(table, rest, sure=answer is None)
    if answer is None and not wide:
        raise DessinError(
            f"{path} has no column that says the class; its columns are {listing(columns)}.",
            allowed=f"It is one of {', '.join((*PREDICTED_COLUMNS, *LABEL_COLUMNS))}; or there is a column "
            "of probabilities for each class.",
            do="Rename the column.",
        )
    answers = tuple(rest) if wide or answer is None else (answer,)
    return Sheet(
        table=table,
        image=image,
        answers=answers,
        wide=wide,
        number=numbers[0] if numbers else None,
        truth=plain if wide or predicted is not None else None,
        alone={image, *numbers, *answers} == set(range(len(columns))),
    )


def _image_column(table: Table) -> int:
    image = _one_of(table, IMAGE_COLUMNS, "the image")
    if image is None:
        image = _one_of(table, NUMBER_COLUMNS, "the image")
    if image is None and (paths := path_columns(table.columns)):
        image = table.columns.index(paths[0])
    if image is None:
        raise DessinError(
            f"{table.path} has no column that names the image; its columns are {listing(table.columns)}.",
            allowed=f"It is one of {', '.join((*IMAGE_COLUMNS, 'id'))}.",
            do="Rename the column.",
        )
    return image


def _one_of(table: Table, names: Sequence[str], what: str) -> int | None:
    """Where the one column among `names` is; None where there is none."""
    found = [place for place, name in enumerate(table.columns) if name.lower() in names]
    if len(found) > 1:
        both = " and ".join(table.columns[place] for place in found)
        raise DessinError(
            f"{table.path}: the columns {both} could each name {what}; its columns are "
            f"{listing(table.columns)}.",
            do="Leave one of them out, or rename it.",
        )
    return found[0] if found else None


def _looks_wide(table: Table, rest: Sequence[int], *, sure: bool) -> bool:
    """Whether the other columns hold a number each; where a label could be meant too, they must add to 1."""
    try:
        first = [float(_decimal(table, table.rows[0][i])) for i in rest]
    except ValueError:
        return False
    return len(rest) > 1 and (sure or abs(sum(first) - 1.0) <= ROUNDING)


def _decimal(table: Table, cell: str) -> str:
    """A number with its point; where commas part no cells a spreadsheet may have written one for it."""
    return cell if table.delimiter == "," else cell.replace(",", ".")
