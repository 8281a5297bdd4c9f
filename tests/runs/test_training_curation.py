"""A curation of the training rows: what is measured stays the same, and what was learnt from changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from study_kit import made_split
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions
from dessin.collection.curation import Change, Curation
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.recipe import Recipe, make_recipe
from dessin.runs import stages
from dessin.runs.inputs import training_curation
from dessin.runs.plan import rows_of
from dessin.runs.record import read_record
from dessin.runs.train import train

HEADER = "image_id,action,label,reason\n"
SPLIT = made_split()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    data = make_drawings(folder / "data")
    # An exact copy inside a class, and one in another class.
    (data / "bars" / "copy.png").write_bytes((data / "bars" / "00.png").read_bytes())
    (data / "dots" / "wrong.png").write_bytes((data / "bars" / "05.png").read_bytes())
    make_tiny_split(data, folder / "split.csv", holdout=0.0)
    with apart(folder):
        yield folder


@pytest.fixture(autouse=True)
def shared_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESSIN_CACHE", str(home / "cache"))
    torch.set_num_threads(1)


def recipe_with(curation: str | None, **changes: object) -> Recipe:
    return tiny_recipe("full", data={"training_curation": curation}, **changes)


def drop(*image_ids: str) -> Curation:
    return Curation(tuple(Change(image_id, "drop", "", "x") for image_id in image_ids))


def test_only_training_rows_change() -> None:
    recipe = make_recipe({"data": {"fold": 0}})
    train_rows, validation = rows_of(SPLIT, recipe)
    first, other = train_rows[0], next(row for row in train_rows if row.label != train_rows[0].label)
    relabel = Change(other.image_id, "relabel", first.label, "x")
    kept = Change(train_rows[-1].image_id, "keep", "", "x")
    curation = Curation((Change(first.image_id, "drop", "", "x"), relabel, kept))
    after, same = rows_of(SPLIT, recipe, curation)
    assert same == validation
    assert {row.image_id for row in train_rows} - {row.image_id for row in after} == {first.image_id}
    changed = [row for row in after if row not in train_rows]
    assert [(row.image_id, row.label, row.group) for row in changed] == [
        (other.image_id, first.label, other.group)
    ]
    # What it says of validation rows has no effect.
    assert rows_of(SPLIT, recipe, drop(*(row.image_id for row in validation))) == (train_rows, validation)
    assert rows_of(SPLIT, recipe, Curation()) == (train_rows, validation)


def test_a_class_must_not_be_emptied_and_a_label_must_be_known() -> None:
    recipe = make_recipe({"data": {"fold": 0}})
    everything = drop(*(row.image_id for row in SPLIT.rows if row.label == "b"))
    with pytest.raises(DessinError, match=r"leaves no image to train on in 1 class: b\."):
        rows_of(SPLIT, recipe, everything)
    image_id = rows_of(SPLIT, recipe)[0][0].image_id
    unknown = Curation((Change(image_id, "relabel", "bb", "x"),))
    with pytest.raises(DessinError, match="Unknown class in the relabel"):
        rows_of(SPLIT, recipe, unknown)


def test_auto_is_what_an_audit_proposes(home: Path) -> None:
    manifest = build_manifest(read_collection(home / "data"))
    found = training_curation("auto", manifest)
    assert found is not None
    dropped = {change.image_id for change in found.changes if change.action == "drop"}
    assert dropped == {"bars/copy.png", "bars/05.png", "dots/wrong.png"}
    assert training_curation(None, manifest) is None


def test_a_curation_of_another_collection_is_refused(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "curation.csv"
    path.write_text(HEADER + "bars/elsewhere.png,drop,,x\n")
    with pytest.raises(DessinError, match="does not hold"):
        training_curation(str(path), build_manifest(read_collection(home / "data")))


def test_the_run_says_and_records_it(home: Path, tmp_path: Path) -> None:
    without = train(recipe_with(None), data=home / "data", split=home / "split.csv", out=tmp_path / "a")
    run = train(recipe_with("auto"), data=home / "data", split=home / "split.csv", out=tmp_path / "b")
    record, plain = read_record(run), read_record(without)
    (said,) = (d for d in record.decisions if d.name == "training_curation")
    left_out = plain.counts.train - record.counts.train
    assert 0 < left_out <= 3
    assert said.value == f"{left_out} of {plain.counts.train} training images left out, 0 relabelled"
    assert "what an audit proposes" in said.reason
    assert record.digests.training_curation
    assert plain.digests.training_curation == ""
    assert record.digests.split == plain.digests.split
    ids = [read_predictions(folder / "validation").image_ids for folder in (run, without)]
    assert ids[0] == ids[1]
    assert record.digests.model != plain.digests.model


def test_one_that_changes_nothing_gives_the_same_weights(home: Path, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text(HEADER)
    runs = [
        train(recipe_with(asked), data=home / "data", split=home / "split.csv", out=tmp_path / name)
        for name, asked in (("a", None), ("b", str(tmp_path / "none.csv")))
    ]
    first, second = map(read_record, runs)
    assert first.digests.model == second.digests.model
    assert any(
        d.value == f"0 of {first.counts.train} training images left out, 0 relabelled"
        for d in second.decisions
    )


def test_a_resumed_run_needs_the_same_curation(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curation.csv"
    path.write_text(HEADER + "bars/01.png,drop,,x\n")

    def die(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stages, "save_bundle", die)
        with pytest.raises(KeyboardInterrupt):
            train(recipe_with(str(path)), data=home / "data", split=home / "split.csv", out=tmp_path / "run")
    path.write_text(HEADER + "bars/02.png,drop,,x\n")
    with pytest.raises(DessinError, match="these have changed: training_curation"):
        train(resume=tmp_path / "run")
    path.write_text(HEADER + "bars/01.png,drop,,said otherwise\n")
    assert read_record(train(resume=tmp_path / "run")).status == "finished"
