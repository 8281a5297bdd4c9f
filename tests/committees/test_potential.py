"""Bounds with answers worked out by hand, and rules that hold for any classifier."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.committees.families.measure import family_sums, potential, right_in_family, worth_an_expert
from dessin.committees.families.result import make_families

CLASSES = ("a1", "a2", "b1", "b2")
FAMILIES = make_families({"a1": "a", "a2": "a", "b1": "b", "b2": "b"}, CLASSES)
# True class a1, a1, a1, b1, b1; what is wrong with each answer stands beside it.
TABLE = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],  # right
        [0.3, 0.4, 0.2, 0.1],  # the family is found, the class inside it is wrong: for an expert
        [0.2, 0.1, 0.3, 0.4],  # the family is wrong, the class inside the true one right: for a router
        [0.1, 0.2, 0.2, 0.5],  # found, wrong inside: for an expert
        [0.4, 0.3, 0.1, 0.2],  # wrong both ways
    ]
)
TARGETS = np.array([0, 0, 0, 2, 2])
GROUPS = np.array(["1", "2", "3", "4", "5"])


def test_the_bounds_are_those_counted_by_hand() -> None:
    found = potential(TABLE, TARGETS, GROUPS, FAMILIES, CLASSES)
    assert found.now.value == pytest.approx(1 / 5)
    assert found.found.value == pytest.approx(3 / 5)
    assert found.router.accuracy.value == pytest.approx(2 / 5)
    assert [bound.accuracy.value for bound in found.cumulated] == pytest.approx([2 / 5, 3 / 5])
    assert [bound.gain.difference.value for bound in found.cumulated] == pytest.approx([1 / 5, 2 / 5])
    a, b = found.families
    assert (a.name, a.images, a.correct, a.found, a.inside, a.gained) == ("a", 3, 1, 2, 1, 1)
    assert (b.name, b.images, b.correct, b.found, b.inside, b.gained) == ("b", 2, 0, 1, 1, 1)


def test_family_sums_are_sums() -> None:
    assert family_sums(TABLE, FAMILIES.numbers(CLASSES))[1] == pytest.approx([0.7, 0.3])


@pytest.fixture
def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    targets = random.integers(0, 4, 200)
    table = random.dirichlet(np.ones(4), 200)
    table[np.arange(200), targets] += 0.3
    return table / table.sum(axis=1, keepdims=True), targets, np.array([f"g{i // 2}" for i in range(200)])


def test_perfect_parts_never_harm(world) -> None:
    found = potential(*world, FAMILIES, CLASSES)
    values = [found.now.value, *(bound.accuracy.value for bound in found.cumulated)]
    assert values == sorted(values)
    assert found.router.accuracy.value >= found.now.value
    for row in found.families:
        assert row.correct <= row.images
        assert row.inside <= row.gained <= row.errors


def test_the_gains_of_families_add_up(world) -> None:
    found = potential(*world, FAMILIES, CLASSES)
    alone = sum(row.bound.gain.difference.value for row in found.families)
    assert found.cumulated[-1].gain.difference.value == pytest.approx(alone)


def test_the_order_of_images_and_classes_changes_no_value(world) -> None:
    table, targets, groups = world
    expected = potential(table, targets, groups, FAMILIES, CLASSES)
    rows, columns = np.random.default_rng(0).permutation(200), np.array([2, 0, 3, 1])
    moved = potential(
        table[rows][:, columns],
        np.argsort(columns)[targets[rows]],
        groups[rows],
        FAMILIES,
        [CLASSES[c] for c in columns],
    )
    assert moved.router.accuracy.value == expected.router.accuracy.value
    assert [(f.name, f.gained) for f in moved.families] == [(f.name, f.gained) for f in expected.families]


def test_a_perfect_router_over_single_classes_is_always_right(world) -> None:
    table, targets, _ = world
    assert right_in_family(table, targets, np.arange(4)).all()
    assert (right_in_family(table, targets, np.zeros(4, int)) == (table.argmax(axis=1) == targets)).all()


def test_experts_are_worth_it_only_beyond_chance_and_for_more_than_one_class(world) -> None:
    assert worth_an_expert(potential(TABLE, TARGETS, GROUPS, FAMILIES, CLASSES)) == ()
    worth = worth_an_expert(potential(*world, FAMILIES, CLASSES))
    assert {row.name for row in worth} == {"a", "b"}
    assert len(worth_an_expert(potential(*world, FAMILIES, CLASSES), most=1)) == 1
    alone = make_families({"a1": "x", "a2": "x", "b1": "x", "b2": "alone"}, CLASSES)
    assert [row.name for row in worth_an_expert(potential(*world, alone, CLASSES))] == ["x"]
