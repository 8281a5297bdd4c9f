"""The page Studies: what each study asked, what came of it, and how small a difference it could have seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dessin.page.numbers import number, p_value, points, share, size
from dessin.progress import quiet
from dessin.statistics.comparison import Comparison, draw_forest
from dessin.studies.outcome import outcome
from dessin.studies.source import StudySource, read_source
from dessin.studies.telling import all_evidence, design, level_rows, progress, seen
from dessin.studio.drawings import file_stamp
from dessin.studio.plain import Cell, choose, show_dots, show_heading, show_table, show_text
from dessin.studio.texts import Texts
from dessin.studio.workspace import Workspace

_TONES = {"gain found": "good", "no gain": "text", "undecided": "text", "unfinished": "warn"}


def show_studies(workspace: Workspace, texts: Texts) -> None:
    """One study of the workspace: verdicts with intervals, the forest picture and the power statement."""
    if not workspace.studies:
        show_text(texts("studies.none"))
        return
    name = choose(texts("studies.study"), workspace.studies, key="studies.study")
    folder = workspace.path(name)
    stamp = " ".join(file_stamp(folder / file) for file in ("study.json", "results.json", "jobs"))
    study = _read(str(folder), stamp)
    _show_question(study, texts)
    if study.results:
        _show_levels(study, texts)
        _show_forest(study.results.comparisons, study, texts)
        if study.results.main_effects:
            show_heading(texts("studies.effects"))
            _show_forest(study.results.main_effects, study, texts)
    show_heading(texts("studies.power"))
    for line in seen(study):
        show_text(line)
    show_text(" · ".join(design(study)), "note")
    for found in all_evidence(study.results):
        with st.expander(texts("studies.evidence")):
            show_text(f"{found.name} – {found.against}: {found.verdict}.")
            show_table([texts("studies.way"), texts("studies.answer")], found.lines, stacked=True)
    if study.lost:
        show_heading(texts("studies.lost"))
        titles = [texts(f"studies.{key}") for key in ("run", "status", "reason")]
        lost = [(job.job.name, job.ended.status, job.ended.reason) for job in study.lost if job.ended]
        show_table(titles, lost, stacked=True)


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(folder: str, stamp: str) -> StudySource:  # noqa: ARG001 (a changed study is read anew)
    with quiet():
        return read_source(Path(folder))


def _show_question(study: StudySource, texts: Texts) -> None:
    show_text(study.record.hypothesis)
    came_of_it = outcome(study)
    kind = came_of_it.kind
    levels = "; ".join(
        f"{', '.join(names)}: {texts(f'verdict.{verdict}')}" for verdict, names in came_of_it.levels
    )
    words = texts(f"studies.{kind}") + (f" {levels}." if levels else "")
    if kind == "gain found":
        show_text(words, "good")
    else:
        show_text(words, "warn" if kind == "unfinished" else "text")
    if unfinished := progress(study):
        show_text(unfinished, "warn")


def _show_levels(study: StudySource, texts: Texts) -> None:
    titles = [texts(f"studies.{key}") for key in ("level", "accuracy", "difference", "verdict")]
    rows: list[list[Cell]] = []
    for row in level_rows(study):
        changed = ", ".join(f"{change.key} {change.text}" for change in row.changes)
        accuracy, compared = row.result.accuracy if row.result else None, row.comparison
        verdict = (
            "studies.base" if row.is_base else f"verdict.{compared.verdict if compared else 'no result'}"
        )
        rows.append(
            [
                (row.name, changed),
                (share(accuracy), f"n = {number(accuracy.n)}") if accuracy else "",
                points(compared.difference) if compared else "",
                (verdict, f"p {p_value(compared.p_holm)}" if compared else ""),
            ]
        )
    show_table(titles, rows, stacked=True)


def _show_forest(comparisons: Sequence[Comparison], study: StudySource, texts: Texts) -> None:
    forest = draw_forest(comparisons, study.record.matters)
    if forest is None:
        return
    show_dots(forest.plot)
    against = forest.against or texts("studies.its_base")
    show_text(texts("studies.forest", against=against, matters=size(study.record.matters)), "note")
