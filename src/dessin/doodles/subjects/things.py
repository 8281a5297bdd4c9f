"""What one picks up or sits on: cup, star, key, umbrella, chair, apple, ladder."""

from __future__ import annotations

import itertools

import numpy as np

from dessin.doodles.dice import Dice
from dessin.doodles.strokes import Shape, Stroke, arc, box, curve, dot, line, moved, oval, polygon


def cup(dice: Dice) -> Shape:
    """A mug, a round or a conical cup, seen from the side or from above; saucer, steam or a pattern."""
    top, bottom = -dice.between(0.35, 0.6), dice.between(0.5, 0.7)
    rim, foot = dice.between(0.45, 0.62), dice.between(0.28, 0.6)
    tilt = dice.pick((0.0, 0.1, 0.16))
    parts: list[Stroke] = []
    reach, high = dice.between(0.25, 0.38), dice.between(0.18, 0.28)
    middle = 0.5 * (top + bottom) - 0.05
    parts.append(arc((rim * 0.9, middle), (reach, high), -100, 100))
    parts.append(arc((rim * 0.9, middle), (reach * 0.6, high * 0.6), -95, 95, essential=False))
    if dice.chance(0.35):
        parts.append(oval((0, bottom), (dice.between(0.75, 0.95), 0.14)))
    foot = min(foot, rim)
    sides = [(-rim, top), (-rim * 0.97, middle), (-foot, bottom), (0, bottom + tilt * 0.8), (foot, bottom)]
    outline = [*sides, (rim * 0.97, middle), (rim, top)]
    body = curve(outline) if dice.chance(0.5) else line(*outline)
    parts.append(Stroke(body.points, "paper"))
    parts.append(oval((0, top), (rim, tilt)) if tilt else line((-rim, top), (rim, top)))
    if dice.chance(0.45):
        for x in np.linspace(-0.25, 0.25, dice.count(2, 3)):
            wave = [(x, top - 0.12), (x + 0.07, top - 0.22), (x - 0.04, top - 0.32), (x + 0.05, top - 0.42)]
            parts.append(curve(wave))
    if dice.chance(0.3):
        bands = (middle - 0.1, middle + 0.05)
        parts += [line((-rim * 0.93, y), (rim * 0.93, y), essential=False) for y in bands]
    return moved(parts, scale=(dice.pick((-1.0, 1.0)), 1.0))


def star(dice: Dice) -> Shape:
    """Four to eight points: an outline, five crossed lines in one stroke, or two triangles."""
    kind = dice.pick(("outline", "outline", "pentagram", "hexagram"))
    if kind == "pentagram":
        corners = [_round(dice.around(0.92, 0.12), dice.around(90 + 144 * i, 9)) for i in range(5)]
        return (line(*corners, corners[0]),)
    if kind == "hexagram":
        turns = (dice.around(90, 9), dice.around(270, 9))
        return tuple(
            polygon(*(_round(dice.around(0.9, 0.1), turn + 120 * i) for i in range(3)), fill="none")
            for turn in turns
        )
    tips, inner = dice.pick((4, 5, 5, 5, 6, 8)), dice.between(0.34, 0.48)
    corners = [
        _round(inner if i % 2 else 0.95 + dice.around(0, 0.06), 90 + 180 * i / tips) for i in range(2 * tips)
    ]
    parts: list[Stroke] = [polygon(*corners)]
    if dice.chance(0.15):
        parts += [line((0, 0), corners[i], essential=False) for i in range(0, 2 * tips, 2)]
    if dice.chance(0.15):
        parts += [dot((-0.12, -0.08), 0.035), dot((0.12, -0.08), 0.035), arc((0, 0.05), (0.14, 0.1), 10, 170)]
    return tuple(parts)


def _round(radius: float, degrees: float) -> tuple[float, float]:
    angle = np.deg2rad(degrees)
    return (radius * float(np.cos(angle)), -radius * float(np.sin(angle)))


