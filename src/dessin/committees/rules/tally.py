"""A soft vote that grows by one member at a time, and what each next member would make of it: exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dessin.committees.rules.rivals import Flags, Rivals

Counts = NDArray[np.int64]
# A probability is not taken to be smaller than float32 can tell from 0 beside 1, as in evaluation.metrics.
SMALLEST = 1e-7
# Likelihoods are compared after rounding: the order in which images were added up must not decide.
DECIMALS = 12
# How many images are looked at together; their leads stay in the cache.
_IMAGES = 64


class Tally:
    """The sums of the members that were added, each as often as it was.

    Adding one member moves a rival's lead by no more than the member's own lead, so most images are decided
    beforehand by the lowest and the highest lead of any member. Only the others are looked at.
    """

    def __init__(self, rivals: Rivals) -> None:
        self.rivals = rivals
        self.counts: Counts = np.zeros(rivals.lead.shape[1], dtype=np.int64)
        self._lead = np.zeros(rivals.lead.shape[0])
        self._own = np.zeros(rivals.own.shape[1])

    def add(self, member: int) -> None:
        self.counts[member] += 1
        self._lead += self.rivals.lead[:, member]
        self._own += self.rivals.own[member]

    def right_with(self, members: Counts) -> Counts:
        """How many images the vote has right if one of `members` (k,) is added: (k,), each for itself."""
        rivals = self.rivals
        if not self.counts.any():
            return np.asarray(rivals.right[members].sum(axis=1))
        # A rival wins where its lead in the member is above this; where a tie is enough, just below it.
        needed = -self._lead
        needed[rivals.first] = np.nextafter(needed[rivals.first], -np.inf)
        lost = np.zeros(len(rivals.rows), dtype=bool)
        lost[rivals.image[(rivals.low > needed) & ~rivals.bound]] = True
        open_pairs = np.flatnonzero((rivals.high > needed) & ~lost[rivals.image])
        decided = len(rivals.rows) - rivals.lost - int(lost.sum())
        if not len(open_pairs):
            return np.full(len(members), decided, dtype=np.int64)
        return decided + self._gained(members, open_pairs, needed[open_pairs])

    def _gained(self, members: Counts, pairs: NDArray[np.int64], needed: NDArray[np.float64]) -> Counts:
        """What the images of the open pairs add to those that are right anyway: minus those that get lost."""
        image, bound = self.rivals.image[pairs], self.rivals.bound[pairs]
        starts = np.flatnonzero(np.diff(image, prepend=-1))
        change = np.zeros(len(members), dtype=np.int64)
        for begin in range(0, len(starts), _IMAGES):
            first = starts[begin : begin + _IMAGES]
            last = starts[begin + _IMAGES] if begin + _IMAGES < len(starts) else len(pairs)
            part = slice(first[0], last)
            ahead = self.rivals.lead.take(pairs[part], axis=0)[:, members] > needed[part, None]
            beaten = np.logical_or.reduceat(ahead, first - first[0], axis=0)
            change -= beaten.sum(axis=0)
            if bound[part].any():
                known = np.logical_or.reduceat(ahead & ~bound[part, None], first - first[0], axis=0)
                self._settle(members, image[first], beaten & ~known, change)
        return change

    def _settle(self, members: Counts, images: Counts, unsure: Flags, change: Counts) -> None:
        """Where (images, members) only the bound of the rivals left out is ahead: add up the whole rows."""
        table = self.rivals.table
        added = np.flatnonzero(self.counts)
        for place in np.flatnonzero(unsure.any(axis=1)):
            waiting = np.flatnonzero(unsure[place])
            row = self.rivals.rows[images[place]]
            sums = self.counts[added] @ table.probabilities[added, row].astype(np.float64)
            totals = sums + table.probabilities[members[waiting], row]
            change[waiting] += totals.argmax(axis=1) == table.targets[row]

    def log_likelihood_with(self, members: Counts) -> NDArray[np.float64]:
        """The mean log-probability of the true class if one of `members` (k,) is added: (k,)."""
        votes = int(self.counts.sum()) + 1
        own = (self._own + self.rivals.own[members]) / votes
        return np.asarray(np.log(np.maximum(own, SMALLEST)).mean(axis=1))
