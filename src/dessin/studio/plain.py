"""What pages are made of: texts of other people, escaped, figures, tables, dots, widgets to choose with, and
verbs carried out; what a user can mend is shown as a sentence, never a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, count
from pathlib import Path
from typing import Literal, TypeVar

import streamlit as st

from dessin.errors import DessinError
from dessin.language import retold, speaking
from dessin.page.blocks import Dots
from dessin.page.dots import DotPlot
from dessin.page.html import piece
from dessin.studio.texts import Texts
from dessin.studio.verb import end
from dessin.studio.workspace import Workspace

Show = Callable[[Workspace, Texts], None]


def show_guarded(show: Show, workspace: Workspace, texts: Texts) -> None:
    """Show a page; an error of dessin ends it with its text."""
    try:
        with speaking(texts.language):
            show(workspace, texts)
    except DessinError as error:
        show_text(str(error), "error")


Style = Literal["text", "note", "good", "warn", "error"]
# A text, or two of which the second is small and under the first.
Cell = str | tuple[str, str]


@dataclass(frozen=True)
class Figure:
    """A picture with a caption; `picture` is a `data:` address, empty where the file cannot be read."""

    picture: str
    caption: str
    note: str = ""


# What would be marked up where it stands: an underscore inside a word would not, nor a dot but after www or a
# number that begins a list.
_MARKS = re.compile(
    r"[\\`*\[\]$:~<>|&@]|(?<![^\W_])_|_(?![^\W_])|^[#+=-]|-(?=-)|(?<=-)-|(?<=www)\.|(?<=\d)[.)](?=\s|$)",
    re.IGNORECASE,
)


def as_label(text: str) -> str:
    """A text of other people in the label of a button, a tick or a round button, which would be Markdown.

    Few marks, for screen readers are told the label of a tick as it is here.
    """
    return _MARKS.sub(r"\\\g<0>", text)


def show_text(text: str, style: Style = "text") -> None:
    """A paragraph; `good`, `warn` and `error` are boxes, and an error is announced to screen readers.

    What was kept in English, as errors and verdicts are, is told in the language that is spoken.
    """
    role = ' role="alert"' if style == "error" else ""
    st.html(f'<p class="dessin {style}"{role}>{escape(retold(text))}</p>')


def show_heading(text: str) -> None:
    """A heading below the page's title."""
    st.html(f'<h3 class="dessin">{escape(text)}</h3>')


def show_figures(figures: Iterable[Figure], *, side: int = 120, named: bool = True) -> None:
    """Pictures in rows, as many as fit the width; `side` is the largest of each in pixels. Where the name
    stands beside them they are not `named`."""
    cells = "".join(_cell(figure, named) for figure in figures)
    st.html(f'<div class="dessin figures" style="--side: {side}px">{cells}</div>')


def show_facts(facts: Iterable[tuple[str, Cell]]) -> None:
    """Short values under their titles, side by side."""
    cells = "".join(f"<div><dt>{escape(title)}</dt><dd>{_inside(cell)}</dd></div>" for title, cell in facts)
    st.html(f'<dl class="dessin facts">{cells}</dl>')


