"""A vote in words, as it is said on the way."""

from __future__ import annotations

import numpy as np

from dessin.committees.vote.join import Ballots
from dessin.committees.vote.measure import BY_AGREEMENT, BY_ORDER, agreement
from dessin.committees.vote.result import Voted
from dessin.progress import say, warn


def say_outcome(ballots: Ballots, voted: Voted) -> None:
    """Who agreed, how ties were decided, and where nobody answered."""
    count, total = voted.count, len(voted.image_ids)
    if len(ballots.voters) > 1:
        first, *others = (voter.votes for voter in ballots.voters)
        same = int(np.logical_and.reduce([votes == first for votes in others]).sum())
        say(f"all {len(ballots.voters)} agree on {same:,} of {total:,} images ({same / total:.1%})")
        for voter in ballots.voters:
            say(f"  {voter.name} agrees with the vote on {agreement(voter, count):.1%}")
    ties = int(count.tied.sum())
    if ties:
        how = "; ".join(f"{number:,} by {rule}" for rule, number in count.decided.items())
        say(f"{ties:,} ties, decided: {how}")
    if len(ballots.voters) == 2 and {BY_AGREEMENT, BY_ORDER} & count.decided.keys():
        warn("Two files of labels cannot outvote each other: where they differ, no vote decides.")
    silent = voted.predicted.count("")
    if silent:
        warn(f"Nobody named a class for {silent:,} images; their rows have no answer.")
