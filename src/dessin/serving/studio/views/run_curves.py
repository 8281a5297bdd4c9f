"""The learning curves of some runs on one pair of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from dessin.reports.run.view import read_curve
from dessin.serving.studio.plain import show_heading, show_text
from dessin.serving.studio.texts import Texts
from dessin.training.curve import CurveRow

Measure = Literal["validation_accuracy", "validation_loss"]
_TITLES: Mapping[Measure, str] = {"validation_accuracy": "runs.accuracy", "validation_loss": "runs.loss"}


def show_curves(runs: Mapping[str, Path], texts: Texts) -> None:
    """Validation accuracy and loss of each run over its epochs."""
    curves = {name: read_curve(path / "curve.csv") for name, path in runs.items()}
    without = [name for name, rows in curves.items() if not rows]
    if len(without) < len(curves):
        show_heading(texts("runs.curves"))
        for measure, column in zip(_TITLES, st.columns(len(_TITLES)), strict=True):
            with column:
                _chart(curves, measure, texts)
    for name in without:
        show_text(texts("runs.no_curve", name=name), "note")


def long_form(
    curves: Mapping[str, Sequence[CurveRow]], measure: Measure
) -> tuple[list[str], list[int], list[float]]:
    """Runs, epochs and values, one each a point; no averages of epochs, and no epochs without a value."""
    points = [
        (name, row.epoch, float(value))
        for name, rows in curves.items()
        for row in rows
        if not row.averaged and (value := getattr(row, measure)) is not None
    ]
    return [p[0] for p in points], [p[1] for p in points], [p[2] for p in points]


def _chart(curves: Mapping[str, Sequence[CurveRow]], measure: Measure, texts: Texts) -> None:
    names, epochs, values = long_form(curves, measure)
    if not names:
        return
    title, epoch, run = texts(_TITLES[measure]), texts("runs.epoch"), texts("runs.run")
    show_text(title, "note")
    # A chart parses the names of its columns, so the runs' names are values and never columns.
    table = {run: names, epoch: epochs, title: values}
    st.line_chart(table, x=epoch, y=title, color=run, y_label="", height=260)
