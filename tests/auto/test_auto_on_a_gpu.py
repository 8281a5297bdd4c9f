"""Auto with strong bodies: sides that they read, rates of their family, up to their own side on a GPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dessin.auto.budget import Costs, Part, Speed
from dessin.auto.portfolio import TABLE, End, next_step, table_of
from dessin.auto.situation import Made, Situation, Step
from dessin.auto.steps import Workshop
from dessin.models.default_backbones import ROWS, joint_side, side_of
from dessin.recipe import make_recipe

EVA, SIGLIP, CONVNEXT = (row.name for row in list(ROWS.values())[3:6])
LITE0 = "tf_efficientnet_lite0"


def test_a_joint_side_is_one_that_all_bodies_read() -> None:
    assert [joint_side([EVA], most) for most in (128, 224, 600)] == [126, 224, 448]
    assert joint_side([EVA, CONVNEXT], 320) == 308
    assert joint_side([LITE0], 224) == 224
    assert joint_side(["resnet18"], 192) == 192
    for names in ([EVA], [EVA, SIGLIP], [SIGLIP, "tiny_vit_21m_224.dist_in22k_ft_in1k"]):
        for most in (128, 160, 224, 448):
            assert all(joint_side(names, most) % ROWS[name].step == 0 for name in names)


def values_of(step: Step, folder: Path, images: int = 100) -> dict[str, Any]:
    inputs: Any = SimpleNamespace(split=SimpleNamespace(training=lambda _fold: range(images)))
    return cast("dict[str, Any]", Workshop(folder, folder, inputs, 0).recipe_values(step))


@pytest.mark.parametrize("kind", ["probe", "tune"])
def test_a_strong_body_is_trained_at_a_side_that_it_reads(kind: Any, tmp_path: Path) -> None:
    step = Step(
        kind=kind, name="a", models=(EVA,), size=160, epochs=8, fold=0, seed=0, seconds=1.0, reason=""
    )
    values = values_of(step, tmp_path)
    assert values["image"]["size"] == 154
    assert "lr" not in values.get("optimizer", {}), "the rate of a small convolutional network would undo it"


@pytest.mark.parametrize(
    ("epochs", "images", "rate", "views"), [(16, 2000, 3e-4, 8), (4, 2000, 8e-4, 2), (16, 10**6, 3e-4, None)]
)
def test_the_last_stage_of_a_packaged_body_is_tuned(
    epochs: int, images: int, rate: float, views: int | None, tmp_path: Path
) -> None:
    step = Step(
        kind="tune", name="a", models=(LITE0,), size=224, epochs=epochs, fold=0, seconds=1.0, reason=""
    )
    values = values_of(step, tmp_path, images)
    assert values["optimizer"]["lr"] == pytest.approx(rate)
    assert values["finetune"].get("cached_views") == views
    recipe = make_recipe(values)
    assert recipe.finetune.stages == (4,)
    assert 0.9 < recipe.train.ema <= 0.995
    assert not any("mix" in op for op in values["augment"]), "kept views are not mixed"


def test_an_hour_on_a_gpu_goes_to_larger_sides() -> None:
    assert table_of("cpu") is TABLE
    bodies = (EVA, SIGLIP, CONVNEXT, LITE0)
    speeds = {}
    for name in bodies:
        row = ROWS[name]
        rate = 50_000 / (row.gmacs * (side_of(name, 224) / row.size) ** 2)
        speeds[name, 224] = Speed(rate, rate / 3, rate)
    widths = {EVA: 5120, SIGLIP: 5760, CONVNEXT: 4608}
    costs = Costs(Part(2403, 5, 12_017, 3004, 500), 6000.0, speeds, widths, 1e12)
    made: list[Step] = []
    left, ranked = 3500.0, tuple[str, ...]()
    while len(made) < 12:
        now = Situation(costs, 3600.0, left, bodies, made=tuple(map(Made, made)), ranked=ranked)
        step = next_step(now, table_of("cuda"))
        if isinstance(step, End):
            break
        made.append(step)
        left, ranked = left - step.seconds, bodies
    assert made[0].kind == "scout"
    assert max(step.size for step in made if step.kind == "probe") == 448
    assert min(step.size for step in made if step.kind == "tune") >= 224
    assert sum(step.seconds for step in made) < 3500
