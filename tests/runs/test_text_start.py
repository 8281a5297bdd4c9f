"""`finetune.text` and `data.zero_shot`: a run whose head begins at the names of its classes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from text_kit import plant_tower
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe
from torch import Tensor

from dessin.answers.predictions import read_predictions
from dessin.committees.ensemble.verb import ensemble
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.images.decode import decode
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec
from dessin.models.bundle import load_bundle
from dessin.progress import quiet
from dessin.recipe import Recipe
from dessin.runs import stages
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.serving.predict import predict
from dessin.serving.runtime import Runtime
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow

FRAME = CLASSES[2]
WEIGHTS = "bundle/model.safetensors"


def asked(tower: Path | str | None, *, zero_shot: list[str] | None = None, **changes: Any) -> Recipe:
    data = {"zero_shot": zero_shot} if zero_shot else {}
    finetune = {"mode": "probe", "text": None if tower is None else str(tower)}
    return tiny_recipe(augment=[], data=data, finetune=finetune, **changes)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Drawings of three classes and of two, and a tower that says where those of each name lie."""
    with apart(tmp_path_factory.mktemp("text")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        plain = train(asked(None), data=data, split=split, out=folder / "plain")
        means = [_mean(plain / "bundle", data / label) for label in CLASSES]
        middle = (means[0] + means[1]) / 2
        said = {name: mean - middle for name, mean in zip(("bars", "dots", "frame"), means, strict=True)}
        plant_tower(folder / "tower", said)
        fewer = shutil.copytree(data, folder / "fewer")
        shutil.rmtree(fewer / FRAME)
        make_tiny_split(fewer, folder / "fewer.csv")
        yield folder


def _mean(bundle: Path, drawings: Path) -> Tensor:
    """Of the features of a folder of drawings, (D,)."""
    card, classifier = load_bundle(bundle).card, load_bundle(bundle).classifier
    spec = ImageSpec(**card.image.model_dump(include=set(ImageSpec.model_fields)))
    pixels = [
        prepare(decode(path.read_bytes()).pixels, spec, card.image.interpolation)
        for path in sorted(drawings.iterdir())
    ]
    with torch.inference_mode():
        return classifier.eval().features(torch.from_numpy(np.stack(pixels))).mean(dim=0)


def _width(home: Path) -> int:
    return load_bundle(home / "plain" / "bundle").classifier.width


def of_two(home: Path, out: Path, recipe: Recipe, **asks: Any) -> Path:
    with quiet():
        return train(recipe, data=home / "fewer", split=home / "fewer.csv", out=out, **asks)


def assert_frames_are_found(home: Path, model: Path) -> None:
    """By a model that has seen none."""
    with quiet():
        bars, dots, frames = (
            Runtime.load(model).predict_paths(sorted((home / "data" / label).iterdir())).probabilities
            for label in CLASSES
        )
    assert (frames.argmax(axis=1) == 2).mean() > 1 / 3
    assert frames[:, 2].mean() > 1.2 * max(bars[:, 2].mean(), dots[:, 2].mean())


@pytest.fixture(scope="module")
def zero(home: Path) -> Path:
    return of_two(home, home / "zero", asked(home / "tower", zero_shot=["frame"]))


def test_a_class_without_a_drawing_is_answered_by_its_name(home: Path, zero: Path) -> None:
    card = load_bundle(zero / "bundle").card
    assert card.classes == ("bars", "dots", "frame")
    assert_frames_are_found(home, zero)
    plain = of_two(home, home / "without", asked(None))
    assert load_bundle(plain / "bundle").card.classes == ("bars", "dots")


def test_the_record_says_where_the_tower_is_from_and_what_its_share_is(home: Path, zero: Path) -> None:
    record = read_record(zero)
    told = {decision.name: decision for decision in record.decisions}
    assert told["text tower"].value == "folder tower"
    assert 0 < float(str(told["class names"].value)) <= 1
    assert "drawings alone" in told["class names"].reason
    assert len(record.digests.text) == 64
    assert record.counts.classes == 3
    predictions = read_predictions(zero / "validation")
    assert predictions.classes == ("bars", "dots", "frame")
    assert record.results["validation"].accuracy.value == float(predictions.correct.mean())


def test_every_verb_takes_such_a_run(home: Path, zero: Path, tmp_path: Path) -> None:
    with quiet():
        opened = evaluate(zero, holdout=True, out=tmp_path / "opened")
        table = predict(zero, home / "data", out=tmp_path / "answers.csv")
        both = of_two(home, tmp_path / "both", asked(home / "tower", zero_shot=["frame"], seed=1))
        joined = ensemble([str(zero), str(both)], out=tmp_path / "ensemble")
        group = of_two(home, tmp_path / "group", asked(home / "tower", zero_shot=["frame"]), folds="all")
    assert opened is not None
    assert table is not None
    assert joined is not None
    assert read_predictions(group / "validation").classes == ("bars", "dots", "frame")
    assert_frames_are_found(home, group)


def test_names_join_fine_tuning_as_a_start(home: Path, tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    rows = {name: torch.randn(_width(home), generator=random) for name in ("bars", "dots")}
    tower = plant_tower(tmp_path / "tower", rows)
    recipe = tiny_recipe("probe_then_full", augment=[], finetune={"text": str(tower)})
    run = of_two(home, tmp_path / "tuned", recipe)
    assert {"text tower", "class names"} <= {decision.name for decision in read_record(run).decisions}


def test_a_backbone_without_a_tower_does_without_and_says_so(home: Path, tmp_path: Path) -> None:
    plain = of_two(home, tmp_path / "plain", asked(None))
    run = train(asked("auto"), data=home / "fewer", split=home / "fewer.csv", out=tmp_path / "auto")
    assert sha256_file(run / WEIGHTS) == sha256_file(plain / WEIGHTS)
    said = next(each for each in read_record(run).decisions if each.name == "text tower")
    assert (said.value, said.reason) == (
        "off",
        "test_efficientnet was trained without captions, so it has no text tower.",
    )
    with pytest.raises(DessinError, match="has no text tower"):
        of_two(home, tmp_path / "none", asked("auto", zero_shot=["frame"]))


def test_what_cannot_be_is_refused_before_anything_is_read(home: Path, tmp_path: Path) -> None:
    tower = str(home / "tower")
    with pytest.raises(DessinError, match=r"names classes that have drawings: dots"):
        of_two(home, tmp_path / "a", asked(tower, zero_shot=["dots", "frame"]))
    with pytest.raises(DessinError, match=r"it lacks open_clip_config\.json"):
        of_two(home, tmp_path / "b", asked(tmp_path))
    assert not list(tmp_path.iterdir())
    for values, words in (
        ({"finetune": {"mode": "full", "text": tower}}, "text joins a probe"),
        ({"data": {"zero_shot": ["frame"]}, "finetune": {"mode": "probe"}}, "zero_shot needs finetune.text"),
        (
            {"data": {"zero_shot": ["frame"]}, "finetune": {"text": tower}},
            "zero_shot needs finetune.text, and finetune.mode: probe",
        ),
        (
            {"model": {"backbone": "test_resnet", "features": "several"}, "finetune": {"text": tower}},
            "the last features of one backbone",
        ),
    ):
        with pytest.raises(DessinError, match=words):
            tiny_recipe(**({"augment": []} | values))


def test_a_recipe_without_names_is_written_as_before() -> None:
    dumped = asked(None).model_dump()
    assert "text" not in dumped["finetune"]
    assert "zero_shot" not in dumped["data"]


def test_another_tower_cannot_be_gone_on_with(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = shutil.copytree(home / "tower", tmp_path / "tower")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stages, "save_bundle", die)
        with pytest.raises(KeyboardInterrupt):
            of_two(home, tmp_path / "run", asked(tower, zero_shot=["frame"]))
    state = load_file(tower / "open_clip_model.safetensors")
    kept = {name: tensor.clone() for name, tensor in state.items()}
    state["ln_final.weight"] = torch.full_like(state["ln_final.weight"], 2.0)
    save_file(state, tower / "open_clip_model.safetensors")
    with pytest.raises(DessinError, match=r"cannot be resumed to the same weights.*text"), quiet():
        train(resume=tmp_path / "run")
    save_file(kept, tower / "open_clip_model.safetensors")
    shutil.copytree(home / "tower", tower, dirs_exist_ok=True)
    with quiet():
        train(resume=tmp_path / "run")
    whole = of_two(home, tmp_path / "whole", asked(tower, zero_shot=["frame"]))
    np.testing.assert_array_equal(
        load_file(tmp_path / "run" / WEIGHTS)["head.weight"],
        load_file(whole / WEIGHTS)["head.weight"],
    )
