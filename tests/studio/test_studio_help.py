"""What the page Teach says after teaching: what would help most, and whose drawings fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from ensemble_kit import LABELS, Answers, cast_run, truth
from streamlit.testing.v1 import AppTest
from studio_kit import checked, words

from dessin.collection.split.files import Split
from dessin.collection.split.plan import make_split
from dessin.page.words import plain
from dessin.reports.run.measure import groups_worst_first, judged_set, what_helps
from dessin.reports.run.view import groups_in_words, help_in_words
from dessin.studio.texts import texts_in

TEXTS = texts_in("en")
PEOPLE, EACH = 9, 6


def split_by_people(*, asked: str) -> Split:
    labels = {
        f"{label}/p{who}_{n}.png": label for label in LABELS for who in range(PEOPLE) for n in range(EACH)
    }
    groups = {image_id: image_id.partition("/")[2].partition("_")[0] for image_id in labels}
    return replace(make_split(labels, groups, folds=3, holdout=0.0, seed=0), group_by=asked)


def answers(split: Split, *, wrong: str) -> Answers:
    """All right but the drawings of one person, which are taken for the class that follows."""
    table = np.full((len(split.rows), len(LABELS)), 0.1, dtype=np.float32)
    fails = np.array([row.group == wrong for row in split.rows])
    table[np.arange(len(table)), (truth(split) + fails) % len(LABELS)] = 0.7
    return table


def shown(best: Path) -> str:
    script = f"""
from pathlib import Path
from dessin.studio.texts import texts_in
from dessin.studio.views.help import show_groups
show_groups(Path({str(best)!r}), texts_in("en"))
"""
    return words(checked(AppTest.from_string(script, default_timeout=60).run()))


def test_who_fails_and_what_would_help_are_said_as_in_the_report(tmp_path: Path) -> None:
    split = split_by_people(asked=r"pattern /(p\\d)_")
    worst = split.validation(0)[0].group
    best = cast_run(tmp_path / "best", split, answers(split, wrong=worst))
    found = judged_set(best, "validation", split)
    said = shown(best)
    assert groups_in_words(groups_worst_first(found)) in said
    assert f"{worst} fail more often than chance explains" in said
    notes = help_in_words(what_helps(found, split), dict(zip(split.classes, split.classes, strict=True)))
    assert notes
    assert all(plain(note) in said for note in notes)
    assert f'<td data-title="{TEXTS("help.who")}">{worst}</td>' in said
    assert said.index(worst) < said.index(f"{EACH * len(LABELS)} / {EACH * len(LABELS)}")


def test_where_nobody_said_who_drew_no_person_is_named(tmp_path: Path) -> None:
    split = split_by_people(asked="")
    worst = split.validation(0)[0].group
    said = shown(cast_run(tmp_path / "best", split, answers(split, wrong=worst)))
    assert TEXTS("help.most") in said
    assert TEXTS("help.whose") not in said
    assert worst not in said


def test_a_model_without_answers_says_nothing(tmp_path: Path) -> None:
    assert shown(tmp_path / "none") == ""
