from __future__ import annotations

from pathlib import Path

import pytest

from dessin.errors import DessinError
from dessin.recipe import Recipe, make_recipe, read_recipe
from dessin.recipes.verb import FOLDER


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def test_an_empty_recipe_is_the_default_one(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path, "")) == Recipe()


def test_overrides_go_into_their_sections_and_keep_their_types(tmp_path: Path) -> None:
    path = written(tmp_path, "train: {epochs: 3}\nseed: 1\n")
    recipe = read_recipe(path, overrides=["train.epochs=7", "optimizer.lr=1e-3", "augment=[hflip]", "seed=2"])
    assert (recipe.train.epochs, recipe.optimizer.lr, recipe.augment, recipe.seed) == (7, 1e-3, ("hflip",), 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trian: {epochs: 3}", 'Unknown key.*"trian".*Did you mean "train"'),
        ("train: {epoch: 3}", 'Unknown key.*"train.epoch".*Did you mean "train.epochs"'),
        ("train: {epochs: many}", 'train.epochs.*"many"'),
        ("train: {epochs: 0}", "train.epochs"),
        ("train: {batch_size: 1}", "train.batch_size"),
        ("optimizer: {name: adamv}", "optimizer.name"),
        ("augment: [rotat(15)]", 'Did you mean "rotate"'),
        ("augment: ['rotate(fast)']", "rotate"),
        ("loss: cross_entrpy", 'Did you mean "cross_entropy"'),
        ("image: {size: 4}", "image.size"),
        ("[1, 2]", "a recipe is a mapping"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "reads no tags"),
    ],
)
def test_a_wrong_recipe_says_what_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DessinError, match=message):
        read_recipe(written(tmp_path, text))


@pytest.mark.parametrize("override", ["epochs", "=3", "train..epochs=3", "seed.x=1", "train.epochs=["])
def test_a_wrong_override_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(DessinError):
        read_recipe(written(tmp_path, "seed: 1"), overrides=[override])


def test_every_recipe_of_the_repository_is_valid() -> None:
    recipes = sorted(FOLDER.glob("*.yaml"))
    assert recipes
    for path in recipes:
        assert read_recipe(path) == read_recipe(Path(path.stem))


def test_a_recipe_survives_its_own_record() -> None:
    recipe = make_recipe({"augment": ["hflip", "rotate(10)"], "train": {"epochs": 2}})
    assert make_recipe(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epochs=3", 'Unknown key in --set epochs=3: "epochs".*Did you mean "train.epochs"'),
        ("lr=0.1", 'Did you mean "optimizer.lr"'),
        ("size=96", 'Did you mean "image.size"'),
        ("train.epoch=3", 'Unknown key in --set train.epoch=3.*Did you mean "train.epochs"'),
        ("epochs.x=3", "Unknown key in --set epochs.x=3"),
        ("train.epochs=many", '^--set train.epochs=many: .*the value was "many"'),
        ("train.epochs.x=3", "^--set train.epochs.x=3, key train.epochs: "),
        ("train={epochs: many}", "^--set train={epochs: many}, key train.epochs: "),
        ("model=resnet18", "^--set model=resnet18: it is a section of keys.*model.backbone"),
        ("seed=-1", "^--set seed=-1: "),
        ("optimizer.name=adamx", "^--set optimizer.name=adamx: "),
        ("augment=[", "--set augment="),
    ],
)
def test_a_wrong_override_blames_the_option_not_the_file(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(DessinError, match=said) as refused:
        read_recipe(written(tmp_path, "seed: 1"), overrides=[override])
    assert str(tmp_path) not in str(refused.value)


def test_an_override_that_is_right_in_this_recipe_alone_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "finetune: {mode: stages}\ntrain: {epochs: 20}")
    recipe = read_recipe(
        path, overrides=["finetune.stages=[3]", "train.average_last=9", "stages={15: [hflip]}"]
    )
    assert (recipe.finetune.stages, recipe.train.average_last) == ((3,), 9)


def test_what_is_wrong_in_the_file_blames_the_file_beside_a_right_override(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r'Unknown key in .*\.yaml: "epochs".*Did you mean "train.epochs"'):
        read_recipe(written(tmp_path, "epochs: 3"), overrides=["train.epochs=3"])
