"""A group of folds is a run: its figure is the out-of-fold one, in a report, the wrap-up, a comparison."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.page.numbers import share, times
from dessin.progress import quiet
from dessin.reports.compare.verb import compare
from dessin.reports.verb import report
from dessin.runs.fold_group import FoldGroup, run_record
from dessin.runs.record import read_record, write_record
from dessin.runs.train import train
from dessin.trust.card.verb import card
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("groups")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, recipe in (("plain", tiny_recipe("probe")), ("gray", tiny_recipe("probe", seed=3))):
            train(recipe, folds="all", data=data, split=split, out=folder / name, threads=1)
        train(tiny_recipe("probe"), folds="0,1", data=data, split=split, out=folder / "two", threads=1)
        yield folder


def text_of(page: Path) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page.read_text())))


def test_the_record_of_a_group_is_that_of_its_folds_together(made: Path) -> None:
    found = run_record(made / "plain")
    parts = [read_record(made / "plain" / f"fold-{fold}") for fold in range(3)]
    split, answers = read_split(made / "split.csv"), read_predictions(made / "plain" / "validation")
    assert found.results["validation"].accuracy.value == pytest.approx(float(answers.correct.mean()))
    assert found.counts.validation == len(split.training(None)) == sum(p.counts.validation for p in parts)
    assert sum(found.timings.values()) == pytest.approx(sum(sum(p.timings.values()) for p in parts))
    assert found.status == "finished"


def test_its_report_has_the_out_of_fold_figure_and_no_single_fold_s(made: Path, tmp_path: Path) -> None:
    text = text_of(report(made / "plain", out=tmp_path / "page.html"))
    whole = run_record(made / "plain").results["validation"]
    assert share(whole.accuracy) in text
    assert "Each was named by a model that had not learnt from it (out of fold)" in text
    assert "--folds 0,1,2" in text
    assert "validation fold" not in text


def test_the_wrap_up_s_final_result_is_the_group_s(made: Path, tmp_path: Path) -> None:
    group = shutil.copytree(made / "plain", tmp_path / "plain")
    evaluate(group, holdout=True)
    text = text_of(report(made / "gray", group, out=tmp_path / "page.html"))
    found = run_record(group).results
    accuracy = found["holdout"].accuracy
    assert f"of {accuracy.n} drawings are named right by “plain”" in text
    assert share(accuracy) in text
    assert share(found["validation"].accuracy) in text, "beside it, the out-of-fold figure"
    untouched = text_of(report(made / "gray", made / "plain", out=tmp_path / "other.html"))
    assert f"of {found['validation'].accuracy.n} drawings are named right by “plain”" in untouched
    assert "Each was named by a model that had not learnt from it (out of fold)" in untouched
    assert "2 groups" not in text
    assert "6 runs" in text, "each fold is a run that was trained"
    assert f"Its holdout was opened {times(1)}" in text
    assert "Opened once, over the 6 runs and 2 committees" in text


def test_groups_are_compared_over_all_their_drawings_and_folds(made: Path, tmp_path: Path) -> None:
    found = compare([made / "plain", made / "gray"], out=tmp_path / "out")
    first, second = (read_predictions(made / name / "validation") for name in ("plain", "gray"))
    expected = second.of(first.image_ids).correct.mean() - first.correct.mean()
    assert found.images == len(first.image_ids)
    (comparison,) = found.comparisons
    assert comparison.difference.value == pytest.approx(float(np.float64(expected)))
    assert comparison.cells == 3
    assert comparison.scope == "recipes"
    assert [run.fold for run in found.runs] == ["0, 1, 2"] * 2
    assert not any("one training each" in caution for caution in found.cautions)


def test_a_group_of_some_folds_stands_for_these_alone(made: Path) -> None:
    found = run_record(made / "two")
    split = read_split(made / "split.csv")
    assert found.counts.validation == len(split.validation(0)) + len(split.validation(1))
    with pytest.raises(DessinError, match="compared on the very same images"):
        compare([made / "plain", made / "two"])


def test_its_card_is_from_what_it_kept_without_its_drawings(made: Path, tmp_path: Path) -> None:
    found = card(made / "plain", out=tmp_path / "card.html")
    assert found.measured_on == "validation"
    assert found.numbers["validation"] == run_record(made / "plain").results["validation"].accuracy


def test_an_unfinished_group_says_which_fold_and_how_to_go_on(made: Path, tmp_path: Path) -> None:
    group = shutil.copytree(made / "plain", tmp_path / "plain")
    FoldGroup.read(group).model_copy(update={"results": None}).write(group)
    fold = group / "fold-1"
    write_record(fold, read_record(fold).changed(status="failed", reason="no power", results={}))
    with pytest.raises(DessinError, match=r"failed \(fold-1: no power") as caught:
        report(group, out=tmp_path / "page.html")
    assert f"--resume {group}" in str(caught.value)
    assert "fold-1: no power" in text_of(report(made / "gray", group, out=tmp_path / "page.html"))
