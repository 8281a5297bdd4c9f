"""Figures keep their words as words, whatever alphabet a class has its name in."""

from __future__ import annotations

import base64
import warnings

import numpy as np

from dessin.page.pictures import enlarged, figure_data_uri, new_figure


def test_a_class_with_a_korean_name_is_drawn_without_a_word() -> None:
    figure, axes = new_figure()
    axes.bar(["고양이", "cat"], [1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        uri = figure_data_uri(figure)
    svg = base64.b64decode(uri.partition(",")[2]).decode()
    assert "고양이" in svg
    assert "DejaVu" not in svg


def test_the_same_figure_gives_the_same_bytes() -> None:
    def drawn(height: float) -> str:
        figure, axes = new_figure()
        axes.bar(["a", "b"], [1, height])
        return figure_data_uri(figure)

    assert drawn(2.0) == drawn(2.0)
    assert drawn(2.0) != drawn(3.0)


def test_a_small_picture_is_enlarged_by_whole_pixels_and_a_large_one_stays() -> None:
    small = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    shown = enlarged(small, 5)
    assert shown.shape == (6, 9, 3)
    np.testing.assert_array_equal(shown[::3, ::3], small)
    np.testing.assert_array_equal(shown[2::3, 2::3], small)
    assert enlarged(small, 2).shape == small.shape
