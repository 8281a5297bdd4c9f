"""The subjects that can be drawn: a name, and a program of strokes with chance in it."""

from __future__ import annotations

from collections.abc import Callable

from dessin.doodles.dice import Dice
from dessin.doodles.strokes import Shape
from dessin.doodles.subjects import animals, outdoors, things, vehicles

SUBJECTS: dict[str, Callable[[Dice], Shape]] = {
    "apple": things.apple,
    "bird": animals.bird,
    "boat": vehicles.boat,
    "car": vehicles.car,
    "cat": animals.cat,
    "chair": things.chair,
    "cup": things.cup,
    "fish": animals.fish,
    "flower": outdoors.flower,
    "house": outdoors.house,
    "key": things.key,
    "ladder": things.ladder,
    "star": things.star,
    "sun": outdoors.sun,
    "tree": outdoors.tree,
    "umbrella": things.umbrella,
}
