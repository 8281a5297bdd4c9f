from __future__ import annotations

import numpy as np
import pytest

from dessin.augment.plan import plan_batch
from dessin.errors import DessinError
from dessin.randomness import image_keys

OPS = ("hflip", "rotate(20)", "translate(0.1)", "scale(0.8, 1.25)")
KEYS = image_keys([f"class/{n}.png" for n in range(400)])


def test_the_same_seed_epoch_and_images_give_the_same_plan() -> None:
    first, second = (plan_batch(OPS, 3, 5, KEYS, 64).matrices for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(("seed", "epoch"), [(4, 5), (3, 6)])
def test_another_seed_or_epoch_gives_every_image_another_plan(seed: int, epoch: int) -> None:
    here = plan_batch(OPS, 3, 5, KEYS, 64).matrices
    there = plan_batch(OPS, seed, epoch, KEYS, 64).matrices
    assert (np.abs(here - there).max(axis=(1, 2)) > 0).all()


def test_a_plan_depends_neither_on_neighbours_nor_on_order() -> None:
    whole = plan_batch(OPS, 0, 0, KEYS, 64).matrices
    order = np.random.default_rng(0).permutation(len(KEYS))[:57]
    np.testing.assert_array_equal(plan_batch(OPS, 0, 0, KEYS[order], 64).matrices, whole[order])


def test_composed_geometry_is_the_product_in_the_written_order() -> None:
    alone = [plan_batch((op,), 0, 2, KEYS, 64).matrices for op in OPS]
    product = alone[3] @ alone[2] @ alone[1] @ alone[0]
    np.testing.assert_allclose(plan_batch(OPS, 0, 2, KEYS, 64).matrices, product, atol=1e-12)


def test_adding_an_op_leaves_the_draws_of_the_others() -> None:
    rotated = plan_batch(("rotate(20)",), 0, 0, KEYS, 64).matrices
    both = plan_batch(("translate(0.1)", "rotate(20)"), 0, 0, KEYS, 64).matrices
    np.testing.assert_array_equal(both[:, :2, :2], rotated[:, :2, :2])


def test_an_op_written_twice_is_drawn_twice() -> None:
    once = plan_batch(("rotate(20)",), 0, 0, KEYS, 64).matrices
    twice = plan_batch(("rotate(20)", "rotate(20)"), 0, 0, KEYS, 64).matrices
    assert np.abs(twice - once @ once).max() > 0.01


def test_draws_stay_in_their_ranges_and_fill_them() -> None:
    angle = np.degrees(np.arcsin(plan_batch(("rotate(20)",), 0, 0, KEYS, 64).matrices[:, 1, 0]))
    assert -20 <= angle.min() < -18
    assert 18 < angle.max() <= 20
    factor = plan_batch(("scale(0.5, 2)",), 0, 0, KEYS, 64).matrices[:, 0, 0]
    assert 0.5 <= factor.min() < 0.53
    assert 1.9 < factor.max() <= 2
    assert abs(np.median(factor) - 1) < 0.15
    shift = plan_batch(("translate(0.1)",), 0, 0, KEYS, 64).matrices[:, :2, 2]
    assert np.abs(shift).max() <= 0.2
    assert np.abs(shift).max() > 0.19
    assert abs(np.corrcoef(shift.T)[0, 1]) < 0.15
    mirrored = plan_batch(("hflip(0.25)",), 0, 0, KEYS, 64).matrices[:, 0, 0] < 0
    assert 0.17 < mirrored.mean() < 0.33


def test_an_unknown_op_is_refused_when_planning_too() -> None:
    with pytest.raises(DessinError, match="Unknown augmentation"):
        plan_batch(("flip",), 0, 0, KEYS, 64)
