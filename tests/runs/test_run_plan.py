"""Planning a run: which rows it uses, what it says, and what it refuses. No image and no torch is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dessin.collection.split.files import Split
from dessin.collection.split.plan import make_split
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.models.backbones import BackboneInfo
from dessin.models.weights import Weights
from dessin.recipe import Recipe, make_recipe
from dessin.runs.plan import Pretrained, RunPlan, Tuning, plan_run, rows_of

INFO = BackboneInfo(
    name="net",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    interpolation="bicubic",
    interpolation_reason="the backbone's own",
    input_size=224,
    fixed_size=False,
    features=8,
    parameters=100,
    hub_id="",
    hub_file="",
    licence="apache-2.0",
)
WEIGHTS = Weights("net", "package net", None, "abc" * 10, "Apache-2.0")
DEVICE = Decision("device", "cpu", "no GPU")
TUNING = Tuning(
    Decision("precision", "float32", "faster here"),
    Decision("batch_size", 8, "small"),
    Decision("trained", "everything", "mode full"),
    Decision("batch_norm", "train", "a new head"),
    steps_per_epoch=2,
)


def a_split(per_class: dict[str, int]) -> Split:
    labels = {f"{label}/{i}.png": label for label, n in per_class.items() for i in range(n)}
    return make_split(labels, {i: i for i in labels}, folds=3, holdout=0.2, seed=0)


def planned(split: Split, **values: object) -> RunPlan:
    recipe = make_recipe(values)
    tuning = None if recipe.finetune.mode == "probe" else TUNING
    return plan_run(recipe, split, Pretrained(INFO, WEIGHTS), DEVICE, tuning)


def test_training_validation_and_holdout_never_meet() -> None:
    split = a_split({"a": 12, "b": 12})
    for fold in range(3):
        plan = planned(split, data={"fold": fold})
        train, validation = ({row.image_id for row in rows} for rows in (plan.train, plan.validation))
        held_out = {row.image_id for row in split.held_out()}
        assert train | validation | held_out == {row.image_id for row in split.rows}
        assert len(train) + len(validation) + len(held_out) == len(split.rows)


def test_fold_none_trains_on_all_but_the_holdout() -> None:
    split = a_split({"a": 12, "b": 12})
    plan = planned(split, data={"fold": "none"})
    assert plan.validation == ()
    assert len(plan.train) + plan.held_out == 24
    assert plan.unvalidated == ()
    assert any("none to validate on" in line for line in plan.lines())


def test_a_class_without_a_validation_image_is_said() -> None:
    split = a_split({"common": 15, "rare": 3})
    fold = next(f for f in range(3) if "rare" not in {row.label for row in split.validation(f)})
    plan = planned(split, data={"fold": fold})
    assert plan.unvalidated == ("rare",)
    assert any(line.strip().startswith("unvalidated: 1 class") and "rare" in line for line in plan.lines())


def test_the_plan_says_what_augmentation_really_happens() -> None:
    split = a_split({"a": 9, "b": 9})
    assert "  augmentation: hflip, then rotate(15)" in planned(split, augment=["hflip", "rotate(15)"]).lines()
    assert any("none, training sees" in line for line in planned(split).lines())
    probe = planned(split, finetune={"mode": "probe"})
    assert not any("augmentation" in line for line in probe.lines())


def test_every_decision_has_its_reason_and_is_shown() -> None:
    plan = planned(a_split({"a": 9, "b": 9}), image={"size": 128})
    assert all(decision.reason for decision in plan.decisions)
    assert plan.tuning is not None
    assert plan.tuning.batch_size.value == 8
    text = "\n".join(plan.lines())
    for decision in plan.decisions:
        assert decision.line() in text
    assert "sha256 abcabcabcabc" in text
    assert "pretrained at 224 px" in text


def test_the_plan_says_that_pages_are_looked_for_and_why() -> None:
    split = a_split({"a": 9, "b": 9})
    plain = planned(split)
    assert not any("page" in line for line in plain.lines())
    looking = planned(split, image={"page": "auto"})
    assert "  image: 224 px, rgb, letterbox, page: auto" in looking.lines()
    assert any(line.startswith("  page: auto (asked for in the recipe") for line in looking.lines())
    assert [each.name for each in looking.decisions if each not in plain.decisions] == ["page"]


@pytest.mark.parametrize(("fold", "seen"), [(3, "folds 0 to 2"), (-1, "folds 0 to 2")])
def test_a_fold_that_does_not_exist_is_refused(fold: int, seen: str) -> None:
    recipe: Recipe = make_recipe({"data": {"fold": fold}})
    with pytest.raises(DessinError, match=seen):
        rows_of(a_split({"a": 9, "b": 9}), recipe)


def test_a_class_without_a_training_image_is_refused() -> None:
    split = a_split({"a": 9, "b": 9})
    rows = tuple(row for row in split.rows if row.label == "a" or row.fold in (0, None))
    with pytest.raises(DessinError, match="no image to train on: b"):
        rows_of(replace(split, rows=rows), make_recipe({}))
