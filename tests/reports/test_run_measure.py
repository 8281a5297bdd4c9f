"""What a run's report counts: classes that are mixed up, what would help most, whose drawings fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dessin.answers.predictions import Predictions
from dessin.collection.split.files import Assignment, Split
from dessin.reports.run.measure import Judged, groups_worst_first, mixed_up, surest, what_helps
from dessin.statistics.metrics import measure

CLASSES = ("bird", "fish", "frog")


def judged(answers: Sequence[tuple[str, str, float]], groups: Sequence[str] | None = None) -> Judged:
    """From the label, the answer and its probability of each drawing."""
    table = np.empty((len(answers), len(CLASSES)), dtype=np.float32)
    for row, (_, answer, sure) in enumerate(answers):
        table[row] = (1 - sure) / (len(CLASSES) - 1)
        table[row, CLASSES.index(answer)] = sure
    ids = tuple(f"{row:03d}.png" for row in range(len(answers)))
    kept = Predictions(ids, CLASSES, table, tuple(label for label, _, _ in answers), ("0",) * len(ids))
    names = tuple(groups or ids)
    return Judged("validation", kept, names, measure(table, kept.targets, names, CLASSES))


def split_of(counts: dict[str, int]) -> Split:
    rows = tuple(
        Assignment(f"{label}{number}", label, f"{label}{number}", number % 2)
        for label, count in counts.items()
        for number in range(count)
    )
    return Split(0, 2, 0.0, "rule", "digest", "", CLASSES, rows)


RIGHT = [(label, label, 0.8) for label in CLASSES for _ in range(8)]


def test_two_classes_are_mixed_up_whichever_way_it_goes() -> None:
    found = judged(
        [*RIGHT, ("frog", "fish", 0.6), ("frog", "fish", 0.7), ("fish", "frog", 0.5), ("bird", "fish", 0.5)]
    )
    first, second = mixed_up(found.metrics)
    assert (first.first, first.second, first.there, first.count, first.of) == ("frog", "fish", 2, 3, 19)
    assert (second.first, second.second, second.count, second.of) == ("bird", "fish", 1, 18)


def test_what_helps_names_pairs_that_are_mixed_up_twice_thin_classes_and_doubtful_labels() -> None:
    wrong = [("frog", "fish", 0.6), ("frog", "fish", 0.95), ("bird", "fish", 0.5)]
    found = what_helps(judged([*RIGHT, *wrong]), split_of({"bird": 20, "fish": 20, "frog": 9}))
    assert [(pair.first, pair.second) for pair in found.mixed] == [("frog", "fish")]
    assert [(thin.label, thin.drawings, thin.usual) for thin in found.thin] == [("frog", 9, 20)]
    assert (found.mistakes, found.pairs, found.sure) == (3, 2, 1)


def test_of_a_thin_class_that_is_named_as_well_as_the_others_nothing_is_said() -> None:
    found = what_helps(judged([*RIGHT, ("bird", "fish", 0.5)]), split_of({"bird": 20, "fish": 20, "frog": 5}))
    assert found.thin == ()
    assert found.mixed == ()


@pytest.mark.parametrize("of_anna", [1.0, 0.0])
def test_a_pupil_whose_drawings_fail_is_told_from_chance(of_anna: float) -> None:
    """Six pupils of eight drawings each; of all but Anna every eighth is named wrong."""
    answers, groups = [], []
    for pupil in ("anna", "ben", "cem", "dora", "emil", "fay"):
        for number in range(8):
            fails = number / 8 < of_anna if pupil == "anna" else number == 0
            answers.append(("fish", "frog" if fails else "fish", 0.8))
            groups.append(pupil)
    rows = groups_worst_first(judged(answers, groups))
    assert len(rows) == 6
    assert [row.name for row in rows if row.worse] == (["anna"] if of_anna else [])
    assert rows[0].name == ("anna" if of_anna else "ben")
    assert rows[0].right.value == pytest.approx(0.0 if of_anna else 7 / 8)


def test_two_drawings_of_a_pupil_say_nothing() -> None:
    assert [row.name for row in groups_worst_first(judged(RIGHT[:5], ["a", "a", "b", "b", "b"]))] == ["b"]


def test_typical_drawings_are_named_right_and_sure() -> None:
    found = judged(
        [("frog", "frog", 0.5), ("frog", "frog", 0.9), ("fish", "frog", 1.0), ("frog", "fish", 0.9)]
    )
    assert surest(found.answers, "frog", 5) == ("001.png", "000.png")
    assert [int(row) for row in found.mistakes] == [2, 3]
