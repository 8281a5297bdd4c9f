"""The learning curve: one row an epoch, written anew after each so that it can be watched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.files import write_csv
from dessin.reading import read_csv
from dessin.schema import Section, validated


class CurveRow(Section):
    """One finished epoch (counted from 1): mean losses, accuracy 0..1, last learning rate, seconds so far.

    Epoch 0 is the classifier as it was given, before any step; it has no training loss. Where `averaged` is
    not 0, the row is that of the mean of the weights after so many last epochs, and has none either.
    """

    epoch: int
    step: int
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float
    averaged: int = 0


def write_curve(path: Path, rows: Sequence[CurveRow]) -> None:
    """`curve.csv`; fields without a value (no validation images) are empty."""
    write_csv(path, list(CurveRow.model_fields), [list(row.model_dump().values()) for row in rows])


def read_curve(path: Path) -> tuple[CurveRow, ...]:
    """A run's learning curve; empty without the file."""
    if not path.is_file():
        return ()
    rows = read_csv(path, list(CurveRow.model_fields))[1]
    return tuple(
        validated(CurveRow, {key: value or None for key, value in row.items()}, f"{path}, row {number}")
        for number, row in enumerate(rows, start=1)
    )
