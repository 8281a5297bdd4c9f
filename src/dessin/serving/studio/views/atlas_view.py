"""What the page of mistakes shows of an atlas: its pairs, with drawings on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dessin.trust.mistakes.result import Atlas, Mistake, PairRow

OF_PAIR, TYPICAL = 6, 3


@dataclass(frozen=True)
class Pair:
    """A pair of classes: drawings of the one taken for the other, the surest first, and some of the other."""

    row: PairRow
    wrong: tuple[Mistake, ...]
    others: tuple[str, ...]


def pairs_of(atlas: Atlas, members: Mapping[str, Sequence[str]]) -> tuple[Pair, ...]:
    """The atlas's pairs, the most frequent first; `members` has the collection's drawings of each class.

    Drawings that were themselves mistaken are not shown as what their class looks like.
    """
    mistaken = {mistake.image_id for mistake in atlas.drawings}
    by_pair: dict[tuple[str, str], list[Mistake]] = {}
    for mistake in atlas.drawings:
        by_pair.setdefault((mistake.label, mistake.predicted), []).append(mistake)
    pairs = []
    for row in atlas.pairs:
        wrong = sorted(by_pair.get((row.label, row.predicted), ()), key=lambda one: -one.probability)
        others = [image_id for image_id in members.get(row.predicted, ()) if image_id not in mistaken]
        pairs.append(Pair(row, tuple(wrong[:OF_PAIR]), tuple(others[:TYPICAL])))
    return tuple(pairs)