def show_table(titles: Sequence[str], rows: Iterable[Sequence[Cell]], *, stacked: bool = False) -> None:
    """A table of texts. A phone moves it sideways, or with `stacked` gives each cell a line of its own."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(f"<tr>{_table_row(titles, row)}</tr>" for row in rows)
    st.html(
        f'<div class="dessin table {"stacked" if stacked else "whole"}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _table_row(titles: Sequence[str], row: Sequence[Cell]) -> str:
    cells = zip(titles, row, strict=True)
    return "".join(f'<td data-title="{escape(title)}">{_inside(cell)}</td>' for title, cell in cells)


def _inside(cell: Cell) -> str:
    text, small = (cell, "") if isinstance(cell, str) else cell
    return escape(text) + (f"<small>{escape(small)}</small>" if small else "")


def _cell(figure: Figure, named: bool) -> str:
    picture = (
        f'<img src="{escape(figure.picture)}" alt="{escape(figure.caption)}">'
        if figure.picture
        else '<div class="none" aria-hidden="true">?</div>'
    )
    note = f"<small>{escape(figure.note)}</small>" if figure.note else ""
    caption = escape(figure.caption) if named else ""
    under = f"<figcaption>{caption}{note}</figcaption>" if caption or note else ""
    return f"<figure>{picture}{under}</figure>"


# Of the session: the pages by their names, as the frame has made them.
PAGES = "pages"


def go_to(page: str) -> None:
    """Open another page of the studio; alone, as in a test of one page, there is none."""
    pages = st.session_state.get(PAGES)
    if pages:
        st.switch_page(pages[page])


def choose_collection(workspace: Workspace, texts: Texts) -> str:
    """One of the collections, which all pages keep to."""
    return _choose_kept(texts("data.collection"), workspace.collections, "data.collection", workspace)


def keep_collection(name: str) -> None:
    """From now on all pages begin with this collection."""
    _keep("data.collection", name)


def choose_model(workspace: Workspace, texts: Texts) -> str:
    """One of the models, the one that was taught last to begin with."""
    return _choose_kept(texts("try.model"), workspace.models, "try.model", workspace)


def keep_model(name: str) -> None:
    """From now on pages begin with this model."""
    _keep("try.model", name)


def choose_unlabelled(workspace: Workspace, texts: Texts) -> str:
    """One of the folders of drawings that have no class."""
    return _choose_kept(texts("label.folder"), workspace.unlabelled, "label.folder", workspace)


def keep_unlabelled(name: str) -> None:
    """From now on the page begins with this folder."""
    _keep("label.folder", name)


def _choose_kept(label: str, names: Sequence[str], widget: str, workspace: Workspace) -> str:
    kept = st.session_state.get(f"kept.{widget}")
    index = names.index(kept) if kept in names else 0
    name = choose(label, names, key=widget, index=index, called=workspace.called)
    _keep(widget, name)
    return name


def _keep(widget: str, name: str) -> None:
    """Of the session: what a widget is to show, on whichever page it is shown next."""
    st.session_state[f"kept.{widget}"] = name
    # What it had chosen before would win.
    if st.session_state.get(widget, name) != name:
        del st.session_state[widget]


Item = TypeVar("Item")


def choose(
    label: str, names: Sequence[str], *, key: str, index: int = 0, called: Callable[[str], str] = str
) -> str:
    """One of some names, shown as they are `called`; where there is but one it is said, and nothing is
    asked."""
    if len(names) == 1:
        show_text(f"{label}: {called(names[0])}", "note")
        return names[0]
    return str(st.selectbox(label, names, index=index, key=key, format_func=called))


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
    st.html(piece(Dots(plot)))


_LAST = 3


def carry_out(workspace: Workspace, arguments: Sequence[str], title: str, texts: Texts) -> None:
    """Run a verb to its end in a process of its own, into a new folder of its name; then the page anew.

    The page shows what the verb says, and to leave it ends the verb.

    Raises:
        DessinError: the verb failed, in its own words.
    """
    out = free_name(workspace, arguments[0])
    command = [sys.executable, "-m", "dessin", *arguments, "--out", str(out)]
    lines: list[str] = []
    with st.status(title, expanded=True) as status:
        show_text(texts("job.stays"), "note")
        place = st.empty()
        # One stream, for what it says and what it warns of belong together.
        verb = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            for line in verb.stdout or ():
                lines.append(line.rstrip())
                with place:
                    show_text(lines[-1], "note")
            code = verb.wait()
        finally:
            end(verb)
            if verb.stdout:
                verb.stdout.close()
        if code:
            status.update(label=title, state="error")
            raise DessinError(" ".join(lines[-_LAST:]).removeprefix("dessin: ") or f"{title}: {code}")
        status.update(label=title, state="complete", expanded=False)
    st.cache_data.clear()
    st.rerun()


def free_name(
    workspace: Workspace, stem: str, ending: str = "", may_be: Callable[[Path], bool] = lambda _: False
) -> Path:
    """The first of STEM, STEM-2, .. in the workspace that is not there yet, or `may_be` taken as it is."""
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    paths = (workspace.root / f"{name}{ending}" for name in names)
    return next(path for path in paths if not path.exists() or may_be(path))
