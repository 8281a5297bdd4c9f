from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.committees.rules.choice import pairwise


def from_counts(both: int, first: int, second: int, neither: int) -> NDArray[np.bool_]:
    """Two members of which so many images are right by both, by one alone, and by none."""
    rows = (
        [(True, True)] * both
        + [(True, False)] * first
        + [(False, True)] * second
        + [(False, False)] * neither
    )
    return np.array(rows).T


def test_known_answers() -> None:
    measured = pairwise(from_counts(5, 2, 1, 2))
    assert measured.disagreement[0, 1] == pytest.approx(0.3)
    assert measured.double_fault[0, 1] == pytest.approx(0.2)
    assert measured.q_statistic[0, 1] == pytest.approx((10 - 2) / (10 + 2))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((4, 2, 6, 3), 0.0),  # independent: 4 x 3 = 2 x 6
        ((4, 0, 0, 4), 1.0),  # always alike
        ((0, 4, 4, 0), -1.0),  # never alike
        ((4, 2, 0, 3), 1.0),  # whatever the second has right, the first has too
        ((8, 0, 0, 0), 1.0),  # both have everything right: alike
        ((6, 2, 0, 0), 0.0),  # the first has everything right: nothing can be told
        ((0, 0, 3, 5), 0.0),  # the first has everything wrong
        ((0, 3, 0, 5), 0.0),
    ],
)
def test_q_where_cells_are_empty(counts: tuple[int, int, int, int], expected: float) -> None:
    q = pairwise(from_counts(*counts)).q_statistic
    assert q[0, 1] == q[1, 0] == pytest.approx(expected)


def test_tables_are_symmetric_and_the_diagonal_is_a_member_beside_itself() -> None:
    correct = np.random.default_rng(0).random((5, 200)) < 0.7
    measured = pairwise(correct)
    for table in (measured.disagreement, measured.double_fault, measured.q_statistic):
        assert np.array_equal(table, table.T)
    assert not measured.disagreement.diagonal().any()
    assert measured.double_fault.diagonal() == pytest.approx(1 - correct.mean(axis=1))
    assert (measured.q_statistic.diagonal() == 1).all()


def test_all_pairs_are_as_each_pair_by_itself() -> None:
    correct = np.random.default_rng(1).random((4, 100)) < 0.6
    measured = pairwise(correct)
    for i in range(4):
        for j in range(4):
            pair = pairwise(correct[[i, j]])
            assert measured.disagreement[i, j] == pair.disagreement[0, 1]
            assert measured.q_statistic[i, j] == pytest.approx(pair.q_statistic[0, 1])
            assert measured.double_fault[i, j] == np.mean(~correct[i] & ~correct[j])


def test_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="right and wrong"):
        pairwise(np.zeros((2, 0), dtype=bool))
