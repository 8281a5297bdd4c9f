from __future__ import annotations

import numpy as np
import pytest

from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.plan import AugmentPlan
from dessin.errors import DessinError
from dessin.randomness import Words, image_keys

KEYS = image_keys([f"class/{n}.png" for n in range(60)])
USUAL = ("hflip", "rotate(15)", "thickness(0.8, 1.25)")


def originals(pipeline: Pipeline, epoch: int = 0, keys: Words = KEYS) -> AugmentPlan:
    return pipeline.plan(0, epoch, keys, np.zeros(len(keys), dtype=np.int64), 32)


def told(plan: AugmentPlan) -> list[str]:
    return [plan.describe(image) for image in range(len(plan.matrices))]


def test_stages_begin_at_their_epoch_counted_from_one() -> None:
    pipeline = Pipeline(("hflip",), stages=((3, ("cutmix(1)",)), (1, ("rotate(5)",))))
    assert pipeline.ops_at(0) == ("hflip", "rotate(5)")
    assert pipeline.ops_at(1) == ("hflip", "rotate(5)")
    assert pipeline.ops_at(2) == ("hflip", "rotate(5)", "cutmix(1)")
    assert originals(pipeline, epoch=1).mixing is None
    assert originals(pipeline, epoch=2).mixing is not None


def test_a_stage_leaves_the_draws_of_the_other_ops() -> None:
    plain = originals(Pipeline(USUAL), epoch=4)
    staged = originals(Pipeline(USUAL, stages=((2, ("noise(0.1)", "rotate(9)")),)), epoch=4)
    np.testing.assert_array_equal(staged.steps[0].values, plain.steps[0].values)
    for short, long in zip(told(plain), told(staged), strict=True):
        assert long.startswith(short)


def test_copies_multiply_the_samples_and_the_originals_keep_their_keys() -> None:
    pipeline = Pipeline((), copies=(("hflip(1)",), ("rotate(20)", "noise(0.1)")))
    keys = pipeline.sample_keys(KEYS)
    assert pipeline.factor == 3
    np.testing.assert_array_equal(keys[: len(KEYS)], KEYS)
    assert len(np.unique(keys)) == 3 * len(KEYS)


def test_each_copy_gets_its_own_ops_and_the_same_in_every_epoch() -> None:
    pipeline = Pipeline((), copies=(("hflip(1)",), ("rotate(20)",)))
    keys, copy = pipeline.sample_keys(KEYS), np.repeat(np.arange(3), len(KEYS))
    plan = pipeline.plan(0, 0, keys, copy, 32)
    lines = np.array(told(plan)).reshape(3, -1)
    assert set(lines[0]) == {"unchanged"}
    assert set(lines[1]) == {"hflip"}
    assert all(line.startswith("rotate ") for line in lines[2])
    assert len(set(lines[2])) > 40
    assert told(pipeline.plan(0, 7, keys, copy, 32)) == told(plan)
    assert told(pipeline.plan(1, 0, keys, copy, 32)) != told(plan)


def test_a_copy_is_augmented_like_any_image_with_draws_of_its_own() -> None:
    pipeline = Pipeline(("rotate(15)",), copies=(("vflip(1)",),))
    keys, copy = pipeline.sample_keys(KEYS), np.repeat(np.arange(2), len(KEYS))
    plan = pipeline.plan(0, 3, keys, copy, 32)
    np.testing.assert_array_equal(
        plan.matrices[: len(KEYS)], originals(Pipeline(("rotate(15)",)), 3).matrices
    )
    flipped = plan.matrices[len(KEYS) :]
    np.testing.assert_allclose(np.linalg.det(flipped), -1)
    turned = flipped @ np.diag([1.0, -1.0, 1.0])
    angles = np.degrees(np.arcsin(turned[:, 1, 0]))
    assert np.abs(angles).max() <= 15
    assert np.abs(flipped - plan.matrices[: len(KEYS)] @ np.diag([1.0, -1.0, 1.0])).max() > 0.1


