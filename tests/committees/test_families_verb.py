"""The verb `families`: from out-of-fold predictions to a file, a page, and a plain sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from family_kit import CLASSES, FAMILIES, hand_run, hand_split, write_families_by_hand

from dessin.committees.answers import out_of_fold
from dessin.committees.families.result import read_families
from dessin.committees.families.verb import families
from dessin.committees.members import find_members
from dessin.errors import DessinError

SPLIT = hand_split()


def block_answers(right: float = 0.3) -> dict[str, list[float]]:
    """Each class shares all but `right` with its family; the last of a family takes the most of it."""
    answers = {}
    for label in CLASSES:
        weights = np.array([0.9 if FAMILIES[other] == FAMILIES[label] else 0.05 for other in CLASSES])
        weights[CLASSES.index(label)] = 0.0
        table = (1 - right) * weights / weights.sum()
        table[CLASSES.index(label)] = right
        answers[label] = [float(value) for value in table]
    return answers


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return hand_run(tmp_path / "lite0", SPLIT, block_answers())


def test_planted_families_are_written_and_explained(run: Path, tmp_path: Path) -> None:
    found = families([run], out=tmp_path / "out" / "families.csv")
    groups = {frozenset(found.members(name)) for name in found.names}
    assert groups == {frozenset(CLASSES[:3]), frozenset(CLASSES[3:])}
    assert read_families(tmp_path / "out" / "families.csv", CLASSES).digest == found.digest
    assert all(row.reason for row in found.rows)
    page = (tmp_path / "out" / "families.html").read_text()
    assert "Perfect router" in page
    assert "Experts can" in page


def test_two_folds_of_one_recipe_are_one_generalist(run: Path, tmp_path: Path) -> None:
    other = hand_run(tmp_path / "fold-1", SPLIT, block_answers(), fold=1)
    answers = out_of_fold(find_members([run, other]))
    assert len(answers.targets) == len(SPLIT.validation(0)) + len(SPLIT.validation(1))
    assert set(answers.folds.tolist()) == {0, 1}
    first = families([run, other], out=tmp_path / "a.csv")
    assert families([other, run], out=tmp_path / "b.csv") == first
    page = (tmp_path / "b.html").read_text().replace(str(tmp_path / "b"), str(tmp_path / "a"))
    page = page.replace("<code>b.csv</code>", "<code>a.csv</code>")
    assert page == (tmp_path / "a.html").read_text()


def test_an_asked_for_number_is_kept(run: Path, tmp_path: Path) -> None:
    assert len(families([run], out=tmp_path / "f.csv", count=4).names) == 4


def test_a_file_by_hand_is_measured_too(run: Path, tmp_path: Path) -> None:
    by_hand = write_families_by_hand(tmp_path / "mine.csv")
    found = families([run], out=tmp_path / "f.csv", source=str(by_hand))
    assert found.names == ("<b>spots", "bars")
    page = (tmp_path / "f.html").read_text()
    assert "<b>spots" not in page
    assert "&lt;b&gt;spots" in page


def test_what_is_there_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    (tmp_path / "f.html").write_text("mine")
    with pytest.raises(DessinError, match=r"f\.html already exists"):
        families([run], out=tmp_path / "f.csv")
    assert not (tmp_path / "f.csv").exists()
    assert (tmp_path / "f.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "wordnet"}, "Fewer than half of the 6 labels"),
        ({"source": "wordnets"}, 'Did you mean "wordnet"'),
        ({"source": "wordnet", "count": 3}, "Only confusions can be cut"),
        ({"count": 6}, "From 2 to 5"),
        ({"source": "missing.csv"}, "There is no file missing.csv"),
    ],
)
def test_what_cannot_be_done_is_said(run: Path, tmp_path: Path, options: dict, said: str) -> None:
    with pytest.raises(DessinError) as caught:
        families([run], out=tmp_path / "f.csv", **options)
    assert said in str(caught.value)
    assert not (tmp_path / "f.csv").exists()


def test_a_table_is_written_to_a_csv_only(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"ends in \.csv"):
        families([run], out=tmp_path / "families.html")
