"""What lives: fish, cat, bird."""

from __future__ import annotations

import numpy as np

from dessin.doodles.dice import Dice
from dessin.doodles.strokes import Point, Shape, Stroke, arc, curve, dot, line, moved, oval, polygon


def fish(dice: Dice) -> Shape:
    """One looped line or a body with a tail; fins, gill, scales, stripes or bubbles; heading either way."""
    length, depth = dice.between(0.6, 0.75), dice.between(0.26, 0.48)
    parts: list[Stroke] = []
    root = -length * 0.85
    if dice.chance(0.6):
        notch, spread = dice.between(0.05, 0.25), dice.between(0.25, 0.42)
        parts.append(polygon((root, 0), (-1.0, -spread), (-1.0 + notch, 0), (-1.0, spread)))
        parts.append(oval((0, 0), (length, depth)))
    else:
        spread = dice.between(0.25, 0.4)
        lower, upper = [(root, 0.02), (0, depth)], [(0, -depth), (root, -0.02)]
        outline = [(-1.0, -spread), *lower, (length, 0), *upper, (-1.0, spread)]
        parts += [curve(outline), line((-1.0, -spread), (-1.0, spread))]
    parts.append(_eye(dice, (length * 0.62, -depth * 0.25), 0.055))
    if dice.chance(0.6):
        parts.append(arc((length * 0.25, 0), (0.12, depth * 0.7), -80, 80))
    if dice.chance(0.55):
        parts.append(curve([(-0.3, -depth * 0.88), (0.0, -depth - 0.22), (0.25, -depth * 0.93)]))
    if dice.chance(0.4):
        parts.append(curve([(-0.15, depth * 0.95), (-0.25, depth + 0.18), (0.08, depth * 0.98)]))
    if dice.chance(0.35):
        parts += [
            arc((x, y), (0.08, 0.09), -90, 90, essential=False)
            for x in (-0.35, -0.15, 0.02)
            for y in (-depth * 0.4, 0.0, depth * 0.4)
        ]
    elif dice.chance(0.4):
        parts += [arc((x, 0), (0.06, depth * 0.75), -80, 80) for x in (-0.38, -0.2, -0.02)]
    if dice.chance(0.5):
        parts.append(arc((length * 0.98, 0.05), (0.16, 0.1), 100, 190))
    if dice.chance(0.3):
        parts += [oval((0.85 + 0.06 * i, -0.25 - 0.18 * i), (0.04, 0.04)) for i in range(3)]
    return moved(parts, scale=(dice.pick((-1.0, 1.0)), 1.0))


def _eye(dice: Dice, centre: Point, radius: float) -> Stroke:
    return dot(centre, radius * 0.7) if dice.chance(0.5) else oval(centre, (radius, radius), fill="none")


def cat(dice: Dice) -> Shape:
    """A face, a cat that sits, or one that walks; pointed ears, whiskers and a tail."""
    kind = dice.pick(("face", "sitting", "walking"))
    if kind == "face":
        return moved(_cat_face(dice), scale=(0.85, 0.85), by=(0, 0.1))
    if kind == "sitting":
        side = dice.pick((-1.0, 1.0))
        body = oval((0, 0.5), (dice.between(0.32, 0.45), 0.48))
        curl = curve([(0.35 * side, 0.8), (0.75 * side, 0.75), (0.8 * side, 0.35), (0.6 * side, 0.2)])
        legs = [line((x, 0.55), (x, 0.95), essential=False) for x in (-0.1, 0.1)]
        paws = [oval((x, 0.95), (0.12, 0.06)) for x in (-0.14, 0.14)]
        size = dice.between(0.42, 0.52)
        return (curl, body, *legs, *paws, *moved(_cat_face(dice), scale=(size, size), by=(0, -0.3)))
    length, belly = dice.between(0.45, 0.6), dice.between(0.2, 0.28)
    walking: list[Stroke] = []
    for x in (-length * 0.85, -length * 0.55, length * 0.45, length * 0.75):
        step = dice.around(0, 0.08)
        walking += [line((x, 0.25), (x + step, 0.75)), line((x + 0.1, 0.25), (x + step + 0.1, 0.75))]
    tail = curve([(-length, 0.05), (-length - 0.25, -0.1), (-length - 0.2, -0.5), (-length - 0.35, -0.65)])
    body = oval((0, 0.15), (length, belly))
    face = moved(_cat_face(dice), scale=(0.36, 0.36), by=(length + 0.1, -0.15))
    return moved((tail, *walking, body, *face), scale=(dice.pick((-1.0, 1.0)), 1.0), by=(0, 0.05))


