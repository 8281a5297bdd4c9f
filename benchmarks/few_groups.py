"""How often an interval from a few groups of drawings holds the truth: 95 times in 100 is what it says.

Worlds: 2 to 12 groups (a pupil, a photo) of 1 to some 30 drawings, 8 on average; each group has its own
share of right answers, whose spread is the intra-class correlation (0: the same in all groups, 1: a group is
all right or all wrong). `before` is the bootstrap that ten groups and more still have.

    python benchmarks/few_groups.py [--trials 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np

from dessin.statistics import intervals
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import Estimate, bootstrap_mean, wilson

GROUPS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
CORRELATIONS = (0.0, 0.05, 0.2, 0.5, 1.0)
SHARES = (0.5, 0.8, 0.95)
MEAN_SIZE = 8
Drawn = tuple[np.ndarray, np.ndarray]
Ask = Callable[[np.random.Generator], tuple[Estimate, float]]


def draw(random: np.random.Generator, groups: int, share: float, correlation: float, *, even: bool) -> Drawn:
    """Which of the drawings are right (N,) float64, and the number of each one's group (N,)."""
    sizes = np.full(groups, MEAN_SIZE)
    if not even:
        sizes = 1 + random.negative_binomial(1.5, 1.5 / (0.5 + MEAN_SIZE), groups)
    if correlation == 0.0:
        own = np.full(groups, share)
    elif correlation == 1.0:
        own = (random.random(groups) < share).astype(np.float64)
    else:
        spread = (1 - correlation) / correlation
        own = random.beta(share * spread, (1 - share) * spread, groups)
    index = np.repeat(np.arange(groups), sizes)
    return (random.random(len(index)) < own[index]).astype(np.float64), index


def difference(random: np.random.Generator, groups: int, correlation: float) -> tuple[Estimate, float]:
    """Two models of which one is better by 5 points, on the same drawings; with the true difference."""
    first, index = draw(random, groups, 0.15, correlation, even=False)
    base = random.random(len(index)) < 0.6
    # Where the first differs it is right two times in three, whatever the base says.
    better = np.where(first > 0, random.random(len(index)) < 2 / 3, base)
    worse = np.where(first > 0, ~better.astype(bool), base)
    return two_models(better, worse, index).difference, 0.15 / 3


def covered(trials: int, ask: Ask, seed: int) -> Drawn:
    """Whether each interval held the truth, and how wide it was, (trials,) each."""
    held, width = np.zeros(trials), np.zeros(trials)
    for trial in range(trials):
        estimate, truth = ask(np.random.default_rng([seed, trial]))
        held[trial] = estimate.low <= truth <= estimate.high
        width[trial] = estimate.high - estimate.low
    return held, width


def line(title: str, cells: list[Drawn], trials: int) -> str:
    """The mean coverage, the lowest of a world with its interval, and the mean width."""
    shares = [float(held.mean()) for held, _ in cells]
    lowest = wilson(min(shares), trials, n=trials)
    ends = f"{100 * lowest.low:.1f}, {100 * lowest.high:.1f}"
    width = float(np.mean([width.mean() for _, width in cells]))
    return f"{title} | {np.mean(shares):.1%} | {lowest.value:.1%} [{ends}] | {width:.2f}"


def of_shares(groups: int, trials: int, *, even: bool) -> list[Drawn]:
    """Coverage and widths of shares of right answers, in each world."""

    def ask(share: float, correlation: float) -> Ask:
        return lambda random: (bootstrap_mean(*draw(random, groups, share, correlation, even=even)), share)

    return [covered(trials, ask(*world), seed) for seed, world in enumerate(product(SHARES, CORRELATIONS))]


def of_differences(groups: int, trials: int) -> list[Drawn]:
    """The same of the difference between two models."""

    def ask(correlation: float) -> Ask:
        return lambda random: difference(random, groups, correlation)

    return [covered(trials, ask(correlation), seed) for seed, correlation in enumerate(CORRELATIONS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="of each world")
    trials = parser.parse_args().trials
    print("groups | what | mean coverage | lowest of the worlds | mean width")
    print("---|---|---|---|---")
    for groups in GROUPS:
        for name, even in (("uneven", False), ("even", True)):
            print(line(f"{groups} | shares, {name} groups", of_shares(groups, trials, even=even), trials))
        few, intervals.FEW_GROUPS = intervals.FEW_GROUPS, 0
        if groups < few:
            before = of_shares(groups, trials, even=False)
            print(line(f"{groups} | shares, uneven groups, before", before, trials))
        intervals.FEW_GROUPS = few
        found = of_differences(groups, trials)
        print(line(f"{groups} | differences, uneven groups", found, trials), flush=True)


if __name__ == "__main__":
    main()
