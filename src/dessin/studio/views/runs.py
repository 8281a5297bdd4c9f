"""The page Runs: the table, and what is to be seen of the runs chosen from it: curves, cards, the paired
comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import streamlit as st

from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.progress import quiet
from dessin.reports.compare.result import RunComparison
from dessin.reports.compare.verb import compare
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.comparison import draw_forest
from dessin.studio.drawings import file_stamp, read_drawings
from dessin.studio.plain import show_dots, show_heading, show_table, show_text
from dessin.studio.texts import Texts
from dessin.studio.views.run_table import RunTable, column_names, comparable_pair, run_table
from dessin.studio.workspace import Workspace
from dessin.training.curve import CurveRow, read_curve
from dessin.trust.card.result import TrustCard
from dessin.trust.card.sources import read_sources
from dessin.trust.card.verb import trust_cards


def show_cards(workspace: Workspace, runs: Mapping[str, Path], texts: Texts) -> None:
    """A card a run, fact beside fact; runs that have none are said."""
    cards = []
    for name, folder in runs.items():
        try:
            with st.spinner(texts("runs.reading")):
                cards.append(_card(workspace, name, folder))
        except DessinError as error:
            show_text(f"{name}: {error}", "warn")
    if not cards:
        return
    show_heading(texts("runs.cards"))
    rows = [
        [facts[0].title, *((fact.value or texts("runs.unmeasured"), fact.detail) for fact in facts)]
        for facts in zip(*(card.facts for card in cards), strict=True)
    ]
    show_table(["", *(card.name for card in cards)], rows, stacked=True)
    with st.expander(texts("runs.untested")):
        for card in cards:
            show_text(card.name, "note")
            for line in card.untested:
                show_text(line)


def show_comparison(first: Path, second: Path, texts: Texts) -> None:
    """The difference of two runs on the same drawings with its interval, or why there is none."""
    show_heading(texts("runs.comparison"))
    stamp = " ".join(file_stamp(folder / "record.json") for folder in (first, second))
    try:
        result = _compared(str(first), str(second), stamp)
    except DessinError as error:
        show_text(str(error), "warn")
        return
    forest = draw_forest(result.comparisons, result.matters)
    if forest:
        show_dots(forest.plot)
    for found in result.comparisons:
        words = f"{found.name} – {found.against}: {found.verdict_text}."
        show_text(words, "good" if found.verdict == "better" else "text")
    show_text(texts("runs.on", images=result.images, groups=result.groups), "note")
    for caution in result.cautions:
        show_text(caution, "note")


def _card(workspace: Workspace, name: str, folder: Path) -> TrustCard:
    files = ("record.json", "robustness.json", "confidence.json")
    stamp = " ".join(file_stamp(folder / file) for file in files)
    return _made(str(folder), name, _data_of(workspace, folder), stamp)


def _data_of(workspace: Workspace, run: Path) -> str:
    """The collection here that the run's split is of, by its digest; empty where there is none."""
    split = read_split(run / SPLIT_FILE)
    wanted = {row.image_id for row in split.rows}
    for name in workspace.collections:
        with suppress(DessinError):
            held = read_drawings(workspace, name)
            # Digests take a while, so that other drawings are not even looked at.
            if wanted <= held.labels.keys() and held.digest == split.manifest_digest:
                return str(workspace.path(name))
    return ""


@st.cache_resource(max_entries=64, show_spinner=False)
def _made(folder: str, name: str, data: str, stamp: str) -> TrustCard:  # noqa: ARG001
    """Under the name that tells it from others here, with drawings of this workspace only."""
    sources = replace(read_sources(Path(folder)), name=name, data=Path(data) if data else None)
    with quiet():
        return trust_cards([sources])[0]


@st.cache_resource(max_entries=64, show_spinner=False)
def _compared(base: str, other: str, stamp: str) -> RunComparison:  # noqa: ARG001
    with quiet():
        return compare([base, other])


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


_MOST_CURVES = 8
_A_PAIR = 2


def show_runs(workspace: Workspace, texts: Texts) -> None:
    """Every run of the workspace in a table; curves, cards and a comparison of those chosen."""
    if not (workspace.runs or workspace.committees):
        show_text(texts("runs.none"))
        return
    table = _ask(workspace, texts)
    show_text(texts("runs.count", shown=len(table.rows), total=table.total), "note")
    if not table.rows:
        return
    show_table(table.titles, table.cells)
    chosen = st.multiselect(
        texts("runs.choose"),
        table.names,
        default=comparable_pair(table),
        max_selections=_MOST_CURVES,
        key="runs.chosen",
    )
    if not chosen:
        return
    folders = {name: table.path(name) for name in chosen}
    show_curves(folders, texts)
    if len(chosen) > _A_PAIR:
        show_text(texts("runs.two_cards"), "note")
    pair = dict(list(folders.items())[:_A_PAIR])
    show_cards(workspace, pair, texts)
    if len(pair) == _A_PAIR:
        first, second = pair.values()
        show_comparison(first, second, texts)


def _ask(workspace: Workspace, texts: Texts) -> RunTable:
    """The widgets above the table, and the table that they ask for."""
    names = column_names(workspace)
    where = st.text_input(texts("runs.where"), key="runs.where", placeholder="accuracy>0.4, backbone~lite0")
    with st.expander(texts("runs.more")):
        sort = st.selectbox(texts("runs.sort"), ["", *names], key="runs.sort")
        down = st.checkbox(texts("runs.down"), value=True, key="runs.down")
        columns = st.multiselect(texts("runs.columns"), names, key="runs.columns")
    key = f"-{sort}" if sort and down else sort
    return run_table(workspace, where=where, sort=key, columns=columns)
