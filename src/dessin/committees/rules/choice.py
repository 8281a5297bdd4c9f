"""Rules that choose the members of a vote and their weights, by what members said about some images.

How differently members err: Kuncheva and Whitaker, "Measures of diversity in classifier ensembles" (Machine
Learning, 2003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows, places
from dessin.answers.tree import vote
from dessin.committees.rules.rivals import DECIMALS, SMALLEST, Counts, Floats, Rivals, Tally, find_rivals
from dessin.parallel.mapper import ThreadMapper
from dessin.randomness import image_keys, uniform

Vote = Literal["soft", "geometric", "hard"]
TOLERANCE = 1e-8
BAGS = 20
STEPS = 50
_ROUNDS = 20_000
# A member of less weight costs a whole model and moves no probability by more than a hundredth of a percent.
_LEAST_WEIGHT = 1e-4


@dataclass(frozen=True, eq=False)
class Choice:
    """A vote: `weights` (M,) float64 with a sum of 1, and a `note` of how it was found."""

    rule: Vote
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


def _equally(
    members: Callable[[Rivals], Counts],
    note: str,
    *,
    rule: Vote = "soft",
    learns: bool = True,
) -> TableRule:
    """Members of equal weight, the best of them first; `note` may speak of {count}, {all} and {first}."""

    def choose(rivals: Rivals, _seed: int) -> Choice:
        chosen, names = members(rivals), rivals.table.names
        weights = np.zeros(len(names))
        weights[chosen] = 1.0 / len(chosen)
        return Choice(rule, weights, note.format(count=len(chosen), all=len(names), first=names[chosen[0]]))

    return TableRule(choose, learns)


def _weighted_soft(rivals: Rivals, _seed: int) -> Choice:
    fitted = fit_weights(rivals.own)
    kept = np.where(fitted < _LEAST_WEIGHT, 0.0, fitted)
    weights = kept / kept.sum()
    return Choice("soft", weights, f"{np.count_nonzero(weights)} of {len(weights)} have a weight")


def _greedy(rivals: Rivals, seed: int) -> Choice:
    weights = choose_greedily(rivals, seed=seed)
    return Choice("soft", weights, f"{np.count_nonzero(weights)} of {len(weights)} were added")


def _everyone(rivals: Rivals) -> Counts:
    return np.arange(rivals.table.members)


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


def fit_weights(own: NDArray[Any]) -> NDArray[np.float64]:
    """Weights (M,) float64 with a sum of 1 that maximise the mean of log(w . p), for p = `own` (M, N).

    `own` are the members' probabilities of the true classes, taken as 1e-7 at least. From equal weights on,
    until no others can be better by more than 1e-8 (or 20,000 rounds). Members that are alike weigh alike.
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


def weighted_geometric(table: MemberTable, rows: Rows, _seed: int) -> Choice:
    """A rule that is not in `RULES`: the geometric mean whose weights are most likely by these rows."""
    weights = fit_exponents(table.read(rows), table.targets[rows])
    return Choice("geometric", weights, f"{np.count_nonzero(weights)} of {len(weights)} have a weight")


def fit_exponents(probabilities: NDArray[Any], targets: NDArray[np.int64]) -> Floats:
    """Weights (M,) float64 with a sum of 1 under which the geometric mean of (M, N, C) is most likely.

    The loss is convex in them. Probabilities are taken as 1e-7 at least.
    """
    # SciPy's optimisers take long to import, and not every verb that chooses members needs them.
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    logs = np.log(np.maximum(probabilities, SMALLEST, dtype=np.float64))
    members, images = len(logs), np.arange(len(targets))
    own = logs[:, images, targets].mean(axis=1)

    def loss(weights: Floats) -> tuple[float, Floats]:
        joined = np.tensordot(weights, logs, axes=1)
        normal = logsumexp(joined, axis=1)
        expected = (np.exp(joined - normal[:, None]) * logs).sum(axis=2).mean(axis=1)
        return float(normal.mean() - weights @ own), expected - own

    found: Any = minimize(
        loss,
        np.full(members, 1.0 / members),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * members,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1.0},
        options={"ftol": TOLERANCE, "maxiter": 200},
    )
    weights = np.where(found.x < _LEAST_WEIGHT, 0.0, found.x)
    return np.asarray(weights / weights.sum())


