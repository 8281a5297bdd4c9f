"""Two trust cards side by side, and the paired comparison of the two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.progress import quiet
from dessin.reports.compare.result import RunComparison
from dessin.reports.compare.verb import compare
from dessin.runs.record import SPLIT_FILE
from dessin.serving.studio.plain import show_heading, show_table, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.views.dots import show_dots
from dessin.serving.studio.views.drawings import file_stamp, read_drawings
from dessin.serving.studio.workspace import Workspace
from dessin.statistics.forest import draw_forest
from dessin.trust.card.measure import trust_cards
from dessin.trust.card.result import TrustCard
from dessin.trust.card.sources import TrustSources, read_sources


def show_cards(workspace: Workspace, runs: Sequence[str], texts: Texts) -> None:
    """A card a run, fact beside fact; runs that have none are said."""
    cards = []
    for name in runs:
        try:
            with st.spinner(texts("runs.reading")):
                cards.append(_card(workspace, name))
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


def show_comparison(workspace: Workspace, base: str, other: str, texts: Texts) -> None:
    """The difference of two runs on the same drawings with its interval, or why there is none."""
    show_heading(texts("runs.comparison"))
    first, second = workspace.path(base), workspace.path(other)
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


def _card(workspace: Workspace, name: str) -> TrustCard:
    folder = workspace.path(name)
    files = ("record.json", "robustness.json", "confidence.json")
    stamp = " ".join(file_stamp(folder / file) for file in files)
    return _made(str(folder), name, _data_of(workspace, folder), stamp)


def _data_of(workspace: Workspace, run: Path) -> str:
    """The collection of this workspace that the run's split is of; empty for none, also where others are."""
    wanted = {row.image_id: row.label for row in read_split(run / SPLIT_FILE).rows}
    for name in workspace.collections:
        try:
            held = read_drawings(workspace, name).labels
        except DessinError:
            continue
        if wanted.keys() <= held.keys():
            return str(workspace.path(name))
    return ""


@st.cache_resource(max_entries=64, show_spinner=False)
def _made(folder: str, name: str, data: str, stamp: str) -> TrustCard:  # noqa: ARG001
    sources = read_sources(Path(folder))
    with quiet():
        return trust_cards([_named(sources, name, data)])[0]


def _named(sources: TrustSources, name: str, data: str) -> TrustSources:
    """With the name that tells it from others here, and drawings of this workspace only."""
    return replace(sources, name=name, data=Path(data) if data else None)


@st.cache_resource(max_entries=64, show_spinner=False)
def _compared(base: str, other: str, stamp: str) -> RunComparison:  # noqa: ARG001
    with quiet():
        return compare([base, other])