def key(dice: Dice) -> Shape:
    """A bow (ring, clover, square), a shaft of one or two lines, and one to four teeth."""
    bow, half = dice.between(0.22, 0.34), dice.between(0.03, 0.08)
    end, start = dice.between(0.85, 1.0), -0.6 + bow
    kind = dice.pick(("ring", "ring", "clover", "square"))
    parts: list[Stroke] = []
    if dice.chance(0.7):
        parts.append(box(start - 0.1, -half, end, half))
    else:
        parts.append(line((start, 0), (end, 0)))
        half = 0.0
    if kind == "clover":
        small = bow * 0.55
        parts += [oval((-0.6 + small * x, small * y), (small, small)) for x, y in ((-1, 0), (0, -1), (0, 1))]
        parts.append(oval((-0.6, 0), (small * 0.6, small * 0.6)))
    elif kind == "square":
        parts += [box(-0.6 - bow, -bow, -0.6 + bow, bow), oval((-0.6, 0), (bow * 0.45, bow * 0.45))]
    else:
        parts += [oval((-0.6, 0), (bow, bow)), oval((-0.6, 0), (bow * 0.55, bow * 0.55), essential=False)]
    teeth, deep = dice.count(1, 4), dice.between(0.14, 0.28)
    for x in np.linspace(end - 0.1, end - 0.13 * teeth - 0.05, teeth):
        drop = half + deep * dice.between(0.7, 1.1)
        if dice.chance(0.8):
            parts.append(line((x - 0.045, half), (x - 0.045, drop), (x + 0.045, drop), (x + 0.045, half)))
        else:
            parts.append(line((x, half), (x, drop)))
    turn = dice.pick((0.0, 0.0, 90.0, -45.0, 45.0, 180.0))
    return moved(parts, scale=(1.0, dice.pick((-1.0, 1.0))), turn=turn)


def umbrella(dice: Dice) -> Shape:
    """Open, with three to six scallops, ribs or none and a hooked or straight handle; upright or slanted."""
    width, height, edge = dice.between(0.8, 0.98), dice.between(0.6, 0.85), dice.between(-0.2, 0.05)
    scallops = dice.count(3, 6)
    ends = np.linspace(-width, width, scallops + 1)
    handle = dice.between(0.65, 0.85)
    hook = dice.pick((-1, 1)) * dice.between(0.1, 0.17)
    parts: list[Stroke] = [line((0, edge - height * 0.1), (0, handle))]
    if dice.chance(0.8):
        start, end = (0, 180) if hook < 0 else (180, 0)
        parts.append(arc((hook, handle), (abs(hook), abs(hook)), start, end))
    rim = [
        (float(left + (right - left) * t), edge - 0.5 * np.sin(np.pi * t) * (right - left) * 0.45)
        for left, right in itertools.pairwise(ends)
        for t in np.linspace(0, 1, 7)
    ]
    dome = [(width * np.cos(a), edge - height * np.sin(a)) for a in np.linspace(0, np.pi, 30)]
    parts.append(polygon(*dome, *rim))
    if dice.chance(0.65):
        parts += [
            curve([(0, edge - height), (x * 0.75, edge - height * 0.62), (x, edge)], essential=False)
            for x in ends[1:-1]
        ]
    if dice.chance(0.6):
        parts.append(line((0, edge - height), (0, edge - height - 0.12)))
    if dice.chance(0.2):
        parts += [line((x, -1.1), (x - 0.05, -0.95), essential=False) for x in (-0.9, -0.5, 0.5, 0.9)]
    return moved(parts, turn=dice.pick((0.0, 0.0, 0.0, -25.0, 25.0)))


def chair(dice: Dice) -> Shape:
    """From the side or at an angle; slats, bars or a plain back; arms or none."""
    seat, leg, back = dice.between(0.0, 0.15), dice.between(0.8, 0.95), -dice.between(0.7, 0.95)
    if dice.chance(0.35):
        thick, front = dice.between(0.05, 0.12), dice.between(0.4, 0.55)
        lean = dice.between(0.0, 0.15)
        parts: list[Stroke] = [
            box(-0.45, seat, front, seat + thick),
            line((-0.42, seat), (-0.42 - lean, back)),
            line((-0.34, seat), (-0.34 - lean, back), (-0.42 - lean, back)),
            line((-0.4, seat + thick), (-0.45, leg)),
            line((front - 0.05, seat + thick), (front, leg)),
        ]
        if dice.chance(0.4):
            parts.append(line((-0.42, 0.5), (front, 0.5), essential=False))
        if dice.chance(0.3):
            parts.append(line((-0.42, seat - 0.3), (front - 0.1, seat - 0.3), (front - 0.1, seat)))
        return moved(parts, scale=(dice.pick((-1.0, 1.0)), 1.0))
    width, depth, skew = dice.between(0.4, 0.52), dice.between(0.2, 0.32), dice.between(0.1, 0.28)
    parts = [
        polygon((-width, seat), (width, seat), (width - skew, seat + depth), (-width - skew, seat + depth)),
        line((-width, seat), (-width, back)),
        line((width, seat), (width, back)),
        line((-width, back), (width, back)),
        line((-width - skew, seat + depth), (-width - skew, leg)),
        line((width - skew, seat + depth), (width - skew, leg)),
        line((width, seat), (width, leg - 0.2)),
        line((-width, seat + depth), (-width, leg - 0.2), essential=False),
    ]
    style = dice.pick(("slats", "bars", "panel"))
    if style == "slats":
        parts += [line((-width, y), (width, y)) for y in np.linspace(back, seat, dice.count(4, 5))[1:-1]]
    elif style == "bars":
        parts += [line((x, back), (x, seat)) for x in np.linspace(-width, width, dice.count(4, 6))[1:-1]]
    else:
        parts.append(box(-width, back, width, back + dice.between(0.35, 0.55), fill="none"))
    return moved(parts, scale=(dice.pick((-1.0, 1.0)), 1.0))


