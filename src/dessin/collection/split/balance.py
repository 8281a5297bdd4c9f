"""Placing whole groups into folds and a holdout so that every class, and the total, is spread evenly.

First the holdout is parted from the rest, then the rest into folds. Each time groups are placed greedily,
largest first, where the squared deviations from the targets grow least (in the spirit of Sechidis,
Tsoumakas and Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011); then single groups
move and pairs change places as long as that brings the parts closer to their targets. Ties fall by draws
keyed with the group's name, so neither the order of rows nor the machine matters.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from dessin.collection.split.board import Board, Contents
from dessin.randomness import image_keys, uniform

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
