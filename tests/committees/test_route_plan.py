"""Plans of a routed model, made without training: splits, recipes, and which experts are worth it."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from family_kit import CLASSES, FAMILIES, hand_run, hand_split, kit_recipe

from dessin.collection.split.files import read_split, write_split
from dessin.committees.families.measure import potential
from dessin.committees.families.result import make_families
from dessin.committees.route.parts import (
    PartRecipes,
    check_curation,
    choose_experts,
    expert_split,
    plan_parts,
    router_split,
)
from dessin.errors import DessinError
from dessin.runs.record import read_record

SPLIT = hand_split()
MAP = make_families(FAMILIES, CLASSES)
PLAIN = PartRecipes(None, None, ())


def test_experts_and_router_deal_every_image_as_the_generalist_did(tmp_path: Path) -> None:
    experts = [expert_split(SPLIT, MAP, family) for family in MAP.names]
    dealt = {astuple(row) for part in experts for row in part.rows}
    assert dealt == {astuple(row) for row in SPLIT.rows}
    for number, part in enumerate([router_split(SPLIT, MAP), *experts]):
        write_split(part, tmp_path / f"{number}.csv")
        assert read_split(tmp_path / f"{number}.csv") == part
        assert part.digest != SPLIT.digest


def test_parts_have_folder_names_of_their_own() -> None:
    names = ("A b", "A b", "a/b", "a/b", "../x", "../x")
    families = make_families(dict(zip(CLASSES, names, strict=True)), CLASSES)
    parts = plan_parts(SPLIT, families, families.names, router=True, folds=(0, 1))
    assert [part.name for part in parts] == ["router", "expert-x", "expert-a-b", "expert-a-b-2"]


def test_a_router_does_not_start_from_imagenets_rows_and_an_expert_does() -> None:
    recipe = kit_recipe(finetune={"mode": "full", "head_start": "imagenet"}, track=["tensorboard"])
    router, expert = plan_parts(SPLIT, MAP, ["bars"], router=True, folds=(0,))
    assert PLAIN.of(router, recipe).finetune.head_start == "auto"
    assert PLAIN.of(expert, recipe).finetune.head_start == "imagenet"
    assert PLAIN.of(expert, recipe).track == ()


def test_overrides_change_both_parts_and_nothing_else() -> None:
    recipe = kit_recipe(1)
    changed = PartRecipes(None, None, ("image.size=64",))
    for part in plan_parts(SPLIT, MAP, ["bars"], router=True, folds=(0,)):
        found = changed.of(part, recipe)
        assert found == recipe.model_copy(update={"image": recipe.image.model_copy(update={"size": 64})})


def answers(right_inside: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Families always right; inside "bars" the class is right with that probability, elsewhere always."""
    random = np.random.default_rng(0)
    targets = np.tile(np.arange(len(CLASSES)), 40)
    table = np.full((len(targets), len(CLASSES)), 0.01)
    astray = (targets < 3) & (random.random(len(targets)) > right_inside)
    named = np.where(astray, (targets + 1) % 3, targets)
    table[np.arange(len(targets)), named] = 0.95
    return table, targets, np.array([str(i) for i in range(len(targets))])


def test_automatic_experts_are_where_the_errors_are() -> None:
    chosen, decision = choose_experts("auto", potential(*answers(0.5), MAP, CLASSES), MAP)
    assert chosen == ("bars",)
    assert "bars +2" in decision.reason
    none, decision = choose_experts("auto", potential(*answers(1.0), MAP, CLASSES), MAP)
    assert none == ()
    assert decision.value == "none"
    assert "in no family" in decision.reason


def test_names_are_read_from_a_list_with_commas_or_a_sequence() -> None:
    found = potential(*answers(0.5), MAP, CLASSES)
    for asked in ("bars, <b>spots", ["bars", "<b>spots"], ("bars", "<b>spots", "bars")):
        assert choose_experts(asked, found, MAP)[0] == ("bars", "<b>spots")
    comma = make_families({**FAMILIES, "bars 1": "bars, thin", "bars 2": "bars, thin"}, CLASSES)
    assert choose_experts("bars, thin", found, comma)[0] == ("bars, thin",)


def test_a_family_without_an_image_in_a_fold_gets_no_expert() -> None:
    rows = tuple(row for row in SPLIT.rows if FAMILIES[row.label] != "bars" or row.fold != 1)
    with pytest.raises(DessinError, match='"bars" has no image in fold 1'):
        plan_parts(replace(SPLIT, rows=rows), MAP, ["bars"], router=True, folds=(0, 1))


def test_a_training_curation_that_relabels_is_refused(tmp_path: Path) -> None:
    even = {label: [1 / len(CLASSES)] * len(CLASSES) for label in CLASSES}
    record = read_record(hand_run(tmp_path / "run", SPLIT, even))
    file = tmp_path / "curation.csv"
    data = record.recipe.data.model_copy(update={"training_curation": str(file)})
    curated = record.changed(recipe=record.recipe.model_copy(update={"data": data}))
    image_id = SPLIT.rows[0].image_id
    file.write_text(f"image_id,action,label,reason\n{image_id},drop,,torn\n")
    check_curation(curated)
    file.write_text(f"image_id,action,label,reason\n{image_id},relabel,bars 2,wrong\n")
    with pytest.raises(DessinError, match="relabels images"):
        check_curation(curated)
