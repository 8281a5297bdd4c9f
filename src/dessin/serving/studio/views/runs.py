"""The page Runs: the table, and what is to be seen of the runs that are chosen from it."""

from __future__ import annotations

import streamlit as st

from dessin.serving.studio.plain import show_table, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.views.run_cards import show_cards, show_comparison
from dessin.serving.studio.views.run_curves import show_curves
from dessin.serving.studio.views.run_table import RunTable, column_names, comparable_pair, run_table
from dessin.serving.studio.workspace import Workspace

_MOST_CURVES = 8
_A_PAIR = 2


def show_runs(workspace: Workspace, texts: Texts) -> None:
    """Every run of the workspace in a table; curves, cards and a comparison of those chosen."""
    if not workspace.runs:
        show_text(texts("runs.none"))
        return
    table = _ask(workspace, texts)
    show_text(texts("runs.count", shown=len(table.rows), total=len(workspace.runs)), "note")
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
    show_curves({name: workspace.path(name) for name in chosen}, texts)
    if len(chosen) > _A_PAIR:
        show_text(texts("runs.two_cards"), "note")
    show_cards(workspace, chosen[:_A_PAIR], texts)
    if len(chosen) >= _A_PAIR:
        show_comparison(workspace, chosen[0], chosen[1], texts)


def _ask(workspace: Workspace, texts: Texts) -> RunTable:
    """The widgets above the table, and the table that they ask for."""
    names = column_names(workspace.root)
    where = st.text_input(texts("runs.where"), key="runs.where", placeholder="accuracy>0.4, backbone~lite0")
    with st.expander(texts("runs.more")):
        sort = st.selectbox(texts("runs.sort"), ["", *names], key="runs.sort")
        down = st.checkbox(texts("runs.down"), value=True, key="runs.down")
        columns = st.multiselect(texts("runs.columns"), names, key="runs.columns")
    key = f"-{sort}" if sort and down else sort
    return run_table(workspace.root, where=where, sort=key, columns=columns)
