"""Class sheets: the drawings of a class side by side, with what the curation says of each."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dessin.collection.curation import Change
from dessin.serving.studio.plain import Figure, show_figures, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.views.choosing import one_page
from dessin.serving.studio.views.drawings import Drawings
from dessin.serving.studio.views.thumbnails import thumbnail

_A_PAGE = 60


def show_classes(drawings: Drawings, changes: Mapping[str, Change], texts: Texts) -> None:
    """The drawings of the class that is chosen."""
    label = st.selectbox(
        texts("data.class"),
        drawings.collection.classes,
        key="data.class",
        format_func=lambda label: f"{drawings.name(label)} ({len(drawings.members[label]):,})",
    )
    members = drawings.members[label]
    shown = one_page(members, _A_PAGE, texts, key=f"data.sheet:{label}")
    show_figures(
        [
            Figure(
                thumbnail(drawings.collection.root, image_id),
                image_id.rpartition("/")[2],
                _said(changes.get(image_id), texts),
            )
            for image_id in shown
        ],
        side=104,
    )
    gone = sum(1 for image_id in members if image_id in changes and changes[image_id].action == "drop")
    show_text(texts("data.class_says", count=len(members), dropped=gone), "note")


def _said(change: Change | None, texts: Texts) -> str:
    if change is None:
        return ""
    return texts(f"data.is_{change.action}", label=change.label)
