"""The verb `evaluate`: the bundle gives the run's numbers again, and the holdout opens only when asked."""

from __future__ import annotations

import csv
import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.page.numbers import share
from dessin.reports.verb import report
from dessin.runs.record import read_record, write_record
from dessin.runs.train import train
from dessin.trust.evaluate.verb import evaluate


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with apart(tmp_path_factory.mktemp("evaluate")) as folder:
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        return train(tiny_recipe("probe"), data=data, split=split, out=folder / "run")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def test_the_bundle_gives_the_runs_numbers_again(run: Path, tmp_path: Path) -> None:
    before = read_record(run)
    evaluation = evaluate(run, out=tmp_path / "out")
    assert evaluation.set_name == "validation"
    assert evaluation.metrics.accuracy == before.results["validation"].accuracy
    assert evaluation.metrics.loss.value == pytest.approx(before.results["validation"].loss.value, abs=1e-5)
    assert read_record(run) == before
    again, own = read_predictions(tmp_path / "out"), read_predictions(run / "validation")
    assert np.allclose(again.probabilities, own.probabilities, atol=1e-5)


def test_every_table_is_written_and_adds_up(run: Path, tmp_path: Path) -> None:
    evaluation = evaluate(run, out=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "classes.csv",
        "confusions.csv",
        "image_ids.csv",
        "index.html",
        "metrics.json",
        "per_class.csv",
        "predictions.csv",
        "probabilities.npy",
    ]
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    with (tmp_path / "out" / "per_class.csv").open() as file:
        classes = list(csv.DictReader(file))
    with (tmp_path / "out" / "confusions.csv").open() as file:
        confused = sum(int(row["count"]) for row in csv.DictReader(file))
    n = evaluation.metrics.n
    assert sum(int(row["n"]) for row in classes) == summary["n"] == n
    assert [row["label"] for row in classes] == sorted(CLASSES)
    assert summary["results"]["accuracy"]["value"] == pytest.approx(1 - confused / n)
    assert "holdout_opened" not in summary


def test_its_page_has_the_numbers_and_leads_back_to_the_page_above(run: Path, tmp_path: Path) -> None:
    report(run, out=tmp_path / "index.html")
    found = evaluate(run, out=tmp_path / "out", holdout=True)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert share(found.metrics.accuracy) in page
    assert "Opened: once." in page
    assert "How well does it name the drawings of data that were set aside?" in page
    assert '<a href="../index.html">How well does it name the drawings in data?</a>' in page
    # Of a page that is none of dessin nothing is known.
    (tmp_path / "index.html").write_text("<title>Another site</title>")
    evaluate(run, out=tmp_path / "again")
    again = (tmp_path / "again" / "index.html").read_text(encoding="utf-8")
    assert "Another site" not in again
    assert "set aside" not in again


def test_the_holdout_is_counted_each_time_and_is_another_set(run: Path, tmp_path: Path) -> None:
    held_out = {row.image_id for row in read_split(run / "split.csv").held_out()}
    first = evaluate(run, out=tmp_path / "first", holdout=True)
    second = evaluate(run, out=tmp_path / "second", holdout=True)
    assert (first.opened, second.opened) == (1, 2)
    assert len(read_record(run).holdout_opened) == 2
    assert set(read_predictions(run / "holdout").image_ids) == held_out
    assert read_record(run).results["holdout"].accuracy == first.metrics.accuracy
    assert first.metrics == second.metrics
    assert json.loads((tmp_path / "second" / "metrics.json").read_text())["holdout_opened"] == 2


def test_an_opening_counts_even_if_the_evaluation_then_fails(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("dessin.runs.subject"), "answer_rows", lambda *_a, **_k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(run, out=tmp_path / "out", holdout=True)
    assert len(read_record(run).holdout_opened) == 1
    assert "holdout" not in read_record(run).results


def test_other_weights_than_the_runs_are_noticed(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(import_module("dessin.trust.evaluate.verb"), "warn", warnings.append)
    path = run / "bundle" / "model.safetensors"
    state = load_file(path)
    state["head.bias"] = state["head.bias"] + torch.tensor([3.0, 0.0, 0.0])
    save_file(state, path)
    with pytest.raises(DessinError, match="digest"):
        evaluate(run)
    card = run / "bundle" / "bundle.json"
    values = json.loads(card.read_text())
    values["digests"]["weights"] = sha256_file(path)
    card.write_text(json.dumps(values))
    before = read_record(run)
    evaluate(run)
    assert any("does not give the numbers" in line for line in warnings)
    assert read_record(run).results == before.results


def test_a_split_that_the_model_was_not_trained_by_is_refused(run: Path, tmp_path: Path) -> None:
    data = Path(read_record(run).recipe.data.path or "")
    other = make_tiny_split(data, tmp_path / "other.csv", folds=4)
    with pytest.raises(DessinError, match="not the split"):
        evaluate(run, split=other)
    with pytest.raises(DessinError, match="not the split"):
        evaluate(run / "bundle", data=data, split=other)


def test_a_bundle_is_measured_with_data_and_split_but_never_on_the_holdout(run: Path) -> None:
    data = read_record(run).recipe.data.path
    expected = read_record(run).results["validation"].accuracy
    assert evaluate(run / "bundle", data=data, split=run / "split.csv").metrics.accuracy == expected
    with pytest.raises(DessinError, match="no count"):
        evaluate(run / "bundle", data=data, split=run / "split.csv", holdout=True)
    with pytest.raises(DessinError, match="No data"):
        evaluate(run / "bundle")


def test_what_is_not_there_is_said(run: Path, tmp_path: Path) -> None:
    write_record(run, read_record(run).changed(status="failed", reason="The disk is full."))
    with pytest.raises(DessinError, match="is failed \\(The disk is full"):
        evaluate(run)
    write_record(run, read_record(run).changed(status="finished", reason=""))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(DessinError, match="not empty"):
        evaluate(run, out=tmp_path / "out", holdout=True)
    assert read_record(run).holdout_opened == ()
    with pytest.raises(DessinError, match="holds no bundle"):
        evaluate(tmp_path)


def test_without_validation_or_holdout_there_is_nothing_to_measure(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "data")
    split = make_tiny_split(data, tmp_path / "split.csv", holdout=0.0)
    run = train(tiny_recipe("full", data={"fold": "none"}), data=data, split=split, out=tmp_path / "run")
    with pytest.raises(DessinError, match="fold none"):
        evaluate(run)
    with pytest.raises(DessinError, match="no holdout"):
        evaluate(run, holdout=True)
