"""`train --folds`: ordinary runs joined out of fold, killed and gone on with, voting as one model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin import progress
from dessin.answers.committee import load_committee
from dessin.answers.inference import answer_rows
from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.progress import quiet
from dessin.reading import read_json
from dessin.runs import folds as folds_module
from dessin.runs.inputs import read_inputs
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.serving.runtime import Runtime
from dessin.training.device import choose_device
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow

WEIGHTS = "bundle/model.safetensors"


@dataclass(frozen=True)
class World:
    data: Path
    split: Path
    group: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with apart(tmp_path_factory.mktemp("folds")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        group = train(tiny_recipe(), folds="all", data=data, split=split, out=folder / "group", threads=1)
        yield World(data, split, group)


def weights(group: Path) -> list[str]:
    return [sha256_file(run / WEIGHTS) for run in sorted(group.glob("fold-*"))]


def test_every_image_is_answered_once_by_the_model_that_did_not_see_it(world: World) -> None:
    split = read_split(world.split)
    joined = read_predictions(world.group / "validation")
    assert list(joined.image_ids) == [row.image_id for row in split.rows if row.fold is not None]
    assert joined.folds == tuple(str(row.fold) for row in split.rows if row.fold is not None)
    for fold in range(split.folds):
        own = read_predictions(world.group / f"fold-{fold}" / "validation")
        rows = [joined.image_ids.index(image_id) for image_id in own.image_ids]
        np.testing.assert_array_equal(joined.probabilities[rows], own.probabilities)


def test_the_results_are_those_of_the_joined_table(world: World) -> None:
    joined = read_predictions(world.group / "validation")
    values = read_json(world.group / "folds.json")
    right = float((joined.order[:, 0] == joined.targets).mean())
    assert values["results"]["accuracy"]["value"] == pytest.approx(right)
    assert values["results"]["accuracy"]["n"] == len(joined.image_ids)
    assert values["by_fold"].keys() == {"0", "1", "2"}


def test_a_fold_of_a_group_is_the_run_that_train_alone_gives(world: World, tmp_path: Path) -> None:
    recipe = tiny_recipe(data={"fold": 1})
    alone = train(recipe, data=world.data, split=world.split, out=tmp_path / "alone", threads=1)
    assert sha256_file(alone / WEIGHTS) == sha256_file(world.group / "fold-1" / WEIGHTS)
    assert read_record(world.group / "fold-1").recipe.data.fold == 1


def test_the_group_answers_by_the_mean_of_its_models(world: World) -> None:
    loaded = load_committee(world.group)
    inputs = read_inputs(world.data, world.split, None)
    ids = [row.image_id for row in inputs.split.held_out()]

    def answers(model: Path) -> np.ndarray:
        return Runtime.load(model).predict_paths([world.data / i for i in ids]).probabilities

    mean = np.mean([answers(run) for run in sorted(world.group.glob("fold-*"))], axis=0)
    np.testing.assert_allclose(answers(world.group), mean, atol=1e-6)
    device = choose_device().value
    stored = answer_rows(
        loaded, lambda i: inputs.open_store(i.spec, i.interpolation), ids, device=torch.device(str(device))
    )
    np.testing.assert_allclose(stored, mean, atol=1e-5)


def test_the_group_evaluates_to_its_own_out_of_fold_results(world: World, tmp_path: Path) -> None:
    found = evaluate(world.group, out=tmp_path / "out")
    values = read_json(world.group / "folds.json")
    assert found.metrics.accuracy.value == pytest.approx(values["results"]["accuracy"]["value"])
    again = read_predictions(tmp_path / "out")
    joined = read_predictions(world.group / "validation")
    rows = [again.image_ids.index(image_id) for image_id in joined.image_ids]
    np.testing.assert_allclose(again.probabilities[rows], joined.probabilities, atol=1e-5)


def test_a_group_that_was_stopped_goes_on_to_the_same_bytes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun = folds_module.begin_run, []

    def stopped(*arguments: object, **settings: object) -> Path:
        begun.append(settings)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(folds_module, "begin_run", stopped)
    group = tmp_path / "group"
    with pytest.raises(KeyboardInterrupt):
        train(tiny_recipe(), folds="all", data=world.data, split=world.split, out=group, threads=1)
    assert not (group / "committee.json").exists()
    monkeypatch.setattr(folds_module, "begin_run", real)
    kept = (group / "fold-0" / "record.json").read_bytes()
    train(resume=group)
    assert (group / "fold-0" / "record.json").read_bytes() == kept
    assert weights(group) == weights(world.group)
    assert (group / "committee.json").is_file()


def test_resuming_a_finished_group_trains_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds_module, "begin_run", lambda *_a, **_k: 1 / 0)
    before = (world.group / "committee.json").read_bytes()
    train(resume=world.group)
    assert (world.group / "committee.json").read_bytes() == before


def test_some_folds_make_a_group_of_those(world: World, tmp_path: Path) -> None:
    recipe = tiny_recipe("probe")
    group = train(recipe, folds="2,0", data=world.data, split=world.split, out=tmp_path / "group")
    assert sorted(path.name for path in group.glob("fold-*")) == ["fold-0", "fold-2"]
    assert set(read_predictions(group / "validation").folds) == {"0", "2"}


def test_folds_have_one_plan_and_say_what_differs(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_quiet", False)
    train(tiny_recipe("probe"), folds="all", data=world.data, split=world.split, out=tmp_path / "group")
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("Plan") == 1
    for fact in ("image", "training", "weights", "normalisation", "device"):
        assert sum(line.startswith(f"  {fact}: ") for line in lines) == 1
    split = read_split(world.split)
    for fold in range(split.folds):
        (said,) = (line for line in lines if f"to validate on (fold {fold})" in line)
        assert said.startswith(f"  data: {len(split.training(fold))} images of 3 classes to train on")


@pytest.mark.parametrize("folds", ["3", "0,0", "", "one", "-1", [0, 7]])
def test_folds_that_are_not_there_are_refused_before_anything_is_made(
    world: World, tmp_path: Path, folds: str | list[int]
) -> None:
    with pytest.raises(DessinError, match="`all`, or some of 0 to 2"):
        train(tiny_recipe(), folds=folds, data=world.data, split=world.split, out=tmp_path / "group")
    assert not (tmp_path / "group").exists()


def test_a_group_has_its_recipe_already(world: World) -> None:
    with pytest.raises(DessinError, match="--resume alone"):
        train(tiny_recipe(), resume=world.group)
    with pytest.raises(DessinError, match="--resume alone"):
        train(resume=world.group, folds="all")
    with pytest.raises(DessinError, match="--resume alone"):
        train(resume=world.group / "fold-0", folds="all")
    with pytest.raises(DessinError, match="No recipe"):
        train(folds="all")


def test_an_exchanged_model_is_noticed(world: World, tmp_path: Path) -> None:
    group = Path(shutil.copytree(world.group, tmp_path / "group"))
    shutil.rmtree(group / "fold-0" / "bundle")
    shutil.copytree(group / "fold-1" / "bundle", group / "fold-0" / "bundle")
    with pytest.raises(DessinError, match="not the one"):
        Runtime.load(group)
