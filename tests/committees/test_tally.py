from __future__ import annotations

import numpy as np
import pytest
from member_tables import make_table, plausible
from numpy.typing import NDArray

from dessin.answers.table import MemberTable
from dessin.committees.rules.rivals import Tally, find_rivals


def dense_right(table: MemberTable, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> list[int]:
    """How many images are right after adding each member, by adding up everything."""
    answers = table.probabilities[:, rows].astype(np.float64)
    total = np.tensordot(counts, answers, axes=1)
    return [int(((total + answer).argmax(axis=1) == table.targets[rows]).sum()) for answer in answers]


@pytest.mark.parametrize("most", [1, 3, None])
@pytest.mark.parametrize("levels", [0, 4, 16])
@pytest.mark.parametrize("classes", [2, 9])
def test_counts_are_those_of_the_whole_table(most: int | None, levels: int, classes: int) -> None:
    # With few levels sums tie all the time, and own probabilities are 0 in many places.
    table = plausible(7, 120, classes, seed=levels, levels=levels)
    rows = np.arange(100)
    tally = Tally(find_rivals(table, rows, most=most))
    everyone = np.arange(table.members)
    for member in np.random.default_rng(levels).integers(0, table.members, 15):
        assert tally.right_with(everyone).tolist() == dense_right(table, rows, tally.counts)
        tally.add(int(member))


def test_a_bound_that_decides_nothing_is_settled_by_the_whole_rows() -> None:
    """Two rivals are left out, each ahead in another member: their bound is ahead, neither of them is."""
    answers = [[[0.4, 0.0, 0.6, 0.0]], [[0.4, 0.0, 0.0, 0.6]], [[0.3, 0.7, 0.0, 0.0]]]
    table = make_table(answers, [0])
    rivals = find_rivals(table, table.every_row, most=1)
    assert rivals.bound.any()
    tally = Tally(rivals)
    tally.add(0)
    assert tally.right_with(np.arange(3)).tolist() == [0, 1, 1]


def test_only_the_members_asked_for_are_answered_in_their_order() -> None:
    table = plausible(6, 80, 5)
    tally = Tally(find_rivals(table, table.every_row))
    tally.add(2)
    every = tally.right_with(np.arange(6))
    assert tally.right_with(np.array([5, 0, 3])).tolist() == every[[5, 0, 3]].tolist()


def test_likelihood_is_that_of_the_mean() -> None:
    table = plausible(4, 50, 5)
    tally = Tally(find_rivals(table, table.every_row))
    for member in (1, 1, 3):
        tally.add(member)
    mean = (2 * table.probabilities[1] + table.probabilities[3] + table.probabilities[0]).astype(
        np.float64
    ) / 4
    own = mean[np.arange(50), table.targets]
    assert tally.log_likelihood_with(np.array([0]))[0] == pytest.approx(np.log(own).mean(), abs=1e-6)


def test_a_true_class_of_no_probability_costs_a_finite_amount() -> None:
    table = make_table([[[0.0, 1.0], [0.0, 1.0]]], [0, 0])
    tally = Tally(find_rivals(table, table.every_row))
    assert tally.log_likelihood_with(np.array([0]))[0] == pytest.approx(np.log(1e-7))
