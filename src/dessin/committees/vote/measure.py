"""Counting votes: hard and soft, with ties decided by rules that no order of voters has a say in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dessin.answers.tree import TIE, vote
from dessin.committees.vote.join import Ballots, Voter
from dessin.committees.vote.sources import ABSTAINS
from dessin.statistics.temperature import tempered

Floats = NDArray[np.float64]
Rule = Literal["soft", "hard"]

BY_PROBABILITY = "the mean probability"
BY_AGREEMENT = "the label of the voters that agree most with the vote elsewhere"
BY_ORDER = "the order of labels"


@dataclass(frozen=True, eq=False)
class Count:
    """The outcome on N images.

    `winners` (N,) are class numbers, or `ABSTAINS` where nobody voted; `shares` (N,) the winner's share of
    the votes, or its mean probability. `probabilities` (N, C) are a soft vote's. `tied` (N,) bool; `decided`
    counts the ties by the rule that decided them.
    """

    winners: NDArray[np.int64]
    shares: Floats
    probabilities: Floats | None
    tied: NDArray[np.bool_]
    decided: dict[str, int]


def count_soft(ballots: Ballots) -> Count:
    """The weighted mean of the voters' probabilities; of equal ones the first class wins."""
    mean = _mean(ballots)
    winners = mean.argmax(axis=1).astype(np.int64)
    best = mean[np.arange(len(mean)), winners]
    tied = (mean == best[:, None]).sum(axis=1) > 1
    decided = {BY_ORDER: int(tied.sum())} if tied.any() else {}
    return Count(winners, best, mean, tied, decided)


def count_hard(ballots: Ballots) -> Count:
    """The label with most votes. A tie is decided by the mean probability, where every voter has one.

    Elsewhere the voters themselves are judged: of the tied labels the one wins whose voters agree most often
    (weighted mean) with the vote on the images without a tie; then the first in order. No true label is
    needed for that, and no order of voters matters.
    """
    votes = _shares(ballots)
    best = votes.max(axis=1)
    # Shares come of sums of weights, so that equal ones may differ by rounding.
    leading = (votes >= best[:, None] - TIE) & (best[:, None] > 0)
    tied = leading.sum(axis=1) > 1
    winners = np.where(best > 0, votes.argmax(axis=1), ABSTAINS).astype(np.int64)
    decided: dict[str, int] = {}
    if tied.any():
        scores, rule = _tie_scores(ballots, winners, tied)
        scores = np.where(leading[tied], scores, -1.0)
        top = scores.max(axis=1, keepdims=True)
        winners[tied] = (scores >= top - 1e-12).argmax(axis=1)
        equal = int(((scores >= top - 1e-12).sum(axis=1) > 1).sum())
        counts = {rule: int(tied.sum()) - equal, BY_ORDER: equal}
        decided = {name: number for name, number in counts.items() if number}
    shares = np.where(best > 0, votes[np.arange(len(votes)), winners], 0.0)
    return Count(winners, shares, None, tied, decided)


def agreement(voter: Voter, count: Count, among: NDArray[np.bool_] | None = None) -> float:
    """How often (0..1) the voter's label is the winner, among the images where it voted; 0 without any."""
    asked = voter.votes != ABSTAINS
    if among is not None:
        asked = asked & among
    return float((voter.votes[asked] == count.winners[asked]).mean()) if asked.any() else 0.0


def _shares(ballots: Ballots) -> Floats:
    """Each label's share of the votes cast for an image, (N, C); rows of 0 where nobody voted."""
    votes = np.zeros((len(ballots.image_ids), len(ballots.classes)))
    cast = np.zeros(len(votes))
    for voter in _by_name(ballots):
        rows = np.flatnonzero(voter.votes != ABSTAINS)
        votes[rows, voter.votes[rows]] += voter.weight
        cast[rows] += voter.weight
    return np.divide(votes, cast[:, None], out=votes, where=cast[:, None] > 0)


def _tie_scores(ballots: Ballots, winners: NDArray[np.int64], tied: NDArray[np.bool_]) -> tuple[Floats, str]:
    """What decides among tied labels, (ties, C), and its name."""
    if ballots.soft:
        return _mean(ballots)[tied], BY_PROBABILITY
    settled = Count(winners, np.zeros(0), None, tied, {})
    scores, mass = (np.zeros((int(tied.sum()), len(ballots.classes))) for _ in range(2))
    for voter in _by_name(ballots):
        votes = voter.votes[tied]
        rows = np.flatnonzero(votes != ABSTAINS)
        scores[rows, votes[rows]] += voter.weight * agreement(voter, settled, ~tied)
        mass[rows, votes[rows]] += voter.weight
    return np.divide(scores, mass, out=scores, where=mass > 0), BY_AGREEMENT


def _mean(ballots: Ballots) -> Floats:
    """The weighted mean of the voters' tempered probabilities, (N, C)."""
    asked = [(voter, voter.probabilities) for voter in _by_name(ballots)]
    parts = [tempered(table, voter.temperature) for voter, table in asked if table is not None]
    return vote(parts, [voter.weight for voter, _ in asked], "soft")


def _by_name(ballots: Ballots) -> list[Voter]:
    """Sums in a fixed order have the same last digits, whichever file was named first."""
    return sorted(ballots.voters, key=lambda voter: (voter.name, voter.weight))
