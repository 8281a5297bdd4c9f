"""Only what differs: nothing that is equal, and nothing that is equal in its bytes under another path."""

from __future__ import annotations

from made_runs import made_record

from dessin.reports.differences import differences, recipe_keys
from dessin.runs.record import Digests


def test_equal_runs_differ_in_nothing() -> None:
    first = made_record("first", started="2026-11-20T10:00:00+00:00")
    second = made_record("second", started="2026-11-21T10:00:00+00:00", model="f" * 64)
    assert differences([first, second]) == ()


def test_one_changed_key_is_one_difference_with_both_values() -> None:
    found = differences([made_record(), made_record(recipe={"optimizer": {"lr": 1e-3}})])
    assert [(d.key, d.values, d.texts) for d in found] == [
        ("optimizer.lr", (2e-4, 1e-3), ("0.0002", "0.001"))
    ]


def test_ops_are_shown_as_added_and_lacking() -> None:
    records = [
        made_record(recipe={"augment": ops})
        for ops in (["hflip", "rotate(15)"], ["hflip", "cutmix(1.0)"], ["hflip", "rotate(15)"], [])
    ]
    texts = differences(records)[0].texts
    assert texts == ("hflip, rotate(15)", "+ cutmix(1.0), − rotate(15)", "same", "− hflip, − rotate(15)")


def test_ops_in_another_order_differ() -> None:
    orders = (["brightness(0.2)", "contrast(0.2)"], ["contrast(0.2)", "brightness(0.2)"])
    found = differences([made_record(recipe={"augment": list(ops)}) for ops in orders])
    assert found[0].texts[1].startswith("in another order")


def test_a_path_differs_only_where_its_bytes_do() -> None:
    here = made_record(recipe={"data": {"split": "here/split.csv"}})
    there = made_record(recipe={"data": {"split": "there/split.csv"}})
    assert differences([here, there]) == ()
    other = there.changed(digests=Digests(**(there.digests.model_dump() | {"split": "b" * 64})))
    assert [d.key for d in differences([here, other])] == ["data.split", "digests.split"]


def test_versions_hardware_and_seed_are_told_from_choices_of_the_recipe() -> None:
    base = made_record()
    other = made_record(seed=3, recipe={"loss": "focal(2.0)"}).changed(
        versions={"torch": "2.11.0"}, hardware=base.hardware.model_copy(update={"gpu": "H200"})
    )
    found = differences([base, other])
    assert [d.key for d in found] == ["loss", "seed", "versions.torch", "hardware.gpu"]
    assert recipe_keys(found) == ("loss",)


def test_the_order_of_runs_only_orders_the_values() -> None:
    a, b, c = (made_record(seed=seed, recipe={"image": {"size": 32 * (seed + 1)}}) for seed in range(3))
    forth, back = differences([a, b, c]), differences([c, b, a])
    assert [(d.key, d.values) for d in forth] == [(d.key, d.values[::-1]) for d in back]


def test_usual_features_are_named_though_a_recipe_leaves_them_out() -> None:
    found = differences([made_record(), made_record(recipe={"model": {"features": "several"}})])
    assert [(d.key, d.values) for d in found] == [("model.features", ("last", "several"))]


def test_bodies_beside_are_shown_where_one_run_has_none() -> None:
    joined = {"model": {"beside": ["resnet18:none"]}, "finetune": {"mode": "probe"}}
    found = differences([made_record(recipe={"finetune": {"mode": "probe"}}), made_record(recipe=joined)])
    assert [(d.key, d.values, d.texts[0]) for d in found] == [
        ("model.beside", ((), ("resnet18:none",)), "none")
    ]
