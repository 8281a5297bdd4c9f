"""The page Data: a collection, its classes, what its audit found, and curation by ticking."""

from __future__ import annotations

import streamlit as st

from dessin.collection.issues import Issue
from dessin.serving.studio.plain import show_facts, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.views.choosing import choose
from dessin.serving.studio.views.class_sheets import show_classes
from dessin.serving.studio.views.drawings import Drawings, matching, read_drawings
from dessin.serving.studio.views.issue_list import SECTIONS, issues_of, show_issues
from dessin.serving.studio.views.jobs import carry_out, new_folder
from dessin.serving.studio.views.ticking import read_changes
from dessin.serving.studio.workspace import Workspace

_CLASSES = "classes"


def show_data(workspace: Workspace, texts: Texts) -> None:
    """One collection of the workspace: counts, class sheets, issues with ticks."""
    if not workspace.collections:
        show_text(texts("data.none"))
        return
    name = choose(texts("data.collection"), workspace.collections, key="data.collection")
    drawings = read_drawings(workspace, name)
    _show_facts(drawings, texts)
    found = matching(workspace, drawings)
    for problem in found.problems:
        show_text(problem, "warn")
    issues: tuple[Issue, ...] = ()
    if found.audits:
        issues = found.audits[choose(texts("data.audit"), list(found.audits), key="data.audit")]
    else:
        _offer_audit(workspace, name, texts)
    curation = choose(texts("data.curation"), found.curations, key="data.curation")
    file = workspace.path(curation)
    changes = read_changes(file)
    show_text(texts("data.curation_says", rows=len(changes), file=file), "note")
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
        show_classes(drawings, changes, texts)


def _title(section: str, counts: dict[str, int], texts: Texts) -> str:
    title = texts(f"data.{section}")
    return f"{title} ({counts[section]:,})" if section in counts else title


def _show_facts(drawings: Drawings, texts: Texts) -> None:
    collection = drawings.collection
    facts = [
        (texts("data.drawings"), f"{len(drawings.labels):,}"),
        (texts("data.classes"), f"{len(collection.classes):,}"),
        (texts("data.a_class"), drawings.spread),
    ]
    if collection.test_ids:
        facts.append((texts("data.test"), f"{len(collection.test_ids):,}"))
    skipped = sum(map(len, collection.skipped.values()))
    if skipped:
        facts.append((texts("data.skipped"), f"{skipped:,}"))
    show_facts(facts)
    for note in collection.notes:
        show_text(note, "note")


def _offer_audit(workspace: Workspace, name: str, texts: Texts) -> None:
    show_text(texts("data.no_audit"))
    if st.button(texts("data.make_audit"), type="primary"):
        out = new_folder(workspace.root, "audit")
        arguments = ["audit", str(workspace.path(name)), "--out", str(out)]
        carry_out(arguments, texts("data.auditing"), texts)
        st.cache_data.clear()
        st.rerun()
