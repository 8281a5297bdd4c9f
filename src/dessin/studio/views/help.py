"""Help that knows: which class needs drawings most, whose drawings fail, and by how much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.curation import Change
from dessin.collection.readers.groups import Hands, whose
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.page.numbers import share
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.studio.curating import is_aside
from dessin.studio.drawings import Drawings, file_stamp
from dessin.studio.plain import as_label, show_text
from dessin.studio.texts import Texts
from dessin.studio.views.sheet import by_class

# Of each class, below which a model can be neither taught nor judged: one for each fold; and a good number.
FEWEST, GOOD = 5, 20
_LEAST_OF_A_GROUP = 3


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
    answers = _answers(best)
    if answers is None or answers.correct.all():
        return None
    recalls = {
        label: float(answers.correct[np.array(answers.labels) == label].mean())
        for label in set(answers.labels)
    }
    label = min(recalls, key=lambda each: (recalls[each], each))
    right = answers.correct[np.array(answers.labels) == label].astype(np.float64)
    return label, bootstrap_mean(right, np.arange(len(right)))


def show_hands(drawings: Drawings, texts: Texts) -> Hands | None:
    """Ask whether file names say who drew; what they say where the answer is yes."""
    hands = whose(drawings.collection)
    if hands is None:
        return None
    words = texts("help.hands", groups=hands.groups, example=as_label(hands.example))
    return hands if st.checkbox(words, value=True, key="teach.hands", help=texts("help.hands_help")) else None


def show_groups(best: Path, texts: Texts) -> None:
    """Whose drawings fail most, where the model was tested on people that it had not seen."""
    answers = _answers(best)
    if answers is None:
        return
    split = read_split(best / SPLIT_FILE)
    if not split.group_by:
        return
    group_of = {row.image_id: row.group for row in split.rows}
    right: dict[str, list[bool]] = defaultdict(list)
    for image_id, correct in zip(answers.image_ids, answers.correct.tolist(), strict=True):
        right[group_of.get(image_id, "")].append(correct)
    several = {who: found for who, found in right.items() if who and len(found) >= _LEAST_OF_A_GROUP}
    if len(several) < _LEAST_OF_A_GROUP:
        return
    worst = min(several, key=lambda who: (sum(several[who]) / len(several[who]), who))
    wrong = len(several[worst]) - sum(several[worst])
    if wrong:
        show_text(texts("help.worst", who=worst, wrong=wrong, n=len(several[worst])), "note")


def _answers(best: Path) -> Predictions | None:
    kept = best / "validation"
    try:
        return _read(str(kept), file_stamp(kept / "predictions.csv"))
    except DessinError:
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(folder: str, stamp: str) -> Predictions:  # noqa: ARG001
    return read_predictions(Path(folder))
