"""Greedy selection of members, with replacement, from random bags."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows, places
from dessin.committees.rules.rivals import DECIMALS, Counts, Rivals, Tally, find_rivals
from dessin.parallel.mapper import ThreadMapper
from dessin.randomness import image_keys, uniform

Metric = Literal["accuracy", "loss"]
BAGS = 20
STEPS = 50


def select_greedily(
    table: MemberTable,
    rows: Rows,
    *,
    seed: int = 0,
    metric: Metric = "accuracy",
    bags: int = BAGS,
    steps: int = STEPS,
) -> NDArray[np.float64]:
    """The weight of each member, (M,) float64 with a sum of 1, chosen on the given rows (n,) alone.

    The accuracy that is climbed is exactly that of the averaged probabilities. Ties go to the higher mean
    log-probability of the true class, then to the earlier name; with `metric="loss"` that mean is climbed.
    """
    return choose_greedily(find_rivals(table, rows), seed=seed, metric=metric, bags=bags, steps=steps)


def choose_greedily(
    rivals: Rivals, *, seed: int = 0, metric: Metric = "accuracy", bags: int = BAGS, steps: int = STEPS
) -> NDArray[np.float64]:
    """`select_greedily` on answers that were read before."""
    climbed = ThreadMapper().map(
        partial(climb, rivals, metric=metric, steps=steps), deal_bags(rivals.table.names, bags, seed)
    )
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


def climb(rivals: Rivals, bag: Counts, *, metric: Metric = "accuracy", steps: int = STEPS) -> Counts:
    """How often each member is in the best vote that was come across, (M,); only those of `bag` may be."""
    tally = Tally(rivals)
    best: tuple[tuple[float, float], Counts] | None = None
    for _ in range(steps):
        member, score = _next(tally, bag, metric)
        tally.add(member)
        if best is None or score > best[0]:
            best = (score, tally.counts.copy())
    rivals.table.release()
    assert best is not None
    return best[1]


def _next(tally: Tally, bag: Counts, metric: Metric) -> tuple[int, tuple[float, float]]:
    """The member of the bag that makes the best vote with those in the tally, and how good that is."""
    if metric == "loss":
        likelihood = tally.log_likelihood_with(bag).round(DECIMALS)
        place = int(likelihood.argmax())
        return int(bag[place]), (float(likelihood[place]), 0.0)
    right = tally.right_with(bag)
    tied = bag[right == right.max()]
    likelihood = tally.log_likelihood_with(tied).round(DECIMALS)
    place = int(likelihood.argmax())
    return int(tied[place]), (float(right.max()), float(likelihood[place]))
