"""Policies: which elements an image gets, and how strongly, is itself drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation.draws import Draws, between, choice, flat_dirichlet
from dessin.augmentation.spec import Action, Numbers

SubPolicy = tuple[tuple[str, float, int], tuple[str, float, int]]

# fmt: off
POLICIES: dict[str, tuple[SubPolicy, ...]] = {
    "imagenet": (
        (("posterize", 0.4, 8), ("rotate", 0.6, 9)), (("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
        (("equalize", 0.8, 8), ("equalize", 0.6, 3)), (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
        (("equalize", 0.4, 7), ("solarize", 0.2, 4)), (("equalize", 0.4, 4), ("rotate", 0.8, 8)),
        (("solarize", 0.6, 3), ("equalize", 0.6, 7)), (("posterize", 0.8, 5), ("equalize", 1.0, 2)),
        (("rotate", 0.2, 3), ("solarize", 0.6, 8)), (("equalize", 0.6, 8), ("posterize", 0.4, 6)),
        (("rotate", 0.8, 8), ("color", 0.4, 0)), (("rotate", 0.4, 9), ("equalize", 0.6, 2)),
        (("equalize", 0.0, 7), ("equalize", 0.8, 8)), (("invert", 0.6, 4), ("equalize", 1.0, 8)),
        (("color", 0.6, 4), ("contrast", 1.0, 8)), (("rotate", 0.8, 8), ("color", 1.0, 2)),
        (("color", 0.8, 8), ("solarize", 0.8, 7)), (("sharpness", 0.4, 7), ("invert", 0.6, 8)),
        (("shear_x", 0.6, 5), ("equalize", 1.0, 9)), (("color", 0.4, 0), ("equalize", 0.6, 3)),
        (("equalize", 0.4, 7), ("solarize", 0.2, 4)), (("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
        (("invert", 0.6, 4), ("equalize", 1.0, 8)), (("color", 0.6, 4), ("contrast", 1.0, 8)),
        (("equalize", 0.8, 8), ("equalize", 0.6, 3)),
    ),
    "cifar10": (
        (("invert", 0.1, 7), ("contrast", 0.2, 6)), (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
        (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)), (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
        (("autocontrast", 0.5, 8), ("equalize", 0.9, 2)), (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
        (("color", 0.4, 3), ("brightness", 0.6, 7)), (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
        (("equalize", 0.6, 5), ("equalize", 0.5, 1)), (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
        (("color", 0.7, 7), ("translate_x", 0.5, 8)), (("equalize", 0.3, 7), ("autocontrast", 0.4, 8)),
        (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)), (("brightness", 0.9, 6), ("color", 0.2, 8)),
        (("solarize", 0.5, 2), ("invert", 0.0, 3)), (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
        (("equalize", 0.2, 8), ("equalize", 0.6, 4)), (("color", 0.9, 9), ("equalize", 0.6, 6)),
        (("autocontrast", 0.8, 4), ("solarize", 0.2, 8)), (("brightness", 0.1, 3), ("color", 0.7, 0)),
        (("solarize", 0.4, 5), ("autocontrast", 0.9, 3)), (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
        (("autocontrast", 0.9, 2), ("solarize", 0.8, 3)), (("equalize", 0.8, 8), ("invert", 0.1, 3)),
        (("translate_y", 0.7, 9), ("autocontrast", 0.9, 1)),
    ),
}
# fmt: on

# The members, as RandAugment names them; `identity` does nothing.
MEMBERS = (
    "identity", "autocontrast", "equalize", "rotate", "solarize", "color", "posterize", "contrast",
    "brightness", "sharpness", "shear_x", "shear_y", "translate_x", "translate_y", "invert",
)  # fmt: skip
_INDEX = {name: index for index, name in enumerate(MEMBERS)}
_USUAL = MEMBERS[:14]
_AUGMIX = (
    "autocontrast", "equalize", "posterize", "rotate", "solarize",
    "shear_x", "shear_y", "translate_x", "translate_y",
)  # fmt: skip
_CHAINS, _LONGEST = 3, 3
AUTOAUGMENT_COLUMNS = 5
RANDAUGMENT_MOST = 10
AUGMIX_COLUMNS = _CHAINS + 1 + _CHAINS * (1 + 3 * _LONGEST)


@dataclass(frozen=True)
class Ranges:
    """The full strength of every member: degrees, slope, share of the side, change of a factor, bits."""

    rotate: float
    shear: float
    translate: float
    factor: float
    bits: tuple[int, int]

    def element(self, member: str, shares: Draws, signs: Draws) -> tuple[str, Numbers]:
        """The element of a member, and its numbers (n, k) at these shares (n,) of full strength."""
        signed = shares * signs
        name, _, axis = member.partition("_")
        if name == "rotate":
            return name, self.rotate * signed[:, None]
        if name in ("shear", "translate"):
            along = np.degrees(np.arctan(self.shear * signed)) if name == "shear" else self.translate * signed
            pair = np.zeros((len(shares), 2))
            pair[:, "xy".index(axis)] = along
            return name, pair
        if name in ("color", "contrast", "brightness", "sharpness"):
            return name, 1.0 + self.factor * signed[:, None]
        if name == "posterize":
            return name, np.rint(self.bits[0] - shares * (self.bits[0] - self.bits[1]))[:, None]
        if name == "solarize":
            return name, 256.0 * (1.0 - shares)[:, None]
        return name, np.empty((len(shares), 0))


LEARNED = Ranges(rotate=30.0, shear=0.3, translate=150 / 331, factor=0.9, bits=(8, 4))
WIDE = Ranges(rotate=135.0, shear=0.99, translate=32 / 224, factor=0.99, bits=(8, 2))
GENTLE = Ranges(rotate=30.0, shear=0.3, translate=1 / 3, factor=0.9, bits=(4, 1))


def slot(
    ranges: Ranges, members: NDArray[np.int64], acts: NDArray[np.bool_], shares: Draws, signs: Draws
) -> list[Action]:
    """One member for each of n images: `members` (n,) are places in `MEMBERS`, `acts` (n,) who gets it."""
    actions = []
    for index in np.unique(members[acts]):
        rows = np.flatnonzero(acts & (members == index)).astype(np.int64)
        if MEMBERS[index] != "identity":
            name, numbers = ranges.element(MEMBERS[index], shares[rows], signs[rows])
            actions.append(Action(name, rows, numbers))
    return actions


def autoaugment(draws: Draws, policy: str) -> list[Action]:
    """One of 25 learned sub-policies for each image, as likely; its two members with their probabilities."""
    table = POLICIES[policy]
    chosen = choice(draws[:, 0], len(table))
    actions = []
    for place in (0, 1):
        members = np.array([_INDEX[line[place][0]] for line in table])[chosen]
        acts = draws[:, 1 + place] < np.array([line[place][1] for line in table])[chosen]
        shares = np.array([line[place][2] / 9 for line in table])[chosen]
        actions += slot(LEARNED, members, acts, shares, _signs(draws[:, 3 + place]))
    return actions


def randaugment(draws: Draws, n: float, magnitude: float) -> list[Action]:
    """`n` of the 14 usual members one after the other, all at one magnitude of 30; two draws a member."""
    shares = np.full(len(draws), magnitude / 30)
    actions = []
    for place in range(int(n)):
        members = _members(draws[:, 2 * place], _USUAL)
        actions += slot(LEARNED, members, members >= 0, shares, _signs(draws[:, 2 * place + 1]))
    return actions


def trivialaugment(draws: Draws) -> list[Action]:
    """One of the 14 usual members at a magnitude drawn from 31 levels of the wide ranges."""
    members = _members(draws[:, 0], _USUAL)
    return slot(WIDE, members, members >= 0, choice(draws[:, 1], 31) / 30, _signs(draws[:, 2]))


def augmix(draws: Draws, severity: float) -> tuple[list[list[Action]], NDArray[np.float64]]:
    """Three chains of one to three members, and the weights (n, 4) of the image itself and of each chain.

    The chains share Dirichlet(1, 1, 1) weights; the image itself keeps a part that is uniform, Beta(1, 1).
    """
    mixed = flat_dirichlet(draws[:, :_CHAINS])
    kept = draws[:, _CHAINS, None]
    chains = []
    for chain in np.split(draws[:, _CHAINS + 1 :], _CHAINS, axis=1):
        length = 1 + choice(chain[:, 0], _LONGEST)
        actions = []
        for place in range(_LONGEST):
            member, level, sign = chain[:, 1 + 3 * place : 4 + 3 * place].T
            shares = between(level, 0.1, severity) / 10
            actions += slot(GENTLE, _members(member, _AUGMIX), place < length, shares, _signs(sign))
        chains.append(actions)
    return chains, np.hstack([kept, (1.0 - kept) * mixed])


def _members(draws: Draws, names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([_INDEX[name] for name in names])[choice(draws, len(names))]


def _signs(draws: Draws) -> Draws:
    return np.where(draws < 0.5, -1.0, 1.0)
