"""Strokes: polylines on a page where x runs right and y down, from about -1 to 1; shapes made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Fill = Literal["none", "paper", "ink"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """One movement of the pen, (n, 2). `paper` hides what lies behind it, `ink` blackens its inside."""

    points: Points
    fill: Fill = "none"
    essential: bool = True


Shape = tuple[Stroke, ...]


def line(*points: Point, essential: bool = True) -> Stroke:
    """Straight pieces from point to point."""
    return Stroke(np.array(points, dtype=np.float64), "none", essential)


def polygon(*points: Point, fill: Fill = "paper", essential: bool = True) -> Stroke:
    return Stroke(np.array([*points, points[0]], dtype=np.float64), fill, essential)


def box(
    left: float, top: float, right: float, bottom: float, *, fill: Fill = "paper", essential: bool = True
) -> Stroke:
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return polygon(*corners, fill=fill, essential=essential)


def arc(centre: Point, radii: Point, start: float, end: float, *, essential: bool = True) -> Stroke:
    """Part of an ellipse; angles in degrees, clockwise on the page from the right."""
    return Stroke(_ellipse(centre, radii, start, end), "none", essential)


def oval(centre: Point, radii: Point, *, fill: Fill = "paper", essential: bool = True) -> Stroke:
    """A whole ellipse, begun at the top left as right-handed people do."""
    return Stroke(_ellipse(centre, radii, -130.0, 232.0), fill, essential)


def dot(centre: Point, radius: float) -> Stroke:
    return oval(centre, (radius, radius), fill="ink")


def curve(
    points: Sequence[Point], *, closed: bool = False, fill: Fill = "none", essential: bool = True
) -> Stroke:
    """A smooth line through the points (Catmull and Rom 1974, "A class of local interpolating splines")."""
    knots = np.array(points, dtype=np.float64)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        first, last = 2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2]
        knots = np.concatenate([first[None], knots, last[None]])
    before, start, end, after = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
    t = np.linspace(0.0, 1.0, 12, endpoint=False)[None, :, None]
    a, b, c, d = (k[:, None, :] for k in (before, start, end, after))
    pieces = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return Stroke(np.concatenate([pieces.reshape(-1, 2), knots[-2:-1]]), fill, essential)


def moved(
    shape: Iterable[Stroke], *, by: Point = (0.0, 0.0), scale: Point = (1.0, 1.0), turn: float = 0.0
) -> Shape:
    """The shape scaled, turned by `turn` degrees, then shifted."""
    angle = np.deg2rad(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * np.array(scale)
    return tuple(
        Stroke(stroke.points @ matrix.T + np.array(by), stroke.fill, stroke.essential) for stroke in shape
    )


def extent(shape: Iterable[Stroke]) -> tuple[Points, Points]:
    """The upper left and lower right corner of the box around the shape, (2,) each."""
    points = np.concatenate([stroke.points for stroke in shape])
    return points.min(axis=0), points.max(axis=0)


def _ellipse(centre: Point, radii: Point, start: float, end: float) -> Points:
    angles = np.deg2rad(np.linspace(start, end, max(6, int(abs(end - start) / 12))))
    return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1)
