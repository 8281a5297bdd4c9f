"""The widgets that pages share: one of several names, and a page of a long list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

from dessin.serving.studio.plain import show_text
from dessin.serving.studio.texts import Texts

Item = TypeVar("Item")


def choose(label: str, names: Sequence[str], *, key: str, index: int = 0) -> str:
    """One of some names; where there is but one it is said, and nothing is asked."""
    if len(names) == 1:
        show_text(f"{label}: {names[0]}", "note")
        return names[0]
    return str(st.selectbox(label, names, index=index, key=key))


def one_page(items: Sequence[Item], size: int, texts: Texts, *, key: str) -> Sequence[Item]:
    """The part of a long list that is to be shown; asks which, where it does not fit one page."""
    pages = -(-len(items) // size)
    if pages <= 1:
        return items
    number = st.number_input(texts("choose.page", pages=pages), 1, pages, key=f"{key}:{pages}")
    start = (int(number) - 1) * size
    return items[start : start + size]
