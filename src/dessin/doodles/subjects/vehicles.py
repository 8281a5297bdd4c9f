"""What carries people: boat, car."""

from __future__ import annotations

import numpy as np

from dessin.doodles.dice import Dice
from dessin.doodles.strokes import Shape, Stroke, box, curve, line, moved, oval, polygon


def boat(dice: Dice) -> Shape:
    """A hull with one or two sails, or a steamer with a cabin and funnels; waves below, mostly."""
    top, bottom = dice.between(0.28, 0.42), dice.between(0.7, 0.85)
    bow, stern = dice.between(0.75, 0.98), dice.between(0.7, 0.95)
    keel = dice.between(0.4, 0.6)
    if dice.chance(0.5):
        hull = polygon((-stern, top), (bow, top), (keel, bottom), (-keel, bottom))
    else:
        hull = curve([(-stern, top), (-keel, bottom), (0, bottom + 0.05), (keel, bottom), (bow, top)])
        hull = Stroke(np.concatenate([hull.points, hull.points[:1]]), "paper")
    parts: list[Stroke] = _steam(dice, top) if dice.chance(0.35) else _sails(dice, top)
    parts.append(hull)
    if dice.chance(0.3):
        parts += [oval((x, 0.5 * (top + bottom)), (0.06, 0.06)) for x in (-0.3, 0.0, 0.3)]
    if dice.chance(0.6):
        crests = [(x, bottom + 0.1 + 0.05 * (-1) ** i) for i, x in enumerate(np.linspace(-1.05, 1.05, 12))]
        parts.append(curve([(float(x), float(y)) for x, y in crests]))
    return tuple(parts)


def _sails(dice: Dice, top: float) -> list[Stroke]:
    mast, peak = dice.around(0, 0.15), dice.between(-0.95, -0.65)
    foot, reach = top - dice.between(0.08, 0.18), dice.between(0.5, 0.75)
    parts = [line((mast, top), (mast, peak))]
    if dice.chance(0.5):
        parts.append(polygon((mast + 0.04, peak + 0.05), (mast + reach, foot), (mast + 0.04, foot)))
    else:
        belly = (mast + reach * 0.8, 0.5 * (peak + foot))
        parts.append(curve([(mast, peak), belly, (mast + reach * 0.9, foot)]))
        parts.append(line((mast + reach * 0.9, foot), (mast, foot)))
    if dice.chance(0.6):
        parts.append(polygon((mast - 0.04, peak + 0.2), (mast - reach * 0.8, foot), (mast - 0.04, foot)))
    if dice.chance(0.35):
        parts.append(polygon((mast, peak), (mast - 0.2, peak - 0.07), (mast, peak - 0.14)))
    return parts


def _steam(dice: Dice, top: float) -> list[Stroke]:
    cabin, funnels = dice.between(0.4, 0.6), dice.count(1, 3)
    roof = top - dice.between(0.3, 0.45)
    parts: list[Stroke] = []
    for x in np.linspace(-cabin * 0.55, cabin * 0.55, funnels) if funnels > 1 else [dice.around(0, 0.2)]:
        parts.append(box(x - 0.09, roof - dice.between(0.3, 0.5), x + 0.09, roof))
        parts.append(
            curve([(x, roof - 0.55), (x - 0.12, roof - 0.65), (x - 0.3, roof - 0.66)], essential=False)
        )
    parts.append(box(-cabin, roof, cabin, top))
    parts += [
        box(x - 0.07, roof + 0.09, x + 0.07, roof + 0.22, fill="none")
        for x in np.linspace(-cabin * 0.6, cabin * 0.6, 3)
    ]
    return parts


def car(dice: Dice) -> Shape:
    """From the side, going left or right: saloon, van or pick-up; windows, lamps, hub caps or not."""
    kind = dice.pick(("saloon", "saloon", "beetle", "van", "pickup"))
    belt, sill, radius = dice.between(-0.12, 0.05), dice.between(0.38, 0.48), dice.between(0.16, 0.23)
    roof = belt - dice.between(0.32, 0.45)
    body = box(-0.95, belt, 0.95, sill)
    parts: list[Stroke] = []
    if kind == "saloon":
        parts.append(polygon((-0.62, belt), (-0.35, roof), (0.28, roof), (0.6, belt)))
        panes = [(-0.45, -0.05), (0.03, 0.42)]
    elif kind == "beetle":
        body = box(-0.95, belt + 0.08, 0.95, sill, fill="none")
        shell = [(-0.95, sill), (-0.8, belt), (-0.3, roof), (0.3, roof), (0.8, belt), (0.95, sill)]
        parts.append(curve(shell))
        panes = [(-0.4, -0.03), (0.05, 0.42)]
    elif kind == "van":
        parts.append(polygon((-0.92, belt), (-0.9, roof), (0.5, roof), (0.75, belt)))
        panes = [(-0.8, -0.45), (-0.35, 0.0), (0.1, 0.48)]
    else:
        parts.append(polygon((0.0, belt), (0.05, roof), (0.45, roof), (0.65, belt)))
        panes = [(0.1, 0.45)]
    parts.append(body)
    sash, lintel = belt - 0.04, roof + 0.08
    parts += [
        polygon((a, sash), (a + 0.05, lintel), (b - 0.05, lintel), (b, sash), fill="none")
        for a, b in panes[: dice.count(1, len(panes))]
    ]
    for x in (-dice.between(0.48, 0.6), dice.between(0.48, 0.6)):
        parts.append(oval((x, sill), (radius, radius)))
        parts.append(oval((x, sill), (radius * 0.4, radius * 0.4), fill="none", essential=False))
    if dice.chance(0.5):
        parts.append(oval((0.88, belt + 0.14), (0.06, 0.08), fill="none"))
    if dice.chance(0.4):
        parts += [line((-0.02, belt), (-0.02, sill)), line((0.06, belt + 0.1), (0.16, belt + 0.1))]
    if dice.chance(0.3):
        parts.append(line((-1.1, sill + radius + 0.02), (1.1, sill + radius + 0.02)))
    return moved(parts, scale=(dice.pick((-1.0, 1.0)), 1.0))
