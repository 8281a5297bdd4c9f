"""`evaluate` on committees: fold by fold, the holdout counted in the committee, and the gain of views."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.committee import read_committee
from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.committees.ensemble.verb import ensemble
from dessin.errors import DessinError
from dessin.progress import quiet
from dessin.reading import read_json
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.training.views import VIEWS
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow

LOOKS = ("hflip", "larger")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("committee")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, seed in (("a", 0), ("b", 1)):
            recipe = tiny_recipe("probe", seed=seed)
            train(recipe, folds="all", data=data, split=split, out=folder / name, threads=1)
        ensemble([folder / "a", folder / "b"], out=folder / "ensemble", select="all")
        yield folder


@pytest.fixture
def committee(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "ensemble" / "committee", tmp_path / "committee")


def test_a_committee_answers_each_fold_without_the_models_that_saw_it(
    made: Path, committee: Path, tmp_path: Path
) -> None:
    evaluate(committee, out=tmp_path / "out")
    found = read_predictions(tmp_path / "out")
    parts = [read_predictions(made / name / "validation") for name in ("a", "b")]
    rows = [part.image_ids.index(image_id) for part in parts[:1] for image_id in found.image_ids]
    mean = np.mean([part.probabilities[rows] for part in parts], axis=0)
    np.testing.assert_allclose(found.probabilities, mean, atol=1e-5)
    assert not (committee / "validation").exists()


def test_the_holdout_is_counted_in_the_committee_before_a_number_is_known(
    committee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = {row.image_id for row in read_split(committee / "split.csv").held_out()}
    first = evaluate(committee, out=tmp_path / "first", holdout=True)
    second = evaluate(committee, out=tmp_path / "second", holdout=True)
    assert (first.opened, second.opened) == (1, 2)
    assert len(read_committee(committee).holdout_opened) == 2
    assert set(read_predictions(committee / "holdout").image_ids) == held_out
    assert first.metrics == second.metrics
    monkeypatch.setattr(import_module("dessin.runs.subject"), "answer_rows", lambda *_a, **_k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(committee, holdout=True)
    assert len(read_committee(committee).holdout_opened) == 3


def test_views_are_compared_with_the_plain_look_and_change_no_record(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "a" / "fold-0", tmp_path / "run")
    before = read_record(run)
    found = evaluate(run, out=tmp_path / "out", views=LOOKS)
    plain = read_predictions(run / "validation")
    seen = read_predictions(tmp_path / "out")
    right = [(answers.order[:, 0] == answers.targets).mean() for answers in (seen, plain)]
    assert found.views is not None
    assert found.views.views == ("identity", *LOOKS)
    assert found.views.gain.difference.value == pytest.approx(right[0] - right[1])
    assert found.metrics.accuracy.value == pytest.approx(right[0])
    assert read_json(tmp_path / "out" / "views.json")["gain"]["verdict"] == found.views.gain.verdict
    assert read_record(run) == before


def test_a_view_that_changes_nothing_gains_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VIEWS, "hflip", lambda pixels, _: pixels)
    found = evaluate(made / "b" / "fold-1", views=["hflip"])
    assert found.views is not None
    assert found.views.gain.difference.value == 0.0
    assert "better" not in found.views.gain.verdict_text


def test_what_a_choice_was_made_on_is_said(committee: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(import_module("dessin.trust.evaluate.verb"), "say", said.append)
    evaluate(committee)
    assert any("on images that the choice did not see" in line for line in said)


def test_another_split_is_refused(made: Path, committee: Path, tmp_path: Path) -> None:
    other = make_tiny_split(made / "data", tmp_path / "other.csv", folds=4)
    with pytest.raises(DessinError, match="not the split"):
        evaluate(committee, split=other)
    (committee / "split.csv").unlink()
    with pytest.raises(DessinError, match="No split"):
        evaluate(committee)
