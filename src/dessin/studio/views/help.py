"""Help that knows: which class needs drawings most, whose drawings fail, and by how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dessin.collection.curation import Change
from dessin.collection.duplicates import find_duplicates, group_images
from dessin.collection.names import class_names
from dessin.collection.readers.groups import Hands, group_by_pattern, whose
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split, read_split
from dessin.errors import DessinError
from dessin.page.numbers import number, share
from dessin.page.words import plain
from dessin.progress import quiet
from dessin.reports.run.measure import Judged, groups_worst_first, judged_set, what_helps
from dessin.reports.run.view import groups_in_words, help_in_words
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.intervals import Estimate
from dessin.studio.curating import is_aside
from dessin.studio.drawings import Drawings, file_stamp
from dessin.studio.plain import as_label, show_heading, show_table, show_text
from dessin.studio.texts import Texts
from dessin.studio.views.sheet import by_class, label_of

# Of each class, below which a model can be neither taught nor judged: one for each fold; and a good number.
FEWEST, GOOD = 5, 20
_GROUPS = 12


@dataclass(frozen=True)
class Counted:
    """Usable drawings of each class."""

    counts: Mapping[str, int]

    @property
    def ready(self) -> bool:
        """Whether something can be taught."""
        return (
            len(self.counts) > 1
            and all(count >= FEWEST for count in self.counts.values() if count)
            and (sum(count > 0 for count in self.counts.values()) > 1)
        )


def usable(drawings: Drawings, changes: Mapping[str, Change]) -> Counted:
    members = by_class(drawings, changes)
    return Counted(
        {label: sum(not is_aside(changes.get(each)) for each in ids) for label, ids in members.items()}
    )


def show_needs(drawings: Drawings, changes: Mapping[str, Change], best: Path | None, texts: Texts) -> None:
    """Which class needs drawings most: those that have too few, then those that the model knows least."""
    counts = usable(drawings, changes).counts
    if not counts:
        return
    fewest = min(counts, key=lambda label: (counts[label], label))
    if len(counts) == 1:
        show_text(texts("help.second_class"), "note")
    elif counts[fewest] < FEWEST:
        values = {"name": drawings.name(fewest), "count": counts[fewest], "fewest": FEWEST}
        show_text(texts("help.too_few", **values), "note")
    elif best is not None and (weakest := _weakest(best)):
        label, right = weakest
        show_text(texts("help.weakest", name=drawings.name(label), accuracy=share(right), n=right.n), "note")
    elif counts[fewest] < GOOD:
        values = {"name": drawings.name(fewest), "count": counts[fewest], "good": GOOD}
        show_text(texts("help.few", **values), "note")


def _weakest(best: Path) -> tuple[str, Estimate] | None:
    """The class that a model names right least often, of the drawings that it was not taught."""
    try:
        found, _ = _judged(str(best), file_stamp(best / "validation" / "predictions.csv"))
    except DessinError:
        return None
    asked = [(row.recall, row.label) for row in found.metrics.per_class if row.recall]
    right, label = min(asked, key=lambda each: (each[0].value, each[1]))
    return (label, right) if right.value < 1.0 else None


def show_hands(drawings: Drawings, texts: Texts) -> Hands | None:
    """Ask whether file names say who drew; what they say where the answer is yes."""
    hands = whose(drawings.collection)
    if hands is None:
        return None
    words = texts("help.hands", groups=hands.groups, example=as_label(hands.example))
    return hands if st.checkbox(words, value=True, key="teach.hands", help=texts("help.hands_help")) else None


def untestable(
    drawings: Drawings, changes: Mapping[str, Change], hands: Hands | None, cache: Path | None, texts: Texts
) -> str:
    """Why no model of these drawings could be tested, as copies, and with `hands` the drawings of one person,
    are taught or tested on together; empty where one can. Every drawing is looked at, as teaching does first.

    Raises:
        DessinError: a drawing was changed meanwhile.
    """
    manifest = drawings.manifest
    with quiet():
        scan = scan_images(manifest, cache=cache)
        pairs = find_duplicates(manifest, scan)
    read = {
        row.image_id: label_of(row.image_id, drawings, changes)
        for row, measured in zip(manifest.rows, scan.measurements, strict=True)
        if measured.readable and not is_aside(changes.get(row.image_id))
    }

    def of_class(people: Mapping[str, str]) -> Counter[str]:
        """How many groups each class has; under no name, how many there are."""
        group = group_images(drawings.labels, people, pairs)
        found = {(label, group[each]) for each, label in read.items()}
        return Counter({**Counter(label for label, _ in found), "": len({each for _, each in found})})

    differ = of_class({})
    for label, count in Counter(read.values()).items():
        if differ[label] == 1:
            return texts("help.copies", name=drawings.name(label), count=count)
    if differ[""] < FEWEST:
        return texts("help.few_differ", count=len(read), differ=differ[""], fewest=FEWEST)
    if hands is not None:
        people = {
            each.image_id: each.group for each in group_by_pattern(drawings.collection.items, hands.pattern)
        }
        drew = of_class(people)
        if drew[""] < FEWEST or 1 in drew.values():
            return texts("help.few_people")
    return ""


def show_groups(best: Path, texts: Texts) -> None:
    """What would help a model most, and whose drawings fail where it was tested on people that it had not
    seen, as its report has it."""
    try:
        found, split = _judged(str(best), file_stamp(best / "validation" / "predictions.csv"))
    except DessinError:
        return
    notes = help_in_words(what_helps(found, split), class_names(split.classes))
    if notes:
        show_heading(texts("help.most"))
    for note in notes:
        show_text(plain(note))
    rows = groups_worst_first(found) if split.group_by else ()
    if len(rows) < 2:
        return
    show_heading(texts("help.whose"))
    show_text(groups_in_words(rows))
    titles = (texts("help.who"), texts("help.right"), texts("help.wrong"))
    cells = [(row.name, share(row.right), f"{number(row.mistakes)} / {number(row.right.n)}") for row in rows]
    show_table(titles, cells[:_GROUPS])


@st.cache_resource(max_entries=16, show_spinner=False)
def _judged(best: str, stamp: str) -> tuple[Judged, Split]:  # noqa: ARG001
    split = read_split(Path(best) / SPLIT_FILE)
    return judged_set(Path(best), "validation", split), split
