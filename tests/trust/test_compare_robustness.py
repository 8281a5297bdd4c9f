"""`compare` beyond accuracy: two runs on the same corrupted drawings, where the suite has measured both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.files import write_json
from dessin.progress import quiet
from dessin.reading import read_json
from dessin.reports.compare.verb import compare
from dessin.runs.train import train
from dessin.trust.card.verb import card
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.robustness.result import RobustnessResult, read_answers
from dessin.trust.robustness.suite import SUITE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("robust")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, mode in (("first", "probe"), ("second", "full")):
            run = train(tiny_recipe(mode), data=data, split=split, out=folder / name, threads=1)
            evaluate(run, out=folder / f"{name}-robust", robustness=True)
        yield folder


def test_the_difference_is_that_of_the_answers_paired_by_drawing(made: Path, tmp_path: Path) -> None:
    result = compare([made / "first", made / "second"], out=tmp_path / "out")
    first, second = (read_answers(made / name) for name in ("first", "second"))
    assert first.image_ids == second.image_ids
    (pair,) = result.robustness
    assert (pair.first, pair.second) == ("second", "first")
    assert pair.robust.difference.value == pytest.approx(second.correct.mean() - first.correct.mean())
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(corruption.title in page for corruption in SUITE)


def test_a_run_against_a_copy_of_itself_differs_in_nothing(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made / "first", tmp_path / "copy")
    (pair,) = compare([made / "first", copy]).robustness
    assert {row.difference.value for row in (pair.robust, *pair.corruptions)} == {0.0}


def test_without_the_suite_nothing_is_compared_and_the_card_says_how_to_measure(
    made: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(made / "second", tmp_path / "bare")
    (bare / RobustnessResult.FILE).unlink()
    result = compare([made / "first", bare])
    assert result.robustness == ()
    facts = [next(fact for fact in card.facts if fact.key == "robust") for card in result.cards]
    assert facts[0].value
    assert facts[1].value == ""
    assert "--robustness" in facts[1].detail


def test_another_suite_is_a_caution_and_no_comparison(made: Path, tmp_path: Path) -> None:
    other = shutil.copytree(made / "second", tmp_path / "other")
    write_json(other / RobustnessResult.FILE, read_json(other / RobustnessResult.FILE) | {"suite": "0" * 64})
    result = compare([made / "first", other])
    assert result.robustness == ()
    assert any("different suites" in caution for caution in result.cautions)


def test_the_card_has_the_suite_s_mean_and_names_the_worst_corruption(made: Path, tmp_path: Path) -> None:
    found = card(made / "first", out=tmp_path / "card.html")
    answers = read_answers(made / "first")
    means = answers.correct.mean(axis=(1, 2))
    assert found.numbers["robust"].value == pytest.approx(answers.correct.mean())
    worst = next(fact for fact in found.facts if fact.key == "robust").detail
    lowest = {SUITE[row].title for row in np.flatnonzero(means == means.min())}
    assert any(title in worst for title in lowest)