def test_samples_of_any_copies_in_any_order_get_the_same_plan() -> None:
    pipeline = Pipeline(
        (*USUAL, "elastic(0.03)", "randaugment(2, 9)", "augmix(3)", "mixup_or_cutmix(0.2, 1)"),
        copies=(("noise(0.1)", "vflip"), ("rotate(20)", "autoaugment(cifar10)")),
    )
    keys, copy = pipeline.sample_keys(KEYS), np.repeat(np.arange(3), len(KEYS))
    whole = pipeline.plan(0, 2, keys, copy, 32)
    order = np.random.default_rng(1).permutation(len(keys))[:50]
    part = pipeline.plan(0, 2, keys[order], copy[order], 32)
    assert told(part) == [whole.describe(int(image)) for image in order]
    np.testing.assert_array_equal(part.matrices, whole.matrices[order])
    np.testing.assert_array_equal(part.fields[0], whole.fields[0][order])
    for mine, all_of in zip(part.chains, whole.chains, strict=True):
        np.testing.assert_array_equal(mine.matrices, all_of.matrices[order])
    assert part.mixing is not None
    assert whole.mixing is not None
    np.testing.assert_array_equal(part.mixing.boxes, whole.mixing.boxes[order])


def test_an_empty_pipeline_changes_nothing_and_says_so() -> None:
    assert not Pipeline(()).changes_anything
    assert Pipeline(()).lines() == ("augmentation: none, training sees what evaluation sees",)
    assert set(told(originals(Pipeline(())))) == {"unchanged"}
    assert not originals(Pipeline(())).moves


@pytest.mark.parametrize(
    "pipeline",
    [Pipeline(("hflip",)), Pipeline((), (("hflip(1)",),)), Pipeline((), (), ((2, ("hflip",)),))],
)
def test_any_part_makes_a_pipeline_that_changes_something(pipeline: Pipeline) -> None:
    assert pipeline.changes_anything


def test_pixel_ops_alone_need_no_resampling_and_a_copy_that_moves_does() -> None:
    assert not originals(Pipeline(("noise(0.1)",))).moves
    assert originals(Pipeline(("noise(0.1)",), copies=(("hflip(1)",),))).moves
    assert originals(Pipeline(("trivialaugment",))).moves


def test_lines_tell_the_whole_pipeline() -> None:
    pipeline = Pipeline(("hflip", "rotate(15)"), (("vflip(1)",),), ((3, ("cutmix(1)",)),))
    assert pipeline.lines() == (
        "augmentation: hflip, then rotate(15)",
        "from epoch 3 on: cutmix(1)",
        "copy 1 of every image: vflip(1)",
    )


@pytest.mark.parametrize(
    ("augment", "copies", "stages", "words"),
    [
        (("mixup(0.2)", "cutmix(1)"), (), (), "2 mixing ops: mixup.*mixup_or_cutmix"),
        (("mixup(0.2)",), (), ((3, ("cutmix(1)",)),), "2 mixing ops"),
        ((), (("mixup(0.2)",),), (), 'Copy 1 has the op "mixup'),
        ((), (("hflip",), ("augmix",)), (), 'Copy 2 has the op "augmix"'),
        ((), ((),), (), "Copy 1 has no op"),
        ((), (), ((2, ()),), "stage at epoch 2 adds no op"),
        (("augmix(3)", "hflip"), (), (), '"augmix\\(3\\)" stands before "hflip"'),
        (("augmix(3)",), (), ((2, ("hflip",)),), "only mixing may follow"),
        (("augmix", "augmix"), (), (), "stands before"),
        (("flip",), (), (), 'Did you mean "vflip"'),
    ],
)
def test_what_cannot_be_together_is_refused(
    augment: tuple[str, ...],
    copies: tuple[tuple[str, ...], ...],
    stages: tuple[tuple[int, tuple[str, ...]], ...],
    words: str,
) -> None:
    with pytest.raises(DessinError, match=words):
        Pipeline(augment, copies, stages)


def test_mixing_may_stand_anywhere_and_augmix_before_it() -> None:
    first = originals(Pipeline(("cutmix(1)", "hflip", "augmix(3)")))
    last = originals(Pipeline(("hflip", "augmix(3)", "cutmix(1)")))
    assert told(first) == told(last)
