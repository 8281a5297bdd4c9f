"""What an audit found, drawing beside drawing, with a tick for each that sets it aside: one row an image in a
curation file, put in and taken out again, and nobody else's rows touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import streamlit as st

from dessin.collection.checks.base import Issue
from dessin.collection.curation import Change, Curation, read_curation, write_curation
from dessin.collection.issues import CHECKS
from dessin.errors import DessinError
from dessin.files import cache_folder, locked, sha256_bytes
from dessin.language import translated
from dessin.page.numbers import number
from dessin.studio.plain import Figure, one_page, show_figures, show_text
from dessin.studio.texts import Texts
from dessin.studio.views.drawings import Drawings, thumbnail

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
    """The tick of one image; a row that somebody else made is shown and cannot be changed here."""
    key = f"data.tick:{file}:{image_id}"
    theirs = change is not None and not is_own(change)
    ticked = change is not None and change.action == "drop"
    # The file is the truth: somebody may have changed it since the page was shown. Only then is the box set:
    # that takes the place of what is pressed while the page is drawn.
    if st.session_state.get(key, False) != ticked:
        st.session_state[key] = ticked
    number = place + 1 if len(_tickable(issue)) > 1 else 0
    st.checkbox(
        texts("data.drop_one", place=number) if number else texts("data.drop"),
        key=key,
        disabled=theirs,
        on_change=_turned(key, image_id, issue, file),
    )
    if theirs and change is not None:
        said = texts(f"data.is_{change.action}", label=change.label)
        show_text(f"{said}: {change.reason}", "note")


def _turned(key: str, image_id: str, issue: Issue, file: Path) -> Callable[[], None]:
    def turn() -> None:
        other = issue.other_id if issue.image_id == image_id else issue.image_id
        reason = f"{issue.issue} with {other}" if other and CHECKS[issue.issue].pairs else issue.issue
        try:
            if st.session_state[key]:
                tick(file, image_id, reason)
            else:
                untick(file, image_id)
        except DessinError as error:
            st.session_state[_TROUBLE] = str(error)

    return turn


# How the studio knows its own rows; whatever else is in the file was put there by a person or by `curate`.
MADE = "studio: "


def read_changes(path: Path) -> Mapping[str, Change]:
    """image_id → what the file says of it; empty where there is no file yet."""
    changes = read_curation(path).changes if path.exists() else ()
    return {change.image_id: change for change in changes}


def is_own(change: Change) -> bool:
    """Whether a tick made the row, so that a tick may take it out."""
    return change.action == "drop" and change.reason.startswith(MADE)


def tick(path: Path, image_id: str, reason: str) -> None:
    """Put a drop of the image into the file, new or not; an error where it has a row already."""
    with _alone(path):
        changes = read_changes(path)
        if image_id in changes:
            raise DessinError(
                f"{path} already has a row for {image_id}: {changes[image_id].action}.",
                do="Look at the page again; somebody else changed the file.",
            )
        _write(path, {**changes, image_id: Change(image_id, "drop", "", MADE + reason)})


def untick(path: Path, image_id: str) -> None:
    """Take out the row that a tick put in, if there is one; an error where the row is not a tick's."""
    with _alone(path):
        changes = dict(read_changes(path))
        change = changes.pop(image_id, None)
        if change is None:
            return
        if not is_own(change):
            raise DessinError(
                f"The row of {image_id} in {path} was not made here.", do="Change it in the file itself."
            )
        _write(path, changes)


def _write(path: Path, changes: Mapping[str, Change]) -> None:
    write_curation(Curation(tuple(changes[image_id] for image_id in sorted(changes))), path)


def _alone(path: Path) -> AbstractContextManager[None]:
    """Two browser windows tick one after the other, each on what the file then holds."""
    return locked(cache_folder() / "studio" / f"{sha256_bytes(str(path).encode())[:32]}.lock")
