"""Rules that choose the members of a vote and their weights, by what members said about some images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows, places
from dessin.answers.tree import vote
from dessin.committees.rules.diversity import pairwise
from dessin.committees.rules.greedy import choose_greedily
from dessin.committees.rules.rivals import Rivals, find_rivals
from dessin.committees.rules.tally import DECIMALS, SMALLEST, Counts, Tally

TOLERANCE = 1e-8
_ROUNDS = 20_000


def fit_weights(own: NDArray[Any]) -> NDArray[np.float64]:
    """Weights (M,) float64 with a sum of 1 that maximise the mean of log(w . p), for p = `own` (M, N).

    `own` are the members' probabilities of the true classes, taken as 1e-7 at least. From equal weights on,
    until no others can be better by more than 1e-8 (or 20,000 rounds). Members that are alike weigh alike.

    Raises:
        ValueError: no member or no image.
    """
    if own.ndim != 2 or not own.size:
        raise ValueError(f"the table of own probabilities is {own.shape}; (members, images) is needed")
    probabilities = np.maximum(own, SMALLEST, dtype=np.float64)
    weights = np.full(len(own), 1.0 / len(own))
    for _ in range(_ROUNDS):
        gradient = probabilities @ (1.0 / (weights @ probabilities)) / own.shape[1]
        if gradient.max() - 1.0 < TOLERANCE:
            break
        weights *= gradient
    return np.asarray(weights / weights.sum())


Floats = NDArray[np.float64]
# A member of less weight costs a whole model and moves no probability by more than a hundredth of a percent.
_LEAST_WEIGHT = 1e-4


@dataclass(frozen=True, eq=False)
class Choice:
    """A vote: `weights` (M,) float64 with a sum of 1, and a `note` of how it was found."""

    rule: Literal["soft", "hard"]
    weights: Floats
    note: str

    def members(self) -> Counts:
        """The numbers of the members that have a weight."""
        return np.flatnonzero(self.weights)


# A table, the rows (n,) that may be looked at, and no others, and a seed.
Rule = Callable[[MemberTable, Rows, int], Choice]


@dataclass(frozen=True)
class TableRule:
    """A rule that chooses by what decides votes, so that several such rules can share one reading.

    `learns` is False where the choice does not depend on what members said.
    """

    choose: Callable[[Rivals, int], Choice]
    learns: bool = True

    def __call__(self, table: MemberTable, rows: Rows, seed: int) -> Choice:
        return self.choose(find_rivals(table, rows), seed)


def choose_by_all(table: MemberTable, rows: Rows, rules: Mapping[str, Rule], seed: int) -> dict[str, Choice]:
    """What every rule chooses by these rows, which are read once for all rules that can share it."""
    shared = any(isinstance(rule, TableRule) for rule in rules.values())
    rivals = find_rivals(table, rows) if shared else None
    return {
        name: rule.choose(rivals, seed)
        if rivals is not None and isinstance(rule, TableRule)
        else rule(table, rows, seed)
        for name, rule in rules.items()
    }


def apply_choice(table: MemberTable, rows: Rows, choice: Choice) -> Floats:
    """The vote's probabilities (n, C) float64 for some rows (n,), by the arithmetic of committees."""
    members = choice.members()
    weights = [float(choice.weights[member]) for member in members]

    def joined(block: Rows) -> Floats:
        parts = [table.probabilities[member, block].astype(np.float64) for member in members]
        return vote(parts, weights, choice.rule)

    parts = list(table.over_blocks(rows, joined))
    return np.concatenate(parts) if parts else np.zeros((0, len(table.classes)))


def _best_single(rivals: Rivals, seed: int) -> Choice:  # noqa: ARG001
    best = _by_accuracy(rivals)[0]
    return Choice("soft", _equal([best], rivals), f"{rivals.table.names[best]}")


def _all_soft(rivals: Rivals, seed: int) -> Choice:  # noqa: ARG001
    members = range(rivals.table.members)
    return Choice("soft", _equal(members, rivals), f"all {len(members)}")


def _all_hard(rivals: Rivals, seed: int) -> Choice:  # noqa: ARG001
    members = range(rivals.table.members)
    return Choice("hard", _equal(members, rivals), f"all {len(members)}")


def _accuracy(rivals: Rivals, seed: int) -> Choice:  # noqa: ARG001
    members = _best_prefix(rivals, _by_accuracy(rivals))
    return Choice("soft", _equal(members, rivals), f"the best {len(members)} of {rivals.table.members}")


def _diversity(rivals: Rivals, seed: int) -> Choice:  # noqa: ARG001
    members = _best_prefix(rivals, _by_diversity(rivals))
    note = f"{len(members)} of {rivals.table.members} that err least together"
    return Choice("soft", _equal(members, rivals), note)


def _weighted_soft(rivals: Rivals, seed: int) -> Choice:  # noqa: ARG001
    fitted = fit_weights(rivals.own)
    kept = np.where(fitted < _LEAST_WEIGHT, 0.0, fitted)
    weights = kept / kept.sum()
    return Choice("soft", weights, f"{np.count_nonzero(weights)} of {len(weights)} have a weight")


def _greedy(rivals: Rivals, seed: int) -> Choice:
    weights = choose_greedily(rivals, seed=seed)
    return Choice("soft", weights, f"{np.count_nonzero(weights)} of {len(weights)} were added")


RULES: Mapping[str, Rule] = {
    "best single": TableRule(_best_single),
    "all soft": TableRule(_all_soft, learns=False),
    "all hard": TableRule(_all_hard, learns=False),
    "accuracy": TableRule(_accuracy),
    "diversity": TableRule(_diversity),
    "weighted soft": TableRule(_weighted_soft),
    "greedy": TableRule(_greedy),
}


def _equal(members: Sequence[int] | Counts, rivals: Rivals) -> Floats:
    weights = np.zeros(rivals.table.members)
    weights[members] = 1.0 / len(members)
    return weights


def _by_accuracy(rivals: Rivals) -> Counts:
    """Members from the most to the least accurate; ties by log loss, then by name."""
    likelihood = Tally(rivals).log_likelihood_with(np.arange(rivals.table.members)).round(DECIMALS)
    return np.lexsort((places(rivals.table.names), -likelihood, -rivals.right.sum(axis=1)))


def _by_diversity(rivals: Rivals) -> Counts:
    """The best member, then always the one that errs least together with those before it.

    Least is the mean double fault; of equal ones the highest mean disagreement, then the better one.
    """
    order = _by_accuracy(rivals)
    pairs = pairwise(rivals.right)
    chosen = [int(order[0])]
    waiting = order[1:]
    while len(waiting):
        fault = pairs.double_fault[waiting][:, chosen].mean(axis=1).round(DECIMALS)
        differ = pairs.disagreement[waiting][:, chosen].mean(axis=1).round(DECIMALS)
        place = int(np.lexsort((np.arange(len(waiting)), -differ, fault))[0])
        chosen.append(int(waiting[place]))
        waiting = np.delete(waiting, place)
    return np.asarray(chosen, dtype=np.int64)


def _best_prefix(rivals: Rivals, order: Counts) -> Counts:
    """The first members of an order whose soft vote is best; ties by log loss, then fewer members."""
    tally, scores = Tally(rivals), []
    for member in order:
        added = np.array([member])
        likelihood = tally.log_likelihood_with(added).round(DECIMALS)
        scores.append((int(tally.right_with(added)[0]), float(likelihood[0])))
        tally.add(int(member))
    return order[: scores.index(max(scores)) + 1]
