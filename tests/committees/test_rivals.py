from __future__ import annotations

import numpy as np
import pytest
from member_tables import make_table, plausible, spoiled

from dessin.committees.rules.rivals import find_rivals


def test_only_the_given_rows_are_read() -> None:
    table = plausible(4, 60, 7)
    rows = np.arange(0, 60, 3)
    others = np.setdiff1d(table.every_row, rows)
    clean, nonsense = find_rivals(table, rows), find_rivals(spoiled(table, others), rows)
    for name in ("own", "right", "lead", "image", "first", "bound", "low", "high", "lost"):
        assert np.array_equal(getattr(clean, name), getattr(nonsense, name)), name


def test_a_class_ahead_in_no_member_is_no_rival() -> None:
    # Image 0: class 1 is ahead in one member, class 2 in none. Image 1 is right in both.
    table = make_table([[[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], [[0.3, 0.6, 0.1], [0.2, 0.7, 0.1]]], [0, 1])
    rivals = find_rivals(table, table.every_row)
    assert rivals.image.tolist() == [0]
    assert rivals.lead == pytest.approx(np.array([[-0.2, 0.3]]))
    assert rivals.right.tolist() == [[True, True], [False, True]]
    assert rivals.lost == 0


def test_an_image_with_a_class_ahead_in_every_member_is_lost() -> None:
    table = make_table([[[0.2, 0.3, 0.5]], [[0.4, 0.6, 0.0]]], [0])
    rivals = find_rivals(table, table.every_row)
    assert (rivals.lost, len(rivals.image)) == (1, 0)


@pytest.mark.parametrize(("target", "lost"), [(0, 0), (1, 1)])
def test_a_tie_goes_to_the_lower_class(target: int, lost: int) -> None:
    table = make_table([[[0.5, 0.5, 0.0]], [[0.4, 0.4, 0.2]]], [target])
    rivals = find_rivals(table, table.every_row)
    assert rivals.lost == lost
    assert rivals.right[:, 0].all() == (not lost)


def test_rivals_left_out_are_bounded_by_the_highest_of_them() -> None:
    table = make_table([[[0.1, 0.4, 0.3, 0.2]], [[0.4, 0.1, 0.2, 0.3]]], [0])
    rivals = find_rivals(table, table.every_row, most=1)
    assert rivals.bound.tolist() == [False, True]
    assert rivals.lead[0] == pytest.approx([0.3, -0.3])
    assert rivals.lead[1] == pytest.approx([0.2, -0.1])


def test_no_image_to_choose_by_is_refused() -> None:
    table = plausible(2, 4, 3)
    with pytest.raises(ValueError, match="no image"):
        find_rivals(table, np.zeros(0, dtype=np.int64))
