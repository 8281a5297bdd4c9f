"""The page Data: a collection, its classes as sheets, what its audit found, and curation by ticking."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dessin.collection.checks.base import Issue
from dessin.page.numbers import number
from dessin.studio.curating import read_changes
from dessin.studio.drawings import Drawings, matching, read_drawings
from dessin.studio.plain import (
    carry_out,
    choose,
    choose_collection,
    show_facts,
    show_text,
)
from dessin.studio.texts import Texts
from dessin.studio.views.issue_list import SECTIONS, issues_of, show_issues
from dessin.studio.views.sheet import by_class, class_title, show_sheet
from dessin.studio.workspace import Workspace


def show_classes(drawings: Drawings, file: Path, texts: Texts) -> None:
    """The drawings of the class that is chosen."""
    members = by_class(drawings, read_changes(file))
    label = st.selectbox(
        texts("data.class"), list(members), key="data.class", format_func=class_title(drawings, members)
    )
    if label is not None:
        show_sheet(drawings, label, file, texts)


_CLASSES = "classes"


def show_data(workspace: Workspace, texts: Texts) -> None:
    """One collection of the workspace: counts, class sheets, issues with ticks."""
    if not workspace.collections:
        show_text(texts("data.none"))
        return
    name = choose_collection(workspace, texts)
    with st.spinner(texts("data.reading")):
        drawings = read_drawings(workspace, name)
        found = matching(workspace, name)
    _show_facts(drawings, texts)
    for problem in found.problems:
        show_text(problem, "warn")
    issues: tuple[Issue, ...] = ()
    if found.audits:
        issues = found.audits[choose(texts("data.audit"), list(found.audits), key="data.audit")]
    else:
        _offer_audit(workspace, name, texts)
    curation = choose(texts("data.curation"), found.curations, key="data.curation")
    file = workspace.path(curation)
    show_text(texts("data.curation_says", rows=len(read_changes(file)), file=file), "note")
    counts = {section: len(issues_of(issues, section)) for section in SECTIONS}
    shown = st.pills(
        texts("data.show"),
        [_CLASSES, *(section for section in SECTIONS if counts[section])],
        default=_CLASSES,
        key="data.section",
        format_func=lambda section: _title(section, counts, texts),
    )
    if shown and shown != _CLASSES:
        show_issues(issues_of(issues, shown), drawings, file, texts)
    else:
        show_classes(drawings, file, texts)


def _title(section: str, counts: dict[str, int], texts: Texts) -> str:
    title = texts(f"data.{section}")
    return f"{title} ({number(counts[section])})" if section in counts else title


def _show_facts(drawings: Drawings, texts: Texts) -> None:
    collection = drawings.collection
    facts = [
        (texts("data.drawings"), number(len(drawings.labels))),
        (texts("data.classes"), number(len(collection.classes))),
        (texts("data.a_class"), drawings.spread),
    ]
    if collection.test_ids:
        facts.append((texts("data.test"), number(len(collection.test_ids))))
    skipped = sum(map(len, collection.skipped.values()))
    if skipped:
        facts.append((texts("data.skipped"), number(skipped)))
    show_facts(facts)
    for note in collection.notes:
        show_text(note, "note")


def _offer_audit(workspace: Workspace, name: str, texts: Texts) -> None:
    show_text(texts("data.no_audit"))
    if st.button(texts("data.make_audit"), type="primary"):
        carry_out(workspace, ["audit", str(workspace.path(name))], texts("data.auditing"), texts)
