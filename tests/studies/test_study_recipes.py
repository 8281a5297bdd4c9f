"""The studies that come with the package: all valid, and the contest's backbone goes into each."""

from __future__ import annotations

import pytest

from dessin.recipes.verb import FOLDER as RECIPES
from dessin.studies.definition import read_study

pytestmark = pytest.mark.slow

FOLDER = RECIPES / "studies"
STUDIES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("base"))
CONTEST = ("model.backbone=resnet152", "image.size=224")


def test_the_teams_questions_are_all_there() -> None:
    asked = {
        "colour",
        "augmentation",
        "mixup",
        "cutmix",
        "backbones",
        "depth",
        "losses",
        "optimisers",
        "smoke",
    }
    asked |= {"batch_size", "dropout", "drop_block", "clahe", "autoaugment", "curation"}
    assert asked <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_each_study_is_valid_and_opens_with_what_it_asks(name: str) -> None:
    study = read_study(FOLDER / f"{name}.yaml")
    assert len(study.levels) >= 2
    assert study.text.startswith("# ")
    assert "contest's 500 classes" in study.text or name == "smoke"
    assert f"dessin study {name} --data" in study.text
    assert all(recipe.data.path is None and recipe.data.split is None for recipe in study.recipes.values())


@pytest.mark.parametrize("name", [name for name in STUDIES if not name.startswith(("backbones", "smoke"))])
def test_each_study_takes_the_contests_backbone(name: str) -> None:
    study = read_study(FOLDER / f"{name}.yaml", CONTEST)
    assert {recipe.model.backbone for recipe in study.recipes.values()} == {"resnet152"}
    assert {recipe.image.size for recipe in study.recipes.values()} == {224}


def test_curation_differs_in_nothing_else() -> None:
    study = read_study(FOLDER / "curation.yaml")
    off, auto = (study.recipes[name].model_dump(exclude={"data"}) for name in ("off", "auto"))
    assert off == auto
    assert study.recipes["auto"].data.training_curation == "auto"
