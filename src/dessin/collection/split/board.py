"""The state of a placement of groups into parts, and what a further placement would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Contents = Mapping[str, Mapping[str, int]]


class Board:
    """Groups of images placed into parts with target shares.

    `contents` gives each group's images by class. The first `training` parts serve training: a single one
    must keep two groups of every class, several must have every class in two of them, so that whichever
    part is left out for validation, another still trains the class. At least `least` groups stay in them.
    """

    def __init__(self, contents: Contents, shares: Sequence[float], *, training: int, least: int) -> None:
        self.contents = contents
        self.shares = shares
        self.part_of: dict[str, int] = {}
        self._training = training
        self._spare = len(contents) - least
        self._totals: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        for content in contents.values():
            for label, count in content.items():
                self._totals[label] = self._totals.get(label, 0) + count
                self._waiting[label] = self._waiting.get(label, 0) + 1
        self._images = {label: [0] * len(shares) for label in self._totals}
        self._groups = {label: [0] * len(shares) for label in self._totals}
        self._sizes = [0] * len(shares)
        self._all = sum(self._totals.values())

    def cost(self, group: str, part: int) -> float:
        """How much the squared deviations, each divided by its target, grow if the group joins the part.

        Once per class, and once for all images: that term decides among parts that serve the class equally.
        Without the division a large part would take all large groups, and the holdout would be unlike it.
        """
        share, size, grown = self.shares[part], 0, 0.0
        for label, count in self.contents[group].items():
            size += count
            total = self._totals[label]
            grown += count * (2 * (self._images[label][part] - share * total) + count) / total
        grown += size * (2 * (self._sizes[part] - share * self._all) + size) / self._all
        return grown / share

    def permits(self, group: str, part: int) -> bool:
        """Whether, with this unplaced group in the part, each of its classes can still be trained."""
        if part >= self._training and self._spare < 1:
            return False
        for label in self.contents[group]:
            groups = self._groups[label][: self._training]
            if part < self._training:
                groups[part] += 1
            reached = groups[0] if self._training == 1 else sum(map(bool, groups))
            if reached + self._waiting[label] - 1 < 2:
                return False
        return True

    def place(self, group: str, part: int) -> None:
        self.part_of[group] = part
        self._change(group, part, 1)

    def lift(self, group: str) -> int:
        """Take a group back out of its part, which is returned."""
        part = self.part_of.pop(group)
        self._change(group, part, -1)
        return part

    def _change(self, group: str, part: int, sign: int) -> None:
        self._spare -= sign * (part >= self._training)
        for label, count in self.contents[group].items():
            self._images[label][part] += sign * count
            self._groups[label][part] += sign
            self._waiting[label] -= sign
            self._sizes[part] += sign * count
