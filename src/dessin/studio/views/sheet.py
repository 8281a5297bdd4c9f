"""The drawings of a class, each with a tick, and what can be done with those that are ticked: set aside, used
again, called otherwise, and all of that taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import streamlit as st

from dessin.collection.curation import Action, Change
from dessin.errors import DessinError
from dessin.page.numbers import number
from dessin.studio.curating import Rows, is_aside, mark, read_changes, reason_of, set_aside, turn_back, unmark
from dessin.studio.drawings import Drawings
from dessin.studio.plain import as_label, one_page, show_figures, show_text
from dessin.studio.texts import Texts

_A_PAGE = 24
_SIDE = 104
_TROUBLE, _UNDO = "sheet.trouble", "sheet.undo"
_MOST_STEPS = 50


def label_of(image_id: str, drawings: Drawings, changes: Mapping[str, Change]) -> str:
    """What a drawing is of, as the curation has it."""
    change = changes.get(image_id)
    return change.label if change is not None and change.action == "relabel" else drawings.labels[image_id]


def by_class(drawings: Drawings, changes: Mapping[str, Change]) -> dict[str, list[str]]:
    """The drawings of each class, as the curation has it, the newest names last."""
    members: dict[str, list[str]] = {label: [] for label in drawings.members}
    for image_id in drawings.labels:
        members.setdefault(label_of(image_id, drawings, changes), []).append(image_id)
    return members


def show_sheet(drawings: Drawings, label: str, file: Path, texts: Texts) -> None:
    """The drawings of a class; what is done with them is in the curation `file` at once."""
    trouble = st.session_state.pop(_TROUBLE, "")
    if trouble:
        show_text(trouble, "error")
    changes = read_changes(file)
    members = by_class(drawings, changes)[label]
    gone = sum(is_aside(changes.get(image_id)) for image_id in members)
    show_text(texts("data.class_says", count=len(members), dropped=gone), "note")
    shown = one_page(members, _A_PAGE, texts, key=f"data.sheet:{label}")
    chosen = _show_cells(shown, drawings, changes, file, texts)
    if members:
        _show_acts(chosen, drawings, changes, file, texts)


def _show_cells(
    shown: Sequence[str], drawings: Drawings, changes: Mapping[str, Change], file: Path, texts: Texts
) -> list[str]:
    """The drawings with their ticks; those that are ticked."""
    chosen = []
    with st.container(horizontal=True, gap="small"):
        for image_id in shown:
            change = changes.get(image_id)
            with st.container(width=_SIDE + 26):
                figure = drawings.figure(image_id, said(change, drawings, texts))
                show_figures([figure], side=_SIDE, named=False)
                if st.checkbox(as_label(figure.caption), key=_key(file, image_id)):
                    chosen.append(image_id)
    return chosen


def said(change: Change | None, drawings: Drawings, texts: Texts) -> str:
    """What the curation says of a drawing, with the reason."""
    if change is None:
        return ""
    words = texts(f"data.is_{change.action}", label=drawings.name(change.label))
    return f"{words}: {reason_of(change)}" if change.action != "relabel" else words


def _show_acts(
    chosen: Sequence[str], drawings: Drawings, changes: Mapping[str, Change], file: Path, texts: Texts
) -> None:
    seen: Rows = {image_id: changes.get(image_id) for image_id in chosen}
    none = not chosen
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        reason = texts("sheet.by_hand")
        st.button(
            texts("sheet.aside", count=len(chosen)),
            disabled=none,
            on_click=_act(file, seen, lambda: set_aside(file, chosen, reason, seen=seen)),
        )
        st.button(
            texts("sheet.use"),
            disabled=none,
            on_click=_act(file, seen, lambda: unmark(file, chosen, seen=seen)),
        )
        # Only to a class that has a drawing: a label that is in no folder is none for a verb.
        labels = [each for each in drawings.members if drawings.members[each]]
        other = st.selectbox(
            texts("sheet.other"), labels, key="sheet.other", format_func=drawings.name, width=180
        )
        st.button(
            texts("sheet.is"),
            disabled=none or other is None,
            # As it is when the button is pressed, not when it was shown.
            on_click=_act(
                file,
                seen,
                lambda: relabel(file, chosen, str(st.session_state["sheet.other"]), drawings, reason, seen),
            ),
        )
        steps = st.session_state.get(_UNDO, [])
        st.button(texts("sheet.undo", count=len(steps)), disabled=not steps, on_click=_undo)


def relabel(
    file: Path, image_ids: Sequence[str], label: str, drawings: Drawings, reason: str, seen: Rows
) -> Rows:
    """Call drawings otherwise; those that lie in that class's folder have their mark taken back."""
    home = [image_id for image_id in image_ids if drawings.labels[image_id] == label]
    rows: dict[str, Change | None] = {}
    if home:
        rows |= unmark(file, home, seen={each: seen.get(each) for each in home})
    act: tuple[Action, str, str] = ("relabel", label, reason)
    others = {image_id: act for image_id in image_ids if image_id not in home}
    if others:
        rows |= mark(file, others, seen={each: seen.get(each) for each in others})
    return rows


def show_relabel(image_id: str, label: str, drawings: Drawings, file: Path, texts: Texts) -> None:
    """A button that calls a drawing what a model takes it for; where that is done, one that takes it back."""
    change = read_changes(file).get(image_id)
    seen: Rows = {image_id: change}
    done = change is not None and change.action == "relabel" and change.label == label
    words = texts("sheet.not_so" if done else "sheet.is_a", name=as_label(drawings.name(label)))
    reason = texts("sheet.by_hand")

    def act() -> None:
        if done:
            act_on(file, seen, lambda: unmark(file, [image_id], seen=seen))
        else:
            act_on(file, seen, lambda: relabel(file, [image_id], label, drawings, reason, seen))

    st.button(words, key=f"sheet.relabel:{file}:{image_id}:{label}", on_click=act)


def act_on(file: Path, seen: Rows, do: Callable[[], Rows]) -> None:
    """Do something to a curation file, so that it can be taken back; what goes wrong is said on the page."""
    try:
        after = do()
    except DessinError as error:
        st.session_state[_TROUBLE] = str(error)
        return
    steps = st.session_state.setdefault(_UNDO, [])
    steps.append((file, dict(seen), dict(after)))
    del steps[:-_MOST_STEPS]


def _act(file: Path, seen: Rows, do: Callable[[], Rows]) -> Callable[[], None]:
    def act() -> None:
        act_on(file, seen, do)
        for image_id in seen:
            st.session_state[_key(file, image_id)] = False

    return act


def _undo() -> None:
    file, before, after = st.session_state[_UNDO].pop()
    try:
        turn_back(file, before, after)
    except DessinError as error:
        st.session_state[_TROUBLE] = str(error)


def _key(file: Path, image_id: str) -> str:
    return f"sheet.tick:{file}:{image_id}"


def class_title(drawings: Drawings, members: Mapping[str, Sequence[str]]) -> Callable[[str], str]:
    """A class with how many drawings it has, for a list to choose from."""
    return lambda label: f"{drawings.name(label)} ({number(len(members[label]))})"
