"""What stands outside: house, tree, sun, flower."""

from __future__ import annotations

import numpy as np

from dessin.doodles.dice import Dice
from dessin.doodles.strokes import Point, Shape, Stroke, arc, box, curve, dot, line, moved, oval, polygon


def house(dice: Dice) -> Shape:
    """From the front or with a side wall; gable or hipped roof; door, windows, chimney or not."""
    width, height = dice.between(0.5, 0.85), dice.between(0.45, 0.8)
    top, eaves = 0.8 - 2 * height * 0.6, dice.between(0.0, 0.15)
    peak = top - dice.between(0.35, 0.75)
    parts: list[Stroke] = []
    if dice.chance(0.55):
        parts += _chimney(dice, width, peak, top)
    if dice.chance(0.3):
        parts += _side_wall(dice, width, top, peak)
    parts.append(box(-width, top, width, 0.8))
    if dice.chance(0.25):
        inset = dice.between(0.2, 0.5) * width
        ridge = ((-width + inset, peak), (width - inset, peak))
        parts.append(polygon((-width - eaves, top), *ridge, (width + eaves, top)))
    else:
        parts.append(polygon((-width - eaves, top), (dice.around(0, 0.08), peak), (width + eaves, top)))
    side = dice.pick((-1, 0, 1))
    door = side * width * 0.55
    half = dice.between(0.1, 0.16)
    parts.append(box(door - half, 0.8 - dice.between(0.35, 0.5), door + half, 0.8, fill="none"))
    if dice.chance(0.5):
        parts.append(dot((door + half * 0.6, 0.6), 0.025))
    for column in (-1, 0, 1):
        if column != side and (column == -1 or dice.chance(0.6)):
            parts += _window(dice, (column * width * 0.6, top + 0.26), dice.between(0.1, 0.17))
    if dice.chance(0.3):
        parts += _window(dice, (0.0, top - 0.16), 0.08)
    return tuple(parts)


def _chimney(dice: Dice, width: float, peak: float, top: float) -> Shape:
    x = dice.pick((-1, 1)) * width * dice.between(0.35, 0.6)
    rise = peak + 0.02 - dice.between(0.0, 0.12)
    if dice.chance(0.5):
        smoke = [(x, rise - 0.05), (x + 0.1, rise - 0.15), (x - 0.02, rise - 0.25), (x + 0.12, rise - 0.35)]
        return (box(x - 0.08, rise, x + 0.08, top), curve(smoke))
    return (box(x - 0.09, rise, x + 0.09, top),)


def _side_wall(dice: Dice, width: float, top: float, peak: float) -> Shape:
    depth, lift = dice.between(0.4, 0.7), dice.between(0.08, 0.18)
    wall = polygon((width, top), (width + depth, top - lift), (width + depth, 0.8 - lift), (width, 0.8))
    roof = polygon((0, peak), (depth, peak - lift), (width + depth, top - lift), (width, top))
    return (wall, roof)


def _window(dice: Dice, centre: Point, half: float) -> Shape:
    x, y = centre
    if dice.chance(0.25):
        return (oval(centre, (half, half), fill="none"),)
    frame = box(x - half, y - half, x + half, y + half, fill="none")
    upright = line((x, y - half), (x, y + half), essential=False)
    level = line((x - half, y), (x + half, y), essential=False)
    return (frame, upright, level) if dice.chance(0.7) else (frame,)


def tree(dice: Dice) -> Shape:
    """A fir of stacked triangles, a trunk with a round or cloudy crown, or bare branches."""
    kind = dice.pick(("fir", "round", "cloud", "bare"))
    half = dice.between(0.06, 0.15)
    if kind == "bare":
        return _bare_tree(dice, half)
    trunk = (
        line((-half, 0.1), (-half * dice.between(1, 1.4), 0.95)),
        line((half, 0.1), (half * dice.between(1, 1.4), 0.95)),
    )
    ground = line((-0.45, 0.95), (0.45, 0.95), essential=False)
    if kind == "fir":
        tiers = dice.count(2, 4)
        spread = dice.between(0.45, 0.75)
        levels = np.linspace(0.55, -0.35, tiers)
        layers = [
            polygon((-w, y), (0, y - 1.2 / (tiers - 1) ** 0.7), (w, y))
            for y, w in zip(levels, np.linspace(spread, spread * 0.5, tiers), strict=True)
        ]
        return (*trunk, *layers, ground)
    radius_x, radius_y = dice.between(0.5, 0.75), dice.between(0.45, 0.65)
    if kind == "round":
        crown = (oval((0, -0.3), (radius_x, radius_y)),)
        fruit = [
            oval((dice.between(-0.35, 0.35), dice.between(-0.55, -0.05)), (0.06, 0.06))
            for _ in range(dice.pick((0, 4, 6)))
        ]
        return (*trunk, *crown, *fruit, ground)
    return (*trunk, _cloud(dice, radius_x, radius_y), ground)


def _cloud(dice: Dice, radius_x: float, radius_y: float) -> Stroke:
    bumps = dice.count(6, 10)
    points = []
    for angle in np.linspace(0, 2 * np.pi, 12 * bumps, endpoint=False):
        swell = 1 + 0.16 * abs(np.sin(angle * bumps / 2)) - 0.08
        points.append((radius_x * swell * np.cos(angle), -0.3 + radius_y * swell * np.sin(angle)))
    return polygon(*points)


