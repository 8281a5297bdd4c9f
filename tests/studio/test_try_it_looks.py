"""Bringing a drawing to the look of others: what does not matter does not change what the model sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.images.fit import prepare
from dessin.images.ground import Pixels
from dessin.images.spec import ImageSpec
from dessin.serving.look import Look, look_of
from dessin.studio.try_it.canvas import PenStroke, Strokes
from dessin.studio.try_it.render import picture_as_trained, render, rendered_as_trained, with_width

pytestmark = pytest.mark.slow

LOOK = Look(thickness=3 / 256, size=0.7, paper=(250, 245, 235), ink=(20, 30, 60))
SPEC = ImageSpec(size=96)


def house(scale: float = 0.4, right: float = 0.3, down: float = 0.3, width: float = 0.012) -> Strokes:
    walls = [[0, 0.4], [0, 1], [1, 1], [1, 0.4], [0, 0.4], [0.5, 0], [1, 0.4]]
    door = [[0.4, 1], [0.4, 0.65], [0.6, 0.65], [0.6, 1]]
    return tuple(PenStroke(width, np.array(part) * scale + [right, down]) for part in (walls, door))


def seen(page: Pixels) -> NDArray[np.float64]:
    """What a model of 96 px would see, in 0..255."""
    return prepare(page, SPEC, "bicubic").astype(np.float64)


def apart(first: Pixels, second: Pixels) -> float:
    """The mean difference of what is seen, as a share of that to an empty page."""
    empty = np.abs(seen(first) - np.array(LOOK.paper)[:, None, None]).mean()
    return float(np.abs(seen(first) - seen(second)).mean() / empty)


@pytest.mark.parametrize(
    "other", [house(width=0.024), house(scale=0.8, right=0.1, down=0.05), house(0.2, 0.75, 0.01)]
)
def test_pen_place_and_size_of_a_drawing_do_not_matter(other: Strokes) -> None:
    assert apart(rendered_as_trained(house(), LOOK), rendered_as_trained(other, LOOK)) < 0.02
    # They would, were it shown as it was drawn.
    assert apart(render(house()), render(other)) > 0.2


def test_pens_of_several_widths_keep_their_proportion() -> None:
    roof, door = house()
    bold = rendered_as_trained((roof, replace(door, width=0.036)), LOOK)
    assert apart(bold, rendered_as_trained((roof, door), LOOK)) > 0.1
    wider = rendered_as_trained((replace(roof, width=0.024), replace(door, width=0.072)), LOOK)
    assert apart(bold, wider) < 0.02


@pytest.mark.parametrize("thickness", [2, 3, 5, 8])
@pytest.mark.parametrize("size", [0.4, 0.85])
def test_a_drawing_brought_to_a_look_has_that_look(thickness: float, size: float) -> None:
    wanted = replace(LOOK, thickness=thickness / 256, size=size)
    # Slanted, as hands draw: of upright lines the measure knows whole pixels only.
    turn = np.array([[0.94, 0.34], [-0.34, 0.94]])
    slanted = tuple(PenStroke(stroke.width, (stroke.points - 0.5) @ turn + 0.5) for stroke in house())
    found = look_of(rendered_as_trained(slanted, wanted))
    assert found is not None
    assert 256 * found.thickness == pytest.approx(thickness, abs=0.35)
    assert found.size == pytest.approx(size, abs=0.015)
    assert (found.paper, found.ink) == (LOOK.paper, LOOK.ink)


@pytest.mark.parametrize("side", [128, 256, 300])
def test_strokes_are_drawn_as_an_independent_reference_draws_them(side: int) -> None:
    page = render(house(), side=side)[..., 0].astype(np.float64)
    assert np.abs(page - reference(house(), side)).mean() < 1.5
    assert page.min() == 0


def reference(strokes: Strokes, side: int) -> NDArray[np.float64]:
    """Black round-ended lines on white: by the distance of 36 samples a pixel to every piece of line."""
    samples = (np.arange(side * 6) + 0.5) / (side * 6)
    x, y = np.meshgrid(samples, samples)
    inked = np.zeros(x.shape, dtype=bool)
    for stroke in strokes:
        for (x0, y0), (x1, y1) in zip(stroke.points[:-1], stroke.points[1:], strict=True):
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx**2 + dy**2), 0, 1)
            inked |= np.hypot(x - x0 - along * dx, y - y0 - along * dy) <= stroke.width / 2
    return 255 * (1 - inked.reshape(side, 6, side, 6).mean(axis=(1, 3)))


def test_a_point_is_a_dot_and_is_not_blown_up() -> None:
    dot = (PenStroke(0.02, np.array([[0.9, 0.1]])),)
    assert (render(dot)[..., 0] < 128).sum() > 10
    page = rendered_as_trained(dot, LOOK)
    inked = np.argwhere(np.abs(page.astype(int) - LOOK.paper).max(axis=2) > 30)
    assert np.ptp(inked, axis=0).max() <= 6
    assert np.abs(inked.mean(axis=0) - 127.5).max() < 1.5


def test_a_picture_may_be_inverted_moved_or_scaled_on_its_page() -> None:
    plain = render(with_width(house(), 0.02), side=400)
    shown = picture_as_trained(plain, LOOK)
    assert apart(shown, picture_as_trained(255 - plain, LOOK)) < 0.02
    moved = render(with_width(house(0.4, 0.05, 0.5), 0.02), side=400)
    assert apart(shown, picture_as_trained(moved, LOOK)) < 0.15
    larger = render(with_width(house(0.8, 0.1, 0.1), 0.04), side=400)
    assert apart(shown, picture_as_trained(larger, LOOK)) < 0.15
    found = look_of(shown)
    assert found is not None
    assert found.size == pytest.approx(LOOK.size, abs=0.02)
    assert found.paper == LOOK.paper


def test_a_long_picture_keeps_its_proportions_and_a_blank_one_is_paper() -> None:
    page = np.full((900, 300, 3), 255, dtype=np.uint8)
    page[100:700, 100:110] = page[100:110, 100:200] = 0
    shown = picture_as_trained(page, LOOK)
    rows, columns = np.nonzero(np.abs(shown.astype(int) - LOOK.paper).max(axis=2) > 60)
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(6, rel=0.1)
    blank = picture_as_trained(np.full((50, 70, 3), 200, dtype=np.uint8), LOOK)
    assert (blank == np.array(LOOK.paper)).all()
