"""Strokes go through their points, and moving a shape can be undone."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.doodles.dice import Dice
from dessin.doodles.drawing import Hand, by_hand
from dessin.doodles.strokes import box, curve, extent, line, moved, oval
from dessin.doodles.subjects import SUBJECTS

STEADY = Hand(wobble=0.0, overshoot=0.0, missing=0.0, doubled=0.0)


def test_a_curve_goes_through_its_points_in_order() -> None:
    points = [(0.0, 0.0), (1.0, 0.5), (0.3, 0.9), (-0.5, 0.2)]
    drawn = curve(points).points
    nearest = [int(np.hypot(*(drawn - point).T).argmin()) for point in points]
    assert nearest == sorted(nearest)
    assert all(np.allclose(drawn[row], point) for row, point in zip(nearest, points, strict=True))


def test_a_closed_curve_ends_where_it_began() -> None:
    drawn = curve([(0, 0), (1, 0), (1, 1)], closed=True).points
    assert np.allclose(drawn[0], drawn[-1])


def test_an_oval_has_its_radii() -> None:
    low, high = extent([oval((0.2, -0.1), (0.5, 0.25))])
    assert np.allclose(low, (-0.3, -0.35), atol=0.01)
    assert np.allclose(high, (0.7, 0.15), atol=0.01)


def test_turning_back_restores_the_shape() -> None:
    shape = (box(0, 0, 1, 0.5), line((0, 0), (0.3, 0.7)))
    there = moved(shape, turn=37, by=(0.1, 0.2))
    back = moved(moved(there, by=(-0.1, -0.2)), turn=-37)
    assert all(np.allclose(a.points, b.points) for a, b in zip(shape, back, strict=True))


def test_a_steady_hand_draws_the_very_line() -> None:
    (drawn,) = by_hand((line((0, 0), (1, 1)),), STEADY, Dice(0, "x"))
    assert np.allclose(drawn.points[:, 0], drawn.points[:, 1])
    assert np.allclose(drawn.points[[0, -1]], [(0, 0), (1, 1)])


def test_a_shaky_hand_leaves_the_line_but_stays_near_it() -> None:
    hand = Hand(wobble=0.03, overshoot=0.0, missing=0.0, doubled=0.0)
    (drawn,) = by_hand((line((0, 0), (1, 1)),), hand, Dice(0, "x"))
    off = np.abs(drawn.points[:, 0] - drawn.points[:, 1])
    assert 0.002 < off.max() < 0.25


def test_only_strokes_that_are_not_essential_are_left_out() -> None:
    hand = Hand(wobble=0.0, overshoot=0.0, missing=1.0, doubled=0.0)
    shape = (line((0, 0), (1, 0)), line((0, 1), (1, 1), essential=False))
    assert len(by_hand(shape, hand, Dice(0, "x"))) == 1


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_every_subject_is_drawn_in_many_ways_on_the_page(subject: str) -> None:
    shapes = [SUBJECTS[subject](Dice(0, f"{subject} {n}")) for n in range(40)]
    sizes = np.array([np.subtract(*extent(shape)[::-1]) for shape in shapes])
    assert sizes.max(axis=1).min() > 0.6
    assert sizes.max() < 3.0
    assert len({len(shape) for shape in shapes} | {shape[0].points.tobytes() for shape in shapes}) > 20


def test_draws_do_not_depend_on_how_many_were_asked_for_at_once() -> None:
    one, many = Dice(5, "a"), Dice(5, "a")
    assert [one.between(0, 1) for _ in range(600)] == many.many(600).tolist()
    assert Dice(6, "a").many(3).tolist() != Dice(5, "a").many(3).tolist()