def _bare_tree(dice: Dice, half: float) -> Shape:
    parts = [curve([(h * 1.6, 0.95), (h, 0.5), (h * 0.8, 0.0)]) for h in (-half, half)]
    for branch in range(dice.count(4, 7)):
        start = (dice.around(0, half * 0.7), dice.between(-0.05, 0.3) if branch else 0.0)
        reach = dice.between(0.5, 0.9)
        angle = np.deg2rad(-90 + (branch - 2.5) * 28 + dice.around(0, 10))
        end = (start[0] + reach * np.cos(angle), start[1] + reach * np.sin(angle))
        middle = (0.5 * (start[0] + end[0]) + dice.around(0, 0.08), 0.5 * (start[1] + end[1]))
        parts.append(curve([start, middle, end]))
        for turn in (-0.6, 0.6):
            twig = 0.4 * reach
            tip = (middle[0] + twig * np.cos(angle + turn), middle[1] + twig * np.sin(angle + turn))
            parts.append(line(middle, tip, essential=False))
    return tuple(parts)


def sun(dice: Dice) -> Shape:
    """A disc with straight, pointed or wavy rays; sometimes a face; sometimes it rises behind a line."""
    radius, rays = dice.between(0.3, 0.5), dice.count(8, 16)
    style = dice.pick(("straight", "straight", "triangle", "wavy"))
    rising = dice.chance(0.2)
    parts: list[Stroke] = []
    for ray in range(rays):
        angle = 2 * np.pi * ray / rays + dice.around(0, 0.1)
        near, far = radius + 0.08, radius + dice.between(0.28, 0.5)
        if rising and np.sin(angle) > 0.05:
            continue
        parts.append(_ray(style, angle, near, far, rays))
    if rising:
        parts.append(arc((0, 0), (radius, radius), 180, 360))
        parts.append(curve([(-1, 0.02), (-0.5, -0.02), (0, 0.03), (0.5, -0.02), (1, 0.02)]))
        return tuple(parts)
    parts.append(oval((0, 0), (radius, radius)))
    if dice.chance(0.4):
        parts += [dot((-0.35 * radius, -0.2 * radius), 0.03), dot((0.35 * radius, -0.2 * radius), 0.03)]
        parts.append(arc((0, 0.1 * radius), (0.5 * radius, 0.4 * radius), 20, 160))
    return tuple(parts)


def _ray(style: str, angle: float, near: float, far: float, rays: int) -> Stroke:
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    if style == "triangle":
        half = near * np.pi / rays * 0.8
        corners = [near * along - half * across, far * along, near * along + half * across]
        return line(*((float(x), float(y)) for x, y in corners))
    steps = np.linspace(near, far, 5)
    bend = 0.05 * np.array([0, 1, 0, -1, 0]) if style == "wavy" else np.zeros(5)
    points = steps[:, None] * along + bend[:, None] * across
    return curve([(float(x), float(y)) for x, y in points], essential=style != "straight" or rays < 9)


def flower(dice: Dice) -> Shape:
    """Petals round a disc or a tulip cup, on a stem with none to two leaves."""
    head = dice.between(-0.55, -0.35)
    lean = dice.around(0, 0.15)
    stem = curve([(0, head), (lean, 0.3), (dice.around(0, 0.1), 0.98)])
    parts: list[Stroke] = [stem]
    for side in (-1, 1):
        if dice.chance(0.7):
            y, reach = dice.between(0.3, 0.65), side * dice.between(0.3, 0.5)
            leaf = [(0.0, 0.0), (0.5, -0.24), (1.0, -0.22), (0.6, -0.02)]
            parts.append(curve([(lean + reach * a, y + b) for a, b in leaf], closed=True, fill="paper"))
    if dice.chance(0.25):
        return (*parts, *_tulip(dice, head))
    petals, disc = dice.count(5, 9), dice.between(0.11, 0.2)
    length, width = dice.between(0.17, 0.26), dice.between(0.09, 0.14)
    for petal in range(petals):
        angle = 360.0 * petal / petals + dice.around(0, 6)
        half = min(width, 1.2 * np.pi * (disc + length) / petals)
        parts += moved([oval((disc + length, 0), (length, half))], turn=angle, by=(0, head))
    parts.append(oval((0, head), (disc, disc)))
    if dice.chance(0.3):
        half = disc * 0.6
        parts += [line((-half, head), (half, head)), line((0, head - half), (0, head + half))]
    return tuple(parts)


def _tulip(dice: Dice, head: float) -> Shape:
    half, tip = dice.between(0.28, 0.38), head - dice.between(0.35, 0.5)
    right = ((half * 0.45, head - 0.22), (half, tip), (half * 0.8, head + 0.02))
    left = ((-x, y) for x, y in reversed(right))
    cup = polygon((0, head + 0.12), *left, (0, tip - 0.05), *right)
    highest = float(cup.points[:, 1].min())
    return (cup, line((0, highest + 0.1), (0, head - 0.05), essential=False))
