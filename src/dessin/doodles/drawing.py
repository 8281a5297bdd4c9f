"""One doodle: a subject drawn by some hand on some page, now and then with something else beside it.

The hand wobbles, leaves gaps, runs too far, leaves strokes out or draws them twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dessin.doodles.dice import Dice
from dessin.doodles.page import encode, faint_page, place, plan_page, render
from dessin.doodles.photograph import Photograph, photograph
from dessin.doodles.strokes import Points, Shape, Stroke
from dessin.doodles.subjects import SUBJECTS
from dessin.images.decode import decode

Area = tuple[float, float, float, float]
_WHOLE: Area = (0.03, 0.03, 0.97, 0.97)
_STEP = 0.035
_WAVES = 4


@dataclass(frozen=True)
class Doodle:
    """One drawing as a file: `image_id` below the drawings folder, and its bytes.

    `shot` is the photograph that the file is, if it is one.
    """

    image_id: str
    data: bytes
    shot: Photograph | None = None


def draw_doodle(subject: str, number: int, *, seed: int, faint: bool = False) -> Doodle:
    """The drawing `number` of a subject, a function of its arguments; a faint one hardly leaves the paper."""
    dice = Dice(seed, f"{subject} {number}")
    page = plan_page(dice)
    page = faint_page(page) if faint else page
    shape = compose(subject, dice)
    if dice.chance(0.14):
        main, beside = _shares(dice, wide=page.width >= page.height)
        strokes = place(shape, page, main, dice)
        companion = subject if dice.chance(0.5) else dice.pick(sorted(SUBJECTS))
        strokes += place(compose(companion, dice), page, beside, dice)
    else:
        strokes = place(shape, page, _WHOLE, dice)
    data = encode(render(strokes, page, dice), page)
    return Doodle(f"{subject}/{subject}_{number:03d}{page.suffix}", data)


def photograph_doodle(
    subject: str, number: int, *, seed: int, take: int = 0, on_its_side: bool = False
) -> Doodle:
    """A photograph of that drawing's sheet, the first or another `take`, as a JPEG."""
    drawing = decode(draw_doodle(subject, number, seed=seed).data).pixels
    shot = photograph(drawing, seed=seed, name=f"{subject} {number}", take=take)
    shot = shot.turned() if on_its_side else shot
    return Doodle(f"{subject}/{subject}_{number:03d}.jpg", shot.jpeg(), shot)


def compose(subject: str, dice: Dice) -> Shape:
    """The subject as one person draws it, on the page of -1..1."""
    shape = slanted(SUBJECTS[subject](dice), dice)
    return by_hand(shape, draw_hand(dice), dice)


def _shares(dice: Dice, *, wide: bool) -> tuple[Area, Area]:
    """Where the subject and a smaller second object go: side by side, or one above the other."""
    cut = dice.between(0.6, 0.7)
    first, second = (0.03, cut - 0.02), (cut + 0.02, 0.97)
    if dice.chance(0.5):
        first, second = (1 - first[1], 1 - first[0]), (1 - second[1], 1 - second[0])
    if wide:
        return (first[0], 0.03, first[1], 0.97), (second[0], 0.2, second[1], 0.97)
    return (0.03, first[0], 0.97, first[1]), (0.2, second[0], 0.97, second[1])


@dataclass(frozen=True)
class Hand:
    """How steady a person draws; lengths are on the page of -1..1."""

    wobble: float
    overshoot: float
    missing: float
    doubled: float


def draw_hand(dice: Dice) -> Hand:
    """A hand between careful and hasty."""
    haste = dice.between(0.0, 1.0)
    return Hand(
        wobble=0.008 + 0.03 * haste,
        overshoot=0.01 + 0.05 * haste,
        missing=0.04 + 0.12 * haste,
        doubled=0.02 + 0.1 * haste,
    )


def slanted(shape: Shape, dice: Dice) -> Shape:
    """The shape turned, sheared and stretched a little, as nobody's drawing stands quite upright."""
    turn, shear = np.deg2rad(dice.around(0.0, 16.0)), dice.around(0.0, 0.2)
    stretch = np.exp(dice.around(0.0, 0.25))
    lean = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = lean @ np.array([[stretch, shear], [0.0, 1.0 / stretch]])
    return tuple(Stroke(s.points @ matrix.T, s.fill, s.essential) for s in shape)


def by_hand(shape: Shape, hand: Hand, dice: Dice) -> Shape:
    """The shape as this hand draws it; strokes that are not essential may be left out."""
    drawn: list[Stroke] = []
    for stroke in shape:
        if not stroke.essential and dice.chance(hand.missing):
            continue
        drawn.append(_unsteady(stroke, hand, dice))
        if dice.chance(hand.doubled):
            again = Stroke(stroke.points, "none", stroke.essential)
            drawn.append(_unsteady(again, hand, dice))
    return tuple(drawn)


def _unsteady(stroke: Stroke, hand: Hand, dice: Dice) -> Stroke:
    points = _resampled(stroke.points)
    size = float(np.ptp(points, axis=0).max())
    wobble = hand.wobble * min(1.0, 0.25 + size)
    length = np.arange(len(points)) * _STEP
    draws = dice.many(4 * _WAVES).reshape(4, _WAVES)
    frequency = 1.0 + 7.0 * draws[0] ** 2
    phase = 2 * np.pi * draws[1]
    push = wobble * (2 * draws[2:4] - 1) / np.sqrt(frequency)
    waves = np.sin(frequency * length[:, None] * 2.2 + phase)
    drift = np.array([dice.around(0.0, wobble), dice.around(0.0, wobble)])
    points = points + waves @ push.T + drift
    if stroke.fill == "none" and len(points) > 2:
        points = _ended(points, hand.overshoot * min(1.0, size), dice)
    return Stroke(points, stroke.fill, stroke.essential)


def _ended(points: Points, overshoot: float, dice: Dice) -> Points:
    """Both ends moved along the line: out beyond the shape, or short of it."""
    before, after = points[0] - points[1], points[-1] - points[-2]
    first, last = dice.around(0.3, 1.0) * overshoot, dice.around(0.4, 1.0) * overshoot
    start = points[0] + before / (np.hypot(*before) + 1e-9) * first
    end = points[-1] + after / (np.hypot(*after) + 1e-9) * last
    return np.concatenate([start[None], points[1:-1], end[None]])


def _resampled(points: Points) -> Points:
    """The same line with a point every `_STEP` or so, (n, 2), n of at least 2."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(2, int(along[-1] / _STEP) + 1)
    wanted = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(wanted, along, points[:, axis]) for axis in (0, 1)], axis=1)
