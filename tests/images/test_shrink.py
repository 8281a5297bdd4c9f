"""Smaller pictures: pixels are means, sides come out as asked, and small ones stay."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.images.shrink import divided, shrunk


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_a_picture_of_blocks_comes_back(factor: int) -> None:
    small = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    blocks = small.repeat(factor, axis=0).repeat(factor, axis=1)
    # A rest that makes no whole block is cut off.
    larger = np.pad(blocks, ((0, factor - 1), (0, factor - 1), (0, 0)))
    np.testing.assert_array_equal(divided(larger, factor), small)


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [((100, 50), 20, (20, 10)), ((50, 100, 3), 99, (50, 99, 3)), ((400, 1), 20, (20, 1))],
)
def test_the_longer_side_is_what_was_asked(
    shape: tuple[int, ...], side: int, expected: tuple[int, ...]
) -> None:
    page = np.full(shape, 200, np.uint8)
    found = shrunk(page, side)
    assert found.shape == expected
    assert (found == 200).all()


def test_what_is_no_larger_stays_as_it_is() -> None:
    page = np.zeros((30, 20, 3), np.uint8)
    assert shrunk(page, 30) is page
    assert divided(page, 1) is page