def apple(dice: Dice) -> Shape:
    """Round with a dent at the stem; a leaf, a bite, a worm or a shine; or cut in half, with its core."""
    width, height, dent = dice.between(0.62, 0.8), dice.between(0.6, 0.75), dice.between(0.1, 0.22)
    top, bottom = 0.1 - height, 0.1 + height
    low = dice.between(0.0, 0.1)
    right = [(0, top + dent), (width * 0.45, top), (width, 0.0)]
    right += [(width * 0.72, bottom * 0.72), (width * 0.3, bottom)]
    left = [(-x, y) for x, y in reversed(right[1:])]
    bitten = dice.chance(0.25)
    if bitten:
        y = dice.between(-0.15, 0.15)
        bite = ((0.92, -0.28), (0.62, -0.1), (0.68, 0.12), (0.94, 0.25))
        right[2:3] = [(width * across, y + down) for across, down in bite]
    parts: list[Stroke] = [curve([*right, (0, bottom - low), *left], closed=True, fill="paper")]
    lean = dice.around(0, 0.15)
    stalk = dice.between(0.2, 0.35)
    parts.append(curve([(0, top + dent), (lean * 0.4, top + dent - stalk * 0.5), (lean, top + dent - stalk)]))
    if dice.chance(0.65):
        side, reach = dice.pick((-1, 1)), dice.between(0.28, 0.42)
        y = top + dent - stalk * 0.5
        leaf = [(0.0, 0.0), (0.5, -0.2), (1.0, -0.18), (0.6, -0.02)]
        parts.append(curve([(side * reach * a, y + b) for a, b in leaf], closed=True, fill="paper"))
    if dice.chance(0.2) and not bitten:
        parts += [oval((0, 0.1), (0.2, 0.3), fill="none"), dot((-0.06, 0.1), 0.05), dot((0.06, 0.1), 0.05)]
    elif dice.chance(0.45):
        parts.append(arc((-width * 0.15, 0.05), (width * 0.6, height * 0.6), 170, 230, essential=False))
    return tuple(parts)


def ladder(dice: Dice) -> Shape:
    """Two rails and four to eight rungs, narrowing upwards or not; a step ladder with its stay; leaning."""
    foot, head = dice.between(0.25, 0.42), dice.between(0.2, 0.3)
    rungs = dice.count(4, 8)
    parts: list[Stroke] = []
    if dice.chance(0.3):
        parts.append(line((head, -0.9), (foot + 0.45, 0.95)))
        parts.append(line((0.1 - head, -0.9), (foot - 0.05, 0.8), essential=False))
    wide = dice.chance(0.35)
    for side in (-1, 1):
        parts.append(line((side * head, -0.95), (side * foot, 0.95)))
        if wide:
            parts.append(line((side * (head + 0.08), -0.95), (side * (foot + 0.08), 0.95)))
    for y in np.linspace(-0.95, 0.95, rungs + 2)[1:-1]:
        half = head + (foot - head) * (float(y) + 0.95) / 1.9
        parts.append(line((-half, y), (half, y), essential=rungs < 6))
        if wide and rungs < 7:
            parts.append(line((-half, y + 0.07), (half, y + 0.07), essential=False))
    return moved(parts, turn=dice.pick((0.0, 0.0, -18.0, 18.0, 30.0, -30.0)))
