from __future__ import annotations

import time

import numpy as np
import pytest

from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.plan import AugmentPlan
from dessin.errors import DessinError
from dessin.randomness import Words, image_keys

OPS = ("hflip", "rotate(20)", "translate(0.1)", "scale(0.8, 1.25)")
KEYS = image_keys([f"class/{n}.png" for n in range(400)])


def planned(ops: tuple[str, ...], seed: int, epoch: int, keys: Words) -> AugmentPlan:
    return Pipeline(ops).plan(seed, epoch, keys, np.zeros(len(keys), dtype=np.int64), 64)


def test_the_same_seed_epoch_and_images_give_the_same_plan() -> None:
    first, second = (planned(OPS, 3, 5, KEYS).matrices for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(("seed", "epoch"), [(4, 5), (3, 6)])
def test_another_seed_or_epoch_gives_every_image_another_plan(seed: int, epoch: int) -> None:
    here = planned(OPS, 3, 5, KEYS).matrices
    there = planned(OPS, seed, epoch, KEYS).matrices
    assert (np.abs(here - there).max(axis=(1, 2)) > 0).all()


def test_a_plan_depends_neither_on_neighbours_nor_on_order() -> None:
    whole = planned(OPS, 0, 0, KEYS).matrices
    order = np.random.default_rng(0).permutation(len(KEYS))[:57]
    np.testing.assert_array_equal(planned(OPS, 0, 0, KEYS[order]).matrices, whole[order])


def test_composed_geometry_is_the_product_in_the_written_order() -> None:
    alone = [planned((op,), 0, 2, KEYS).matrices for op in OPS]
    product = alone[3] @ alone[2] @ alone[1] @ alone[0]
    np.testing.assert_allclose(planned(OPS, 0, 2, KEYS).matrices, product, atol=1e-12)


def test_adding_an_op_leaves_the_draws_of_the_others() -> None:
    rotated = planned(("rotate(20)",), 0, 0, KEYS).matrices
    both = planned(("translate(0.1)", "rotate(20)"), 0, 0, KEYS).matrices
    np.testing.assert_array_equal(both[:, :2, :2], rotated[:, :2, :2])


def test_an_op_written_twice_is_drawn_twice() -> None:
    once = planned(("rotate(20)",), 0, 0, KEYS).matrices
    twice = planned(("rotate(20)", "rotate(20)"), 0, 0, KEYS).matrices
    assert np.abs(twice - once @ once).max() > 0.01


def test_draws_stay_in_their_ranges_and_fill_them() -> None:
    angle = np.degrees(np.arcsin(planned(("rotate(20)",), 0, 0, KEYS).matrices[:, 1, 0]))
    assert -20 <= angle.min() < -18
    assert 18 < angle.max() <= 20
    factor = planned(("scale(0.5, 2)",), 0, 0, KEYS).matrices[:, 0, 0]
    assert 0.5 <= factor.min() < 0.53
    assert 1.9 < factor.max() <= 2
    assert abs(np.median(factor) - 1) < 0.15
    shift = planned(("translate(0.1)",), 0, 0, KEYS).matrices[:, :2, 2]
    assert np.abs(shift).max() <= 0.2
    assert np.abs(shift).max() > 0.19
    assert abs(np.corrcoef(shift.T)[0, 1]) < 0.15
    mirrored = planned(("hflip(0.25)",), 0, 0, KEYS).matrices[:, 0, 0] < 0
    assert 0.17 < mirrored.mean() < 0.33


def test_an_unknown_op_is_refused_when_planning_too() -> None:
    with pytest.raises(DessinError, match="Unknown augmentation"):
        planned(("flip",), 0, 0, KEYS)


def test_a_plan_says_what_happens_to_each_image_with_its_numbers() -> None:
    plan = planned(("hflip(0.5)", "rotate(20)", "thickness(0.8, 1.25)"), 0, 0, KEYS)
    angle = np.degrees(np.arcsin(plan.matrices[:, 1, 0]))
    factors = plan.steps[0].values[:, 0]
    for image in range(20):
        flipped = "hflip, " if plan.matrices[image, 0, 0] < 0 else ""
        # A flipped drawing that is then turned has the same sine.
        expected = f"{flipped}rotate {angle[image]:+.1f}°, thickness ×{factors[image]:.2f}"
        sign = -1 if flipped else 1
        assert plan.describe(image) == expected.replace(f"{angle[image]:+.1f}", f"{sign * angle[image]:+.1f}")


def test_an_op_with_a_probability_acts_on_about_that_share() -> None:
    plan = planned(("blur(2, p=0.3)",), 0, 0, KEYS)
    rows = plan.steps[0].rows
    assert rows is not None
    assert 0.22 < len(rows) / len(KEYS) < 0.38
    assert (np.diff(rows) > 0).all()
    untouched = np.setdiff1d(np.arange(len(KEYS)), rows)
    assert {plan.describe(int(image)) for image in untouched} == {"unchanged"}


def test_seeds_for_draws_a_pixel_differ_between_images_and_epochs() -> None:
    first, second = (planned(("noise(0.1)",), 0, epoch, KEYS).steps[0].seeds for epoch in (0, 1))
    assert len(np.unique(np.concatenate([first, second]))) == 2 * len(KEYS)
    assert first.dtype == np.int64
    assert 0 <= first.min() < first.max() < 2**31


def test_a_crop_enlarges_a_part_that_lies_inside() -> None:
    matrices = planned(("random_crop(0.5, 0.8)",), 0, 0, KEYS).matrices
    share = 1 / matrices[:, 0, 0]
    assert 0.5 <= share.min() < 0.52
    assert 0.78 < share.max() <= 0.8
    corners = np.linalg.inv(matrices) @ np.array([[-1, 1], [-1, 1], [1, 1]])
    assert np.abs(corners[:, :2]).max() <= 1 + 1e-9
    assert np.abs(corners[:, :2]).max() > 0.99


def test_a_centre_crop_is_the_same_for_all() -> None:
    matrices = planned(("centre_crop(0.5)",), 0, 0, KEYS).matrices
    np.testing.assert_allclose(matrices, np.tile(np.diag([2.0, 2.0, 1.0]), (len(KEYS), 1, 1)))


def test_shears_keep_areas_and_reach_their_angle() -> None:
    matrices = planned(("shear(20)",), 0, 0, KEYS).matrices
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)
    for along, across in ((0, 1), (1, 0)):
        assert 19 < np.degrees(np.arctan(matrices[:, along, across])).max() <= 20


def test_affine_is_scale_shear_rotate_and_shift_in_this_order() -> None:
    plan = planned(("affine(20, 0.1, 0.5, 2, 15)",), 0, 0, KEYS)
    assert [action.act for action in plan.actions] == ["scale", "shear", "rotate", "translate"]
    scale, _, rotate, translate = (action.numbers for action in plan.actions)
    determinant = np.linalg.det(plan.matrices)
    np.testing.assert_allclose(determinant, scale[:, 0] ** 2)
    np.testing.assert_allclose(plan.matrices[:, :2, 2], 2 * translate)
    assert 19 < np.abs(rotate).max() <= 20


def test_planning_is_fast() -> None:
    """Well below a millisecond an image, fields included."""
    ops = (*OPS, "elastic(0.05)", "line_wobble(0.01)", "thickness(0.8, 1.2)", "augmix(3)", "cutmix(1)")
    start = time.process_time()
    planned(ops, 0, 0, KEYS)
    assert (time.process_time() - start) / len(KEYS) < 1e-3
