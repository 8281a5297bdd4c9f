"""Parts of whole groups: about even, the same whatever the order and the numbers of groups."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.committees.rules.nested import deal_groups
from dessin.errors import DessinError

IDS = [f"{number:04d}.png" for number in range(300)]


def test_parts_are_of_whole_groups_about_equal_and_do_not_depend_on_the_order_of_images() -> None:
    draw = np.random.default_rng(5)
    groups = draw.integers(0, 40, 300)
    parts = deal_groups(groups, IDS, seed=4)
    assert all(len(set(parts[groups == group])) == 1 for group in np.unique(groups))
    sizes = np.bincount(parts)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()
    order = draw.permutation(300)
    assert np.array_equal(deal_groups(groups[order], [IDS[i] for i in order], seed=4), parts[order])
    assert np.array_equal(deal_groups(100 - groups, IDS, seed=4), parts)
    assert not np.array_equal(deal_groups(groups, IDS, seed=5), parts)


def test_few_groups_give_fewer_parts_and_one_group_none() -> None:
    assert set(deal_groups(np.array([0, 0, 0, 1]), IDS[:4])) == {0, 1}
    with pytest.raises(DessinError, match="one group"):
        deal_groups(np.zeros(9, dtype=np.int64), IDS[:9])
