"""The page Teach: a budget of minutes, how far it is, stop and go on; what came of it, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dessin.answers.committee import AUTO_BEST
from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.language import speaking
from dessin.page.numbers import number, points, share
from dessin.progress import duration
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.comparison import judge
from dessin.statistics.contrasts import Contrast, two_models
from dessin.studio.curating import read_changes
from dessin.studio.drawings import curation_of, file_stamp, read_drawings
from dessin.studio.plain import choose_collection, go_to, keep_model, show_facts, show_heading, show_text
from dessin.studio.teaching import Teaching, cache_of, go_on, start, stop, teachings
from dessin.studio.texts import Texts
from dessin.studio.views.help import show_groups, show_hands, show_needs, untestable, usable
from dessin.studio.workspace import Workspace

_MINUTES, _MOST_MINUTES = 5, 24 * 60
_EVERY_S = 2.0
_LINES = 12
# Of accuracy, that would matter in a classroom.
_MATTERS = 0.02


def show_teach(workspace: Workspace, texts: Texts) -> None:
    """Teach a model of a collection's drawings, or see how far it is."""
    if not workspace.collections:
        show_text(texts("collect.none"))
        return
    collection = choose_collection(workspace, texts)
    every = teachings(workspace, collection)
    last = every[-1] if every else None
    if last is not None and last.standing == "running":
        _show_running(workspace, collection, texts)
        return
    if last is not None:
        _show_last(workspace, collection, last, texts)
    _show_changes(every, texts)
    _offer(workspace, collection, every, texts)
    if len(every) > 1:
        with st.expander(texts("teach.earlier")):
            for each in every[:-1]:
                accuracy = share(each.accuracy) if each.accuracy else texts("teach.no_model")
                show_text(f"{each.name}: {accuracy}")


def _offer(workspace: Workspace, collection: str, every: tuple[Teaching, ...], texts: Texts) -> None:
    """What there is to teach, and the button that begins."""
    drawings = read_drawings(workspace, collection)
    curation = workspace.path(curation_of(workspace, collection))
    changes = read_changes(curation)
    counted = usable(drawings, changes)
    show_heading(texts("teach.again" if every else "teach.first"))
    counts = ", ".join(f"{drawings.name(label)} {number(count)}" for label, count in counted.counts.items())
    show_text(texts("teach.of", counts=counts or "0"), "note")
    best = next((each.folder / AUTO_BEST for each in reversed(every) if each.has_model), None)
    show_needs(drawings, changes, best, texts)
    if not counted.ready:
        if st.button(texts("collect.add")):
            go_to("collect")
        return
    minutes = st.number_input(texts("teach.minutes"), 1, _MOST_MINUTES, _MINUTES, key="teach.minutes")
    hands = show_hands(drawings, texts)
    if st.button(texts("teach.start", minutes=int(minutes)), type="primary"):
        with st.spinner(texts("teach.looks")):
            fault = untestable(drawings, changes, hands, cache_of(workspace, collection), texts)
        if fault:
            show_text(fault, "error")
            return
        start(
            workspace,
            collection,
            minutes=float(minutes),
            curation=curation,
            group=hands.pattern if hands else "",
            language=texts.language,
        )
        st.rerun()


# A fragment: how far it is is looked at every few seconds, and nothing else of the page.
@st.fragment(run_every=_EVERY_S)
def _show_running(workspace: Workspace, collection: str, texts: Texts) -> None:
    with speaking(texts.language):
        every = teachings(workspace, collection)
        if not every or every[-1].standing != "running":
            st.cache_data.clear()
            st.rerun()
        now = every[-1]
        st.progress(now.share, texts("teach.doing", what=now.doing or texts("teach.begins")))
        _show_facts(now, texts)
        show_text(texts("teach.goes_on"), "note")
        if st.button(texts("teach.stop")):
            with st.spinner(texts("teach.stopping")):
                stop(workspace, collection, now)
            st.rerun()
        _show_steps(now, texts)