def _cat_face(dice: Dice) -> Shape:
    width, height = dice.between(0.62, 0.78), dice.between(0.52, 0.64)
    tip, inner = dice.between(0.5, 0.68), dice.between(0.12, 0.25)
    parts: list[Stroke] = []
    for side in (-1, 1):
        peak = (side * tip, -height - dice.between(0.3, 0.45))
        ear = ((side * width * 0.92, -0.25), peak, (side * inner, -height * 0.85))
        parts.append(polygon(*ear))
        if dice.chance(0.3):
            parts.append(line(*((x * 0.9 + side * 0.05, y * 0.88) for x, y in ear)))
    parts.append(oval((0, 0), (width, height)))
    round_eyes, gap = dice.chance(0.5), dice.between(0.24, 0.32)
    for side in (-1, 1):
        if round_eyes:
            parts.append(dot((side * gap, -0.1), 0.06))
        else:
            x = side * gap
            parts += [oval((x, -0.1), (0.13, 0.09), fill="none"), line((x, -0.18), (x, -0.02))]
    parts.append(polygon((-0.07, 0.1), (0.07, 0.1), (0, 0.18), fill="none"))
    parts += [arc((-0.1, 0.2), (0.1, 0.12), 10, 150), arc((0.1, 0.2), (0.1, 0.12), 30, 170)]
    count = dice.count(2, 3)
    for side in (-1, 1):
        parts += [
            line((side * 0.25, 0.16 + 0.04 * i), (side * dice.between(0.85, 1.05), 0.05 + 0.13 * i))
            for i in range(count)
        ]
    return tuple(parts)


def bird(dice: Dice) -> Shape:
    """On its legs, on a branch or in flight; beak, wing and tail."""
    if dice.chance(0.3):
        return _flying(dice)
    tilt = dice.between(-25, -8)
    fat, length = dice.between(0.28, 0.4), dice.between(0.5, 0.62)
    tail = dice.between(0.35, 0.55)
    head = dice.between(0.2, 0.27)
    root, end = -length * 0.75, -length - tail
    parts: list[Stroke] = [
        polygon((root, -0.1), (end, -0.12), (end + 0.1 * tail, 0.12), (root, 0.12)),
        oval((0, 0), (length, fat)),
    ]
    if dice.chance(0.5):
        parts.append(curve([(0.25, -0.08), (-0.1, 0.22), (-0.55, 0.12), (-0.2, -0.1), (0.25, -0.08)]))
    else:
        parts += [arc((-0.1, -0.05), (0.32, 0.22), 0, 170), arc((-0.15, 0.0), (0.2, 0.12), 10, 170)]
    centre = (length * 0.85, -fat * 0.95)
    beak = dice.between(0.14, 0.3)
    tip = (centre[0] + head + beak, centre[1] + 0.05)
    base = centre[0] + head * 0.8
    parts.append(polygon((base, centre[1] - 0.08), tip, (base, centre[1] + 0.12)))
    parts.append(oval(centre, (head, head)))
    parts.append(_eye(dice, (centre[0] + 0.06, centre[1] - 0.05), 0.05))
    shape = list(moved(parts, turn=tilt))
    long = dice.between(0.25, 0.5)
    for x in (-0.08, 0.14):
        foot = fat + long
        shape.append(line((x, fat * 0.8), (x, foot)))
        shape += [line((x - 0.09, foot + 0.05), (x, foot), (x + 0.11, foot + 0.05))]
    if dice.chance(0.3):
        shape.append(curve([(-0.9, fat + long + 0.08), (0, fat + long + 0.03), (0.9, fat + long + 0.1)]))
    return moved(shape, scale=(dice.pick((-1.0, 1.0)), 1.0))


def _flying(dice: Dice) -> Shape:
    lift = dice.between(0.4, 0.8)
    body = oval((0, 0.1), (0.5, dice.between(0.15, 0.22)))
    head = oval((0.52, 0.0), (0.16, 0.15))
    beak = polygon((0.66, -0.04), (0.88, 0.03), (0.66, 0.07))
    tail = polygon((-0.42, 0.08), (-0.9, -0.08), (-0.82, 0.1), (-0.9, 0.26))
    far = curve([(0.12, 0.0), (0.3, -lift * 0.8), (0.2, -lift), (-0.05, -0.02)], fill="paper")
    near = [(0.2, 0.05), (-0.05, -lift), (-0.35, -lift - 0.1), (-0.4, -lift * 0.5), (-0.3, 0.08)]
    parts: list[Stroke] = [tail, far, body, beak, head, curve(near, fill="paper")]
    parts.append(_eye(dice, (0.56, -0.03), 0.04))
    for feather in np.linspace(0.3, 0.8, dice.count(0, 3)):
        x = -0.3 + 0.3 * float(feather)
        parts.append(line((x, -lift * 0.2), (x - 0.08, -lift * float(feather)), essential=False))
    return moved(parts, scale=(dice.pick((-1.0, 1.0)), 1.0), turn=dice.around(0, 12))
