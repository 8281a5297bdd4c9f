"""A table of answers reduced, without any loss, to what can decide whether a soft vote is right.

Only a class that beats the true one in some member can beat it in a weighted mean: the rivals of an image.
Kept is how far each rival leads the true class in each member. An image without rivals is right, one with a
rival ahead in every member is wrong, whatever the weights: both are taken out. Of the rivals of an image at
most a number are kept; the rest enter as one bound, the highest of them in each member. Where that bound
leaves a vote open, the whole rows of the image are read and added up.

Leads are float64 differences of float32 probabilities, so sums are exact down to about 1e-14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
# A probability is not taken to be smaller than float32 can tell from 0 beside 1, as in statistics.metrics.
SMALLEST = 1e-7
# Likelihoods are compared after rounding: the order in which images were added up must not decide.
DECIMALS = 12
# How many images are looked at together; their leads stay in the cache.
_IMAGES = 64
_LEAD_BYTES = 1 << 30
_MOST_RIVALS = 64


@dataclass(frozen=True, eq=False)
class Rivals:
    """What M members say about n images, as far as it can decide a soft vote; P pairs of image and rival.

    Attributes:
        rows: (n,) the table's rows that were read, and no others.
        own: (M, n) float32, the probabilities of the true classes.
        right: (M, n), which member alone is right.
        lead: (P, M) float64, the rival's probability minus the true class's; pairs are sorted by image.
        image: (P,) each pair's image, as a place in `rows`.
        first: (P,) the rival's number is lower, so that it wins a tie.
        bound: (P,) the pair stands for all rivals that were left out: their highest in each member.
        low, high: (P,) float64, the least and the greatest lead of any member.
        lost: how many images every vote has wrong; they have no pairs, as those that every vote has right.
    """

    table: MemberTable
    rows: Rows
    own: NDArray[np.float32]
    right: Flags
    lead: Floats
    image: NDArray[np.int64]
    first: Flags
    bound: Flags
    low: Floats
    high: Floats
    lost: int


def find_rivals(table: MemberTable, rows: Rows, *, most: int | None = None) -> Rivals:
    """Read the given rows (n,) once, in blocks, and keep at most `most` rivals an image.

    By default as many as fit into a gigabyte, 64 at most. The result of any vote does not depend on it.
    """
    if not len(rows):
        raise ValueError("no image to choose members by")
    if most is None:
        most = min(_MOST_RIVALS, max(4, _LEAD_BYTES // (8 * table.members * len(rows))))
    limit = most
    parts = list(table.over_blocks(rows, lambda block: _reduce(table, block, limit)))
    sizes = [len(part.rows) for part in parts]
    starts = np.repeat(np.cumsum([0, *sizes[:-1]]), [len(part.image) for part in parts])

    def joined(name: str, axis: int = 0) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts], axis=axis)

    by_pair = {name: joined(name) for name in ("lead", "first", "bound", "low", "high")}
    return Rivals(
        table=table,
        rows=rows,
        own=joined("own", 1),
        right=joined("right", 1),
        image=joined("image") + starts,
        lost=sum(part.lost for part in parts),
        **by_pair,
    )


def _reduce(table: MemberTable, rows: Rows, most: int) -> Rivals:
    """The rivals of one block of images."""
    block = table.read(rows)
    target = table.targets[rows]
    images = np.arange(len(rows))
    own = block[:, images, target]
    right = block.argmax(axis=2) == target
    # The sign of a float32 difference is exact, and only signs and an order of rivals are taken from these.
    gap = block - own[:, :, None]
    before = np.arange(block.shape[2]) < target[:, None]
    least, most_ahead = gap.min(axis=0), gap.max(axis=0)
    rival = (most_ahead > 0) | ((most_ahead == 0) & before)
    ahead = (least > 0) | ((least == 0) & before)
    rival[images, target] = ahead[images, target] = False
    lost = ahead.any(axis=1)
    rival[lost] = False
    kept = _nearest(rival, most_ahead, most)
    image, label = np.nonzero(kept)
    lead = block[:, image, label].astype(np.float64) - own[:, image]
    first = before[image, label]
    left = rival & ~kept
    more = np.flatnonzero(left.any(axis=1))
    highest = np.where(left[more], block[:, more], -np.inf).max(axis=2)
    rest = highest.astype(np.float64) - own[:, more]
    order = np.argsort(np.concatenate([image, more]), kind="stable")
    leads = np.concatenate([lead, rest], axis=1).T[order]
    return Rivals(
        table=table,
        rows=rows,
        own=own,
        right=right,
        lead=leads,
        image=np.concatenate([image, more])[order],
        first=np.concatenate([first, np.ones(len(more), dtype=bool)])[order],
        bound=np.concatenate([np.zeros(len(image), dtype=bool), np.ones(len(more), dtype=bool)])[order],
        low=leads.min(axis=1),
        high=leads.max(axis=1),
        lost=int(lost.sum()),
    )


def _nearest(rival: Flags, high: NDArray[np.float32], most: int) -> Flags:
    """The `most` rivals of each image that some member puts furthest ahead."""
    if rival.shape[1] <= most or int(rival.sum(axis=1).max()) <= most:
        return rival
    score = np.where(rival, high, -np.inf)
    chosen = np.argpartition(-score, most, axis=1)[:, :most]
    kept = np.zeros_like(rival)
    np.put_along_axis(kept, chosen, True, axis=1)
    return kept & rival


class Tally:
    """A soft vote that grows by one member at a time: the sums of the members that were added, exactly.

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
