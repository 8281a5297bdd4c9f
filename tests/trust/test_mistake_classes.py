"""A class is called worse only where chance would seldom make it so, its groups kept together."""

from __future__ import annotations

import numpy as np
import pytest
from mistake_worlds import make_world

from dessin.trust.mistakes.measure import classes_differ, worse_than_rest

pytestmark = pytest.mark.slow


def test_a_planted_hard_class_is_named_and_no_other() -> None:
    draw = np.random.default_rng(1)
    targets, index = np.repeat(np.arange(30), 24), np.repeat(np.arange(30 * 12), 2)
    correct = draw.random(len(targets)) < np.where(targets == 7, 0.1, 0.7)
    p, p_holm = worse_than_rest(correct, targets, index, 30)
    assert [c for c in range(30) if p_holm[c] < 0.05] == [7]
    assert all(0 < a <= b <= 1 for a, b in zip(p, p_holm, strict=True))
    assert classes_differ(correct, targets, index) == 0.001


def test_classes_that_are_alike_are_seldom_called_worse() -> None:
    named, differ = 0, 0
    for seed in range(40):
        world = make_world(seed, classes=12, of_group=1.5)
        named += min(worse_than_rest(world.correct, world.targets, world.index, 12)[1]) < 0.05
        p = classes_differ(world.correct, world.targets, world.index)
        assert p is not None
        differ += p < 0.05
    assert named <= 6
    assert differ <= 6


def test_a_class_of_one_group_is_not_called_worse_however_many_drawings_it_has() -> None:
    targets = np.repeat(np.arange(10), 20)
    correct = targets % 3 > 0
    p, p_holm = worse_than_rest(correct, targets, targets, 11)
    assert min(p_holm) > 0.05
    assert p[0] > 0.2
    assert (p[10], p_holm[10]) == (1.0, 1.0)
    assert classes_differ(correct, targets, targets) is None


def test_the_order_of_drawings_changes_nothing() -> None:
    world = make_world(3, classes=10, of_class=1.0)
    order = np.random.default_rng(0).permutation(len(world.targets))
    again = worse_than_rest(world.correct[order], world.targets[order], world.index[order], 10)
    assert again == worse_than_rest(world.correct, world.targets, world.index, 10)
