"""Desks that sheets lie on: textures of wood, cloth and plain boards, and the noise that they are made of."""

from __future__ import annotations

from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.doodles.dice import Dice
from dessin.doodles.page import Colour, Pixels
from dessin.randomness import image_keys, uniform

Plane = NDArray[np.float32]
Kind = Literal["wood", "cloth", "plain"]

SIDE = 512  # pixels of a texture
_COLOURS: dict[Kind, tuple[Colour, ...]] = {
    "wood": ((176, 128, 84), (140, 92, 56), (98, 62, 40), (196, 158, 112), (120, 96, 78), (70, 50, 42)),
    "cloth": ((64, 76, 108), (132, 60, 58), (78, 100, 84), (150, 140, 122), (52, 50, 56), (120, 110, 140)),
    "plain": ((46, 46, 50), (96, 98, 102), (132, 126, 118), (60, 74, 88), (150, 150, 152), (30, 30, 32)),
}
_KINDS: tuple[Kind, ...] = ("wood", "wood", "wood", "cloth", "plain", "plain")


@cache
def noise() -> Plane:
    """Normal draws, (SIDE, SIDE): always the same, so a picture takes a window of its own of it."""
    first, second = uniform(0, "noise", 0, image_keys(["desk", "sensor"]), SIDE * SIDE)
    # Box and Muller (1958), "A note on the generation of random normal deviates".
    normal = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2 * np.pi * second)
    plane: Plane = normal.reshape(SIDE, SIDE).astype(np.float32)
    return plane


def window(height: int, width: int, dice: Dice) -> Plane:
    """`height` x `width` of the noise from a drawn place on; beyond its sides it begins again."""
    top, left = dice.count(0, SIDE - 1), dice.count(0, SIDE - 1)
    rows, columns = (np.arange(height) + top) % SIDE, (np.arange(width) + left) % SIDE
    part: Plane = noise()[np.ix_(rows, columns)]
    return part


def draw_desk(dice: Dice) -> Pixels:
    """The texture of a desk seen from above, (SIDE, SIDE, 3) uint8."""
    kind = dice.pick(_KINDS)
    plane = {"wood": _wood, "cloth": _cloth, "plain": _plain}[kind](dice)
    colour = np.array(dice.pick(_COLOURS[kind]), dtype=np.float32)
    return np.asarray(cv2.merge([np.clip(plane * c, 0, 255).astype(np.uint8) for c in colour]))


def _wood(dice: Dice) -> Plane:
    """Boards side by side; the grain of each runs along it, in a tone of its own."""
    boards = dice.count(1, 4)
    width = SIDE // boards + 1
    parts = []
    for _ in range(boards):
        # The grain: noise that is a hundred times longer than it is wide, and wide bands that bend.
        grain = _stretched(window(6, width, dice)) + 0.8 * _stretched(
            window(3, max(4, width // 9), dice), width
        )
        parts.append(1.0 + dice.around(0.0, 0.1) + 0.07 * grain)
        parts[-1][:, -1:] *= 0.55
    plane = np.hstack(parts)[:, :SIDE] + 0.012 * noise()
    return np.ascontiguousarray(plane.T if dice.chance(0.5) else plane)


def _cloth(dice: Dice) -> Plane:
    """A weave of threads, now and then with checks."""
    place = np.arange(SIDE, dtype=np.float32)
    thread = np.sin(2 * np.pi * place / dice.between(3.0, 6.0)).astype(np.float32)
    plane = 1.0 + 0.08 * thread[:, None] * thread[None] + 0.05 * noise()
    if dice.chance(0.4):
        across = np.sin(2 * np.pi * place / dice.between(50.0, 110.0)) > dice.between(-0.2, 0.5)
        plane *= 1.0 - 0.3 * (across[:, None].astype(np.float32) + across[None])
    return np.asarray(plane, dtype=np.float32)


def _plain(dice: Dice) -> Plane:
    """A board with hardly a structure: clouds, and the grain of its surface."""
    clouds = cv2.resize(window(6, 6, dice), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(1.0 + 0.025 * clouds + dice.between(0.005, 0.03) * noise(), dtype=np.float32)


def _stretched(rows: Plane, width: int = 0) -> Plane:
    """A few rows as SIDE of them, smooth along the columns."""
    size = (width or rows.shape[1], SIDE)
    return np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_CUBIC), dtype=np.float32)
