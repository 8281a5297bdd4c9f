"""What an audit found, drawing beside drawing, with a tick for each that sets it aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from dessin.collection.checks.base import Issue
from dessin.collection.curation import Change
from dessin.collection.issues import CHECKS
from dessin.errors import DessinError
from dessin.language import translated
from dessin.page.numbers import number
from dessin.studio.curating import is_aside, is_own, read_changes, set_aside, unmark
from dessin.studio.drawings import Drawings, thumbnail
from dessin.studio.plain import Figure, one_page, show_figures, show_text
from dessin.studio.texts import Texts
from dessin.studio.views.sheet import show_relabel

# What a person decides about; the other kinds are shown together, the audit's page says more of them.
SECTIONS = ("duplicates", "conflicts", "suspects", "others")
_A_PAGE = 20
_TROUBLE = "data.trouble"


def issues_of(issues: Sequence[Issue], section: str) -> tuple[Issue, ...]:
    """The issues of a section, in the order of the audit: the surest of each kind first."""
    return tuple(issue for issue in issues if CHECKS[issue.issue].section == section)


def show_issues(issues: Sequence[Issue], drawings: Drawings, file: Path, texts: Texts) -> None:
    """A page of issues; a tick is in the curation `file` as soon as it is made."""
    trouble = st.session_state.pop(_TROUBLE, "")
    if trouble:
        show_text(trouble, "error")
    section = CHECKS[issues[0].issue].section
    show_text(texts(f"data.explain_{section}"), "note")
    changes = read_changes(file)
    shown = one_page(issues, _A_PAGE, texts, key=f"data.issues:{section}")
    seen: set[str] = set()
    for issue in shown:
        with st.container(border=True):
            pictures, words = st.columns(2)
            with pictures:
                figures = [_figure(issue.image_id, drawings)]
                if issue.other_id:
                    example = "" if CHECKS[issue.issue].pairs else texts("data.example")
                    figures.append(_figure(issue.other_id, drawings, example))
                show_figures(figures, side=132)
            with words:
                detail = f": {issue.detail}" if issue.detail else ""
                show_text(
                    f"{translated(CHECKS[issue.issue].short)} ({number(issue.score, 2)}){detail}", "note"
                )
                for place, image_id in enumerate(_tickable(issue)):
                    if image_id in seen:
                        show_text(texts("data.ticked_above", place=place + 1), "note")
                    else:
                        _show_tick(image_id, place, issue, changes.get(image_id), file, texts)
                    seen.add(image_id)
                if issue.issue == "suspect_label" and issue.other_id in drawings.labels:
                    show_relabel(issue.image_id, drawings.labels[issue.other_id], drawings, file, texts)


def _tickable(issue: Issue) -> tuple[str, ...]:
    """The images that the issue puts in question; where they are no pair the other is an example."""
    if issue.other_id and CHECKS[issue.issue].pairs:
        return issue.image_id, issue.other_id
    return (issue.image_id,)


def _figure(image_id: str, drawings: Drawings, example: str = "") -> Figure:
    name = image_id.rpartition("/")[2]
    label = drawings.labels.get(image_id, "?")
    note = f"{name} · {example}" if example else name
    return Figure(thumbnail(drawings.collection.root, image_id), drawings.name(label), note)


def _show_tick(
    image_id: str, place: int, issue: Issue, change: Change | None, file: Path, texts: Texts
) -> None:
    """The tick of one image, whoever set it aside; what is said of it stands under it."""
    key = f"data.tick:{file}:{image_id}"
    # The file is the truth: somebody may have changed it since the page was shown. Only then is the box set:
    # that takes the place of what is pressed while the page is drawn.
    if st.session_state.get(key, False) != is_aside(change):
        st.session_state[key] = is_aside(change)
    number = place + 1 if len(_tickable(issue)) > 1 else 0
    st.checkbox(
        texts("data.drop_one", place=number) if number else texts("data.drop"),
        key=key,
        on_change=_turned(key, image_id, issue, file, change),
    )
    if change is not None and not is_own(change):
        said = texts(f"data.is_{change.action}", label=change.label)
        show_text(f"{said}: {change.reason}", "note")


def _turned(key: str, image_id: str, issue: Issue, file: Path, change: Change | None) -> Callable[[], None]:
    def turn() -> None:
        other = issue.other_id if issue.image_id == image_id else issue.image_id
        reason = f"{issue.issue} with {other}" if other and CHECKS[issue.issue].pairs else issue.issue
        now = read_changes(file).get(image_id)
        # What was pressed here while the page was drawn is no decision of somebody else.
        seen = {image_id: now if now is not None and is_own(now) else change}
        try:
            if st.session_state[key]:
                set_aside(file, [image_id], reason, seen=seen)
            else:
                unmark(file, [image_id], seen=seen)
        except DessinError as error:
            st.session_state[_TROUBLE] = str(error)

    return turn
