"""One doodle: a subject drawn by some hand on some page, now and then with something else beside it."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.doodles.dice import Dice
from dessin.doodles.hand import by_hand, draw_hand, slanted
from dessin.doodles.page import encode, faint_page, place, plan_page, render
from dessin.doodles.strokes import Shape
from dessin.doodles.subjects import SUBJECTS

Area = tuple[float, float, float, float]
_WHOLE: Area = (0.03, 0.03, 0.97, 0.97)


@dataclass(frozen=True)
class Doodle:
    """One drawing as a file: `image_id` below the drawings folder, and its bytes."""

    image_id: str
    data: bytes


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
