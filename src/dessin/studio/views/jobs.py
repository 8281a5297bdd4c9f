"""What pages share: a verb carried out in a process of its own, widgets to choose, and forest pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st

from dessin.errors import DessinError
from dessin.page.dots import DotPlot
from dessin.page.render import render_page
from dessin.studio.plain import show_text
from dessin.studio.texts import Texts

_PATIENCE_S = 10.0
_LAST = 3


def carry_out(arguments: Sequence[str], title: str, texts: Texts) -> None:
    """Run `dessin ARGUMENTS` to its end; leaving the page ends it.

    Raises:
        DessinError: the verb failed, in its own words.
    """
    command = [sys.executable, "-m", "dessin", *arguments]
    lines: list[str] = []
    with st.status(title, expanded=True) as status:
        show_text(texts("job.stays"), "note")
        place = st.empty()
        # One stream, for what it says and what it warns of belong together.
        verb = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        try:
            for line in verb.stdout or ():
                lines.append(line.rstrip())
                with place:
                    show_text(lines[-1], "note")
            code = verb.wait()
        finally:
            _end(verb)
        if code:
            status.update(label=title, state="error")
            raise DessinError(" ".join(lines[-_LAST:]).removeprefix("dessin: ") or f"{title}: {code}")
        status.update(label=title, state="complete", expanded=False)


def new_folder(root: Path, name: str) -> Path:
    """`root / name`, or with the first number behind it that is free."""
    folder, number = root / name, 2
    while folder.exists():
        folder, number = root / f"{name}-{number}", number + 1
    return folder


def _end(verb: subprocess.Popen[str]) -> None:
    if verb.poll() is None:
        verb.terminate()
        try:
            verb.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            verb.kill()
            verb.wait()
    if verb.stdout:
        verb.stdout.close()


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


def show_dots(plot: DotPlot) -> None:
    """Dots with their intervals on one scale."""
    st.html(render_page("dessin.studio.views", "dots_part.html", plot=plot))