def choose_greedily(
    rivals: Rivals, *, seed: int = 0, bags: int = BAGS, steps: int = STEPS
) -> NDArray[np.float64]:
    """The weight of each member, (M,) float64 with a sum of 1: climbed with replacement, from random bags.

    The accuracy that is climbed is exactly that of the averaged probabilities. Ties go to the higher mean
    log-probability of the true class, then to the earlier name.
    """
    dealt = deal_bags(rivals.table.names, bags, seed)
    climbed = ThreadMapper().map(partial(climb, rivals, steps=steps), dealt)
    return np.asarray(np.mean([counts / counts.sum() for counts in climbed], axis=0))


def deal_bags(names: tuple[str, ...], bags: int, seed: int) -> list[NDArray[np.int64]]:
    """The members of each bag, half of all (rounded up), in the order of their names; one bag has them all.

    Which they are depends on the seed and on the names, not on the order of members.
    """
    by_name = np.argsort(places(names))
    if bags == 1:
        return [by_name]
    size = -(-len(names) // 2)
    draws = uniform(seed, "greedy bags", 0, image_keys([names[member] for member in by_name]), bags)
    return [by_name[np.sort(np.argsort(draws[:, bag], kind="stable")[:size])] for bag in range(bags)]


def climb(rivals: Rivals, bag: Counts, *, steps: int = STEPS) -> Counts:
    """How often each member is in the best vote that was come across, (M,); only those of `bag` may be."""
    tally = Tally(rivals)
    best: tuple[tuple[int, float], Counts] | None = None
    for _ in range(steps):
        right = tally.right_with(bag)
        tied = bag[right == right.max()]
        likelihood = tally.log_likelihood_with(tied).round(DECIMALS)
        place = int(likelihood.argmax())
        tally.add(int(tied[place]))
        score = (int(right.max()), float(likelihood[place]))
        if best is None or score > best[0]:
            best = (score, tally.counts.copy())
    rivals.table.release()
    assert best is not None
    return best[1]


@dataclass(frozen=True, eq=False)
class Diversity:
    """Three symmetric tables (M, M) float64.

    Attributes:
        disagreement: the share of images that exactly one of the two has right; the diagonal is 0.
        double_fault: the share that both have wrong; the diagonal is each member's error.
        q_statistic: Yule's Q, from -1 (never wrong together) over 0 (independent) to 1 (wrong together). Two
            members that never differ have 1. Else, where its denominator is 0 (one of them has all right or
            all wrong), nothing can be told and it is 0.
    """

    disagreement: Floats
    double_fault: Floats
    q_statistic: Floats


def pairwise(correct: NDArray[np.bool_]) -> Diversity:
    """The diversity of all pairs of M members from what they have right, (M, N) bool."""
    if correct.ndim != 2 or not correct.shape[1]:
        raise ValueError(f"the table of right and wrong is {correct.shape}; (members, images) is needed")
    right = np.asarray(correct, dtype=np.float64)
    wrong = 1.0 - right
    # Counts of images, exact in float64: both right, only the first, only the second, both wrong.
    both, first, second, neither = right @ right.T, right @ wrong.T, wrong @ right.T, wrong @ wrong.T
    together, apart = both * neither, first * second
    known = together + apart > 0
    alike = (first + second == 0).astype(np.float64)
    q_statistic = np.divide(together - apart, together + apart, out=alike, where=known)
    images = correct.shape[1]
    return Diversity((first + second) / images, neither / images, q_statistic)


RULES: Mapping[str, Rule] = {
    "best single": _equally(lambda rivals: _by_accuracy(rivals)[:1], "{first}"),
    "all soft": _equally(_everyone, "all {count}", learns=False),
    "all hard": _equally(_everyone, "all {count}", rule="hard", learns=False),
    "accuracy": _equally(
        lambda rivals: _best_prefix(rivals, _by_accuracy(rivals)), "the best {count} of {all}"
    ),
    "diversity": _equally(
        lambda rivals: _best_prefix(rivals, _by_diversity(rivals)),
        "{count} of {all} that err least together",
    ),
    "weighted soft": TableRule(_weighted_soft),
    "greedy": TableRule(_greedy),
}
