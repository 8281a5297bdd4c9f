"""A misspelt backbone is one sentence with the nearest name, before an image is read, in every verb."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from exportable import World, add_committee, make_world
from study_kit import study_file

from dessin import augment, auto, distill, scout, study, train
from dessin.errors import DessinError
from dessin.models.freezing import default_lr
from dessin.models.weights import resolve_weights

pytestmark = pytest.mark.slow

MISSPELT = {
    "lite0": "Did you mean tf_efficientnet_lite0",
    "tf_eficientnet_lite1": "tf_efficientnet_lite1",
    "resnet18.nosuchtag": "no weights with the tag",
    "": "Unknown backbone|No backbone was named",
    "x" * 5000: "Unknown backbone",
    "\x1b[31mresnet18": r"\\x1b",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads an image fails the test."""

    def read(*given: object, **options: object) -> None:
        raise AssertionError("an image was read")

    for module in ("collection.manifest", "collection.scan", "images.store_build", "auto.measure"):
        monkeypatch.setattr(import_module(f"dessin.{module}"), "read_image_bytes", read)


def recipe(world: World, backbone: str, **others: object) -> str:
    path = world.data.parent / "recipe.yaml"
    values = {"data": {"path": str(world.data), "split": str(world.split)}, "model": {"backbone": backbone}}
    path.write_text(yaml.safe_dump(values | others))
    return str(path)


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("name", MISSPELT)
def test_every_verb_says_it_at_once(world: World, name: str, tmp_path: Path) -> None:
    add_committee(world, tmp_path / "committee", {"one": world.bundle})
    out = tmp_path / "out"
    asked = {
        "train": lambda: train(recipe(world, name), out=out),
        "train, with a rate": lambda: train(recipe(world, name, optimizer={"lr": 0.1}), out=out),
        "train, with a regulariser": lambda: train(
            recipe(world, name), out=out, overrides=["model.drop_path=0.1"]
        ),
        "train, all folds": lambda: train(recipe(world, name), out=out, folds="all"),
        "augment": lambda: augment(recipe(world, name), out=tmp_path / "sheet.png"),
        "scout": lambda: scout(world.data, split=world.split, models=name, out=out),
        "auto": lambda: auto(world.data, out=out, models=name),
        "distill": lambda: distill(tmp_path / "committee", student=name, out=out),
        "study": lambda: study(
            study_file(tmp_path / "s.yaml", levels={"a": {}, "b": {"model": {"backbone": name}}}),
            data=world.data,
            split=world.split,
            out=out,
        ),
        "weights": lambda: resolve_weights(name),
        "rate": lambda: default_lr(name, "adamw", "full"),
    }
    for ask in asked.values():
        with pytest.raises(DessinError, match=MISSPELT[name]) as refused:
            ask()
        assert len(str(refused.value)) < 600
    assert not out.exists()