def _show_facts(now: Teaching, texts: Texts) -> None:
    accuracy = now.accuracy
    right = (share(accuracy, 0), f"n = {number(accuracy.n)}") if accuracy else texts("teach.none_yet")
    used = texts("teach.used_of", used=duration(now.seconds), budget=duration(60 * now.begun.minutes))
    show_facts([(texts("teach.accuracy"), right), (texts("teach.used"), used)])


def _show_steps(now: Teaching, texts: Texts) -> None:
    for step in now.steps:
        show_text(step, "note")
    with st.expander(texts("teach.said")):
        for line in now.said[-_LINES:]:
            show_text(line, "note")


def _show_last(workspace: Workspace, collection: str, last: Teaching, texts: Texts) -> None:
    """What came of the last one."""
    if last.standing == "finished":
        show_text(texts("teach.finished"), "good")
    elif last.standing == "stopped":
        show_text(texts("teach.stopped"), "warn")
    else:
        said = " ".join(last.said[-3:]).removeprefix("dessin: ")
        show_text(texts("teach.failed", said=said), "error")
    _show_facts(last, texts)
    if last.has_model:
        show_groups(last.folder / AUTO_BEST, texts)
        if st.button(texts("teach.try"), type="primary"):
            keep_model(last.folder.relative_to(workspace.root).as_posix())
            st.cache_data.clear()
            go_to("try")
    if last.standing != "finished" and st.button(texts("teach.go_on")):
        go_on(workspace, collection, last)
        st.rerun()


def _show_changes(every: tuple[Teaching, ...], texts: Texts) -> None:
    """What teaching again has changed, on the drawings that both were asked about and had not seen."""
    done = [each for each in every if each.has_model]
    if len(done) < 2:
        return
    show_heading(texts("teach.changed"))
    before, after = (each.folder / AUTO_BEST for each in done[-2:])
    stamp = " ".join(file_stamp(folder / "validation" / "predictions.csv") for folder in (before, after))
    try:
        found = compared(str(before), str(after), stamp)
    except DessinError as error:
        show_text(str(error), "warn")
        return
    if found is None:
        show_text(texts("teach.incomparable"), "note")
        return
    change, righted, wronged = found
    verdict, _ = judge(change, change.p, _MATTERS)
    words = texts(
        "teach.difference",
        verdict=texts(f"verdict.{verdict}"),
        difference=points(change.by_image),
        n=change.images,
    )
    show_text(f"{words[0].upper()}{words[1:]}", "good" if verdict == "better" else "text")
    show_text(texts("teach.turned", righted=righted, wronged=wronged), "note")


@st.cache_resource(max_entries=16, show_spinner=False)
def compared(before: str, after: str, stamp: str) -> tuple[Contrast, int, int] | None:  # noqa: ARG001
    """The later model's accuracy minus the earlier one's, on the drawings that both were asked about, and how
    many the later one has right that the other had not, and the other way round; None without any.

    A drawing that was relabelled in between counts by its later name.
    """
    first, second = (read_predictions(Path(folder) / "validation") for folder in (before, after))
    label = dict(zip(second.image_ids, second.labels, strict=True))
    both = sorted(set(first.image_ids) & set(second.image_ids))
    if not both or set(label.values()) - set(first.classes):
        return None
    groups = {row.image_id: row.group for row in read_split(Path(after) / SPLIT_FILE).rows}
    earlier, later = first.of(both), second.of(both)
    wanted = [label[image_id] for image_id in both]
    was, is_now = (_right(each, wanted) for each in (earlier, later))
    change = two_models(is_now, was, [groups.get(image_id, "") for image_id in both])
    return change, int((is_now & ~was).sum()), int((was & ~is_now).sum())


def _right(answers: Predictions, wanted: Sequence[str]) -> NDArray[np.bool_]:
    """Whether the likeliest class is the one that is wanted, (N,)."""
    named = np.array(answers.classes)[answers.probabilities.argmax(axis=1)]
    return np.asarray(named == np.array(wanted), dtype=np.bool_)
