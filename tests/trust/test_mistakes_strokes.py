"""Line thickness, size and shape of drawings whose lines are known."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.trust.mistakes.strokes import measure_file, measure_strokes


def bars(width: int, *, side: int = 256, ink: int = 0) -> NDArray[np.uint8]:
    """Three straight lines of one width on white."""
    page = np.full((side, side, 3), 255, np.uint8)
    page[20:230, 40 : 40 + width] = ink
    page[20:230, 140 : 140 + width] = ink
    page[100 : 100 + width, 40:200] = ink
    return page


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9])
def test_thickness_is_that_of_the_lines(width: int) -> None:
    assert measure_strokes(bars(width)).thickness == pytest.approx(width, abs=0.4)


@pytest.mark.parametrize("width", [2, 4, 7])
def test_thickness_does_not_depend_on_turns_resolution_or_darkness(width: int) -> None:
    page = bars(width)
    plain = measure_strokes(page).thickness
    assert measure_strokes(np.rot90(page).copy()).thickness == pytest.approx(plain, abs=0.05)
    assert measure_strokes(255 - page).thickness == pytest.approx(plain, abs=0.05)
    assert measure_strokes(bars(width, ink=170)).thickness == pytest.approx(plain, abs=0.3)
    for side in (512, 1024):
        larger = cv2.resize(page, (side, side), interpolation=cv2.INTER_NEAREST)
        assert measure_strokes(np.asarray(larger)).thickness == pytest.approx(plain, abs=0.3)


def test_a_filled_area_and_specks_do_not_hide_the_lines() -> None:
    page = bars(3)
    page[150:200, 60:110] = 0
    page[5:250:40, 220] = 0
    assert measure_strokes(page).thickness == pytest.approx(3, abs=0.4)


def test_soft_edges_do_not_make_lines_thick() -> None:
    blurred = np.asarray(cv2.GaussianBlur(bars(6), (0, 0), 1.5))
    assert measure_strokes(blurred).thickness == pytest.approx(6, abs=0.8)


def test_size_and_elongation_are_those_of_the_box_around_the_ink() -> None:
    page = np.full((256, 512, 3), 255, np.uint8)
    cv2.rectangle(page, (100, 50), (355, 113), (0, 0, 0), 3)
    found = measure_strokes(page)
    assert found.size == pytest.approx(259 / 512, abs=0.01)
    assert found.elongation == pytest.approx(259 / 67, rel=0.05)
    moved = measure_strokes(np.roll(page, (40, 30), axis=(0, 1)))
    assert (moved.size, moved.elongation) == (found.size, found.elongation)


def test_what_has_no_ink_or_cannot_be_read_has_no_measures(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for found in (
        measure_strokes(np.full((64, 64, 3), 255, np.uint8)),
        measure_file(tmp_path / "broken.png"),
    ):
        assert all(math.isnan(value) for value in (found.thickness, found.size, found.elongation))
