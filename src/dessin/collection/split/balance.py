"""Placing whole groups into folds and a holdout so that every class, and the total, is spread evenly."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dessin.randomness import image_keys, uniform

Contents = Mapping[str, Mapping[str, int]]


class Board:
    """Groups of images placed into parts with target shares.

    `contents` gives each group's images by class. The first `training` parts serve training: a single one
    must keep two groups of every class, several must have every class in two of them, so that whichever
    part is left out for validation, another still trains the class. At least `least` groups stay in them.
    """

    def __init__(self, contents: Contents, shares: Sequence[float], *, training: int, least: int) -> None:
        self.contents = contents
        self.shares = shares
        self.part_of: dict[str, int] = {}
        self._training = training
        self._spare = len(contents) - least
        self._totals: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        for content in contents.values():
            self._totals.update(content)
            self._waiting.update(content.keys())
        self._images = {label: [0] * len(shares) for label in self._totals}
        self._groups = {label: [0] * len(shares) for label in self._totals}
        self._sizes = [0] * len(shares)
        self._all = sum(self._totals.values())

    def cost(self, group: str, part: int) -> float:
        """How much the squared deviations, each divided by its target, grow if the group joins the part.

        Once per class, and once for all images: that term decides among parts that serve the class equally.
        Without the division a large part would take all large groups, and the holdout would be unlike it.
        """
        share, size, grown = self.shares[part], 0, 0.0
        for label, count in self.contents[group].items():
            size += count
            total = self._totals[label]
            grown += count * (2 * (self._images[label][part] - share * total) + count) / total
        grown += size * (2 * (self._sizes[part] - share * self._all) + size) / self._all
        return grown / share

    def permits(self, group: str, part: int) -> bool:
        """Whether, with this unplaced group in the part, each of its classes can still be trained."""
        if part >= self._training and self._spare < 1:
            return False
        for label in self.contents[group]:
            groups = self._groups[label][: self._training]
            if part < self._training:
                groups[part] += 1
            reached = groups[0] if self._training == 1 else sum(map(bool, groups))
            if reached + self._waiting[label] - 1 < 2:
                return False
        return True

    def place(self, group: str, part: int) -> None:
        self.part_of[group] = part
        self._change(group, part, 1)

    def lift(self, group: str) -> int:
        """Take a group back out of its part, which is returned."""
        part = self.part_of.pop(group)
        self._change(group, part, -1)
        return part

    def _change(self, group: str, part: int, sign: int) -> None:
        self._spare -= sign * (part >= self._training)
        for label, count in self.contents[group].items():
            self._images[label][part] += sign * count
            self._groups[label][part] += sign
            self._waiting[label] -= sign
            self._sizes[part] += sign * count


_PASSES = 20
_FEW = 40
_ROUNDING = 1e-9


def balance_groups(contents: Contents, *, folds: int, holdout: float, seed: int) -> dict[str, int]:
    """group → part, where 0..folds-1 are the folds and `folds` is the holdout.

    `contents` gives each group's number of images by class.
    """
    part_of: dict[str, int] = {}
    if holdout:
        board = Board(contents, (1.0 - holdout, holdout), training=1, least=folds)
        sides = _balanced(board, seed, "split holdout")
        part_of = {group: folds for group, side in sides.items() if side == 1}
    rest = {group: content for group, content in contents.items() if group not in part_of}
    board = Board(rest, (1.0 / folds,) * folds, training=folds, least=folds)
    return part_of | _balanced(board, seed, "split folds")


def _balanced(board: Board, seed: int, stream: str) -> dict[str, int]:
    names = sorted(board.contents)
    draws = uniform(seed, stream, 0, image_keys(names), 1 + len(board.shares))
    ties = dict(zip(names, draws.tolist(), strict=True))
    queue = sorted(names, key=lambda name: (-sum(board.contents[name].values()), ties[name][0], name))
    for name in queue:
        board.place(name, _best(board, name, ties[name]))
    pairs = _exchangeable(board.contents, queue)
    for _ in range(_PASSES):
        changes = sum([_moved(board, name, ties[name]) for name in queue])
        changes += sum([_exchanged(board, first, second) for first, second in pairs])
        if not changes:
            break
    return board.part_of


def _best(board: Board, group: str, ties: Sequence[float]) -> int:
    """The permitted part that costs least; where none is permitted, any may be taken."""
    parts = range(len(board.shares))
    permitted = [part for part in parts if board.permits(group, part)] or list(parts)
    return min(permitted, key=lambda part: (round(board.cost(group, part) / _ROUNDING), ties[1 + part]))


def _moved(board: Board, group: str, ties: Sequence[float]) -> bool:
    """Move a group where it fits better, if it does by more than rounding."""
    before = board.lift(group)
    after = _best(board, group, ties)
    gain = board.cost(group, before) - board.cost(group, after)
    moved = after != before and (gain > _ROUNDING or not board.permits(group, before))
    board.place(group, after if moved else before)
    return moved


def _exchangeable(contents: Contents, queue: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of groups of the same single class that differ in size.

    A class of many groups is left out: single moves balance it, and its pairs are too many to try.
    """
    members: dict[str, list[str]] = {}
    for name in queue:
        if len(contents[name]) == 1:
            members.setdefault(next(iter(contents[name])), []).append(name)
    pairs = (
        pair for names in members.values() if len(names) <= _FEW for pair in itertools.combinations(names, 2)
    )
    return [(first, second) for first, second in pairs if contents[first] != contents[second]]


def _exchanged(board: Board, first: str, second: str) -> bool:
    """Exchange two groups of one class if that costs less; every class keeps its number of groups a part."""
    if board.part_of[first] == board.part_of[second]:
        return False
    here, there = board.lift(first), board.lift(second)
    stay = board.cost(first, here) + board.cost(second, there)
    change = board.cost(first, there) + board.cost(second, here)
    better = change < stay - _ROUNDING
    board.place(first, there if better else here)
    board.place(second, here if better else there)
    return better
