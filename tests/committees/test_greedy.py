from __future__ import annotations

import numpy as np
import pytest
from member_tables import make_table, plausible, with_images, with_members
from numpy.typing import NDArray

from dessin.answers.table import MemberTable
from dessin.committees.rules.choice import choose_greedily, climb, deal_bags
from dessin.committees.rules.rivals import find_rivals


def select_greedily(table: MemberTable, rows: NDArray[np.int64], **options: int) -> NDArray[np.float64]:
    return choose_greedily(find_rivals(table, rows), **options)


def dense_climb(table: MemberTable, bag: list[int], steps: int) -> NDArray[np.int64]:
    """The climb written down plainly, adding up the whole table for every candidate."""
    answers = table.probabilities.astype(np.float64)
    images = np.arange(len(table.targets))
    counts, best = np.zeros(table.members, dtype=np.int64), None
    for step in range(steps):
        scores = []
        for member in bag:
            total = np.tensordot(counts, answers, axes=1) + answers[member]
            right = int((total.argmax(axis=1) == table.targets).sum())
            own = np.maximum(total[images, table.targets] / (step + 1), 1e-7)
            scores.append((right, round(float(np.log(own).mean()), 12)))
        counts[bag[scores.index(max(scores))]] += 1
        if best is None or max(scores) > best[0]:
            best = (max(scores), counts.copy())
    assert best is not None
    return best[1]


@pytest.mark.parametrize("seed", range(4))
def test_each_bag_climbs_as_the_plain_algorithm_does(seed: int) -> None:
    table = plausible(8, 150, 6, seed=seed, levels=64 if seed % 2 else 0)
    rivals = find_rivals(table, table.every_row, most=2)
    for bag in deal_bags(table.names, 3, seed):
        assert climb(rivals, bag, steps=12).tolist() == dense_climb(table, bag.tolist(), 12).tolist()


def test_weights_are_the_mean_of_the_bags() -> None:
    table = plausible(6, 100, 5)
    expected = np.zeros(6)
    for bag in deal_bags(table.names, 4, 0):
        counts = dense_climb(table, bag.tolist(), 10)
        expected += counts / counts.sum() / 4
    assert select_greedily(table, table.every_row, bags=4, steps=10) == pytest.approx(expected, abs=1e-12)


def test_members_that_complete_each_other_are_found_among_noise() -> None:
    draw = np.random.default_rng(0)
    targets = draw.integers(0, 4, 200)
    noise = draw.dirichlet(np.ones(4), (8, 200))
    sure = np.eye(4)[targets] * 0.9 + 0.025
    # Each of two members knows its half of the images and says nothing about the other half.
    for member, half in ((2, slice(None, None, 2)), (5, slice(1, None, 2))):
        noise[member] = 0.25
        noise[member, half] = sure[half]
    table = make_table(noise, targets)
    weights = select_greedily(table, table.every_row, bags=1)
    vote = np.tensordot(weights, table.probabilities, axes=1)
    assert (vote.argmax(axis=1) == targets).all()
    assert weights[2] + weights[5] > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_bags() -> None:
    table = plausible(8, 150, 6)
    first, again = (select_greedily(table, table.every_row, seed=3) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.sum() == pytest.approx(1.0)
    assert [bag.tolist() for bag in deal_bags(table.names, 5, 3)] != [
        bag.tolist() for bag in deal_bags(table.names, 5, 4)
    ]


def test_a_bag_is_half_of_the_members_and_one_bag_is_all() -> None:
    names = tuple("gfedcba")
    bags = deal_bags(names, 6, 0)
    assert {len(set(bag.tolist())) for bag in bags} == {4}
    assert deal_bags(names, 1, 0)[0].tolist() == [6, 5, 4, 3, 2, 1, 0]


def test_permuted_members_have_permuted_weights() -> None:
    table = plausible(8, 150, 6)
    order = np.random.default_rng(1).permutation(8)
    weights = select_greedily(table, table.every_row)
    assert np.array_equal(
        select_greedily(with_members(table, order.tolist()), table.every_row), weights[order]
    )


def test_permuted_images_change_nothing() -> None:
    table = plausible(8, 150, 6)
    order = np.random.default_rng(1).permutation(150)
    weights = select_greedily(table, table.every_row)
    assert np.array_equal(select_greedily(with_images(table, order), table.every_row), weights)


def test_of_equal_members_the_earlier_name_is_taken() -> None:
    table = with_members(plausible(1, 40, 4), [0, 0, 0], ["c", "a", "b"])
    assert select_greedily(table, table.every_row, bags=1).tolist() == [0.0, 1.0, 0.0]
