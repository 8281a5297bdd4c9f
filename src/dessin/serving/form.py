"""A submission as a form: its columns and rows, what goes into them, and whether it was filled in well."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError, listing
from dessin.files import csv_text
from dessin.page.numbers import counted
from dessin.serving.wanted import Wanted

Floats = NDArray[np.float64]
# Cells have nine significant digits, so that even 1,000 classes add up to 1 within this.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Form:
    """A submission to fill in: N rows of cells, of which those of the columns `wanted` are answers.

    `image_ids` (N,) are the test images of the rows, `identifiers` (N,) what the contest calls them. `source`
    is the sample submission that it follows, None without one.
    """

    source: Path | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    image_ids: tuple[str, ...]
    identifiers: tuple[str, ...]
    wanted: Mapping[int, Wanted]
    separator: str = ","

    def line(self) -> str:
        """What it is, for people."""
        if self.source is None:
            start = f"no sample submission; by default the columns are {', '.join(self.columns)}"
        else:
            start = f"the submission follows {self.source.name}: {listing(self.columns, limit=6)}"
        meant: dict[str, list[str]] = {}
        for column, wanted in self.wanted.items():
            meant.setdefault(wanted.words, []).append(self.columns[column])
        holds = [
            f"{names[0]} holds {words}" if len(names) == 1 else f"{len(names):,} columns hold {words}"
            for words, names in meant.items()
        ]
        return f"{start}; {', '.join(holds)}"


def fill(form: Form, answers: Mapping[str, Floats], labels: Sequence[str]) -> str:
    """The submission as text: each row's answers in the columns that want them."""
    place = {label: column for column, label in enumerate(labels)}

    def cell(column: int, sample: str, answer: Floats) -> str:
        wanted = form.wanted.get(column)
        if wanted is None:
            return sample
        if wanted.probability_of:
            return f"{answer[place[wanted.probability_of]]:.9g}"
        return wanted.texts[labels[int(answer.argmax())]]

    rows = (
        [cell(column, sample, answers[image_id]) for column, sample in enumerate(row)]
        for row, image_id in zip(form.rows, form.image_ids, strict=True)
    )
    return csv_text(form.columns, rows, separator=form.separator)


def check_submission(text: str, form: Form) -> None:
    """Raise `DessinError` unless the text, read again, has the form's rows, with possible answers."""
    columns, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=form.separator, strict=True)
    if tuple(columns) != form.columns:
        raise DessinError(f"The submission has the columns {listing(columns)}, not {listing(form.columns)}.")
    if len(rows) != len(form.rows):
        raise DessinError(
            f"The submission has {counted(len(rows), 'row')} for {counted(len(form.rows), 'test image')}."
        )
    for place, (row, sample) in enumerate(zip(rows, form.rows, strict=True), 1):
        _check_row(place, row, sample, form)


def _check_row(place: int, row: Sequence[str], sample: Sequence[str], form: Form) -> None:
    shares = []
    for column, (name, answer, cell) in enumerate(zip(form.columns, row, sample, strict=True)):
        wanted = form.wanted.get(column)
        if wanted is None and answer != cell:
            raise DessinError(
                f"Row {place} of the submission has {answer} as {name}, and the contest has {cell} there."
            )
        if wanted and wanted.probability_of:
            shares.append(float(answer))
        elif wanted and answer not in wanted.texts.values():
            raise DessinError(
                f"Row {place} of the submission answers {answer}, which is no class.",
                allowed=f"Answers are {wanted.words}.",
            )
    whole = len(shares) > 1
    if not all(0 <= share <= 1 for share in shares) or (whole and abs(sum(shares) - 1) > _ROUNDING):
        raise DessinError(
            f"Row {place} of the submission has probabilities from {min(shares):g} to {max(shares):g} that "
            f"add up to {sum(shares):g}."
        )
