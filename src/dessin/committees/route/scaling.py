"""Every part as sure as it is right, before they are joined.

P(family) and P(class | family) come from different trainings, and a product of probabilities compares them.
An expert that is right but unsure would lose to the generalist's guesses in other families: on 125 classes of
real drawings, three experts as they came cost 4.6 points, and 0.8 once each had its temperature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dessin.answers.tree import Ballot, Node, VoteNode
from dessin.committees.route.answers import Floats, RouteAnswers
from dessin.committees.route.plan import ROUTER
from dessin.decisions import Decision
from dessin.statistics.intervals import group_index
from dessin.statistics.temperature import fit_temperature, tempered

GENERALIST = "generalist"
Bools = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scaled:
    """Answers in which no image had a say in its own temperature, and the `temperatures` from all images.

    `temperatures` is by part: `generalist`, `router`, and `expert_key` of a family.
    """

    answers: RouteAnswers
    temperatures: Mapping[str, float]

    def decision(self) -> Decision[str]:
        """What the parts are scaled by, for the record."""
        values = ", ".join(f"{name} {value:.2f}" for name, value in self.temperatures.items())
        reason = (
            "each part is as sure as it is right on images that it was not trained on; in the figures an "
            "image is scaled by what other images say"
        )
        return Decision("temperatures", values, reason)


def scale_parts(answers: RouteAnswers) -> Scaled:
    """Scale every part by the temperature that suits images of other folds (or of the other half of groups).

    An expert's is fitted on the images of its own family alone.
    """
    own = answers.generalist
    part = own.folds if len(np.unique(own.folds)) > 1 else group_index(own.groups) % 2
    everything = np.ones(len(own.targets), dtype=np.bool_)
    temperatures: dict[str, float] = {}

    def scaled(name: str, table: Floats, targets: Numbers, rows: Bools) -> Floats:
        temperatures[name] = _temperature(table, targets, rows)
        out = np.empty(table.shape)
        for number in np.unique(part):
            here = part == number
            out[here] = tempered(table[here], _temperature(table, targets, rows & ~here))
        return out

    generalist = scaled(GENERALIST, own.probabilities, own.targets, everything)
    router = answers.router
    if router is not None:
        router = scaled(ROUTER, router, answers.truth, everything)
    experts = {}
    for family, table in answers.experts.items():
        column = {label: i for i, label in enumerate(answers.families.members(family))}
        targets = np.array([column.get(own.classes[target], 0) for target in own.targets], dtype=np.int64)
        inside = answers.truth == answers.families.names.index(family)
        experts[family] = scaled(expert_key(family), table, targets, inside)
    joined = replace(
        answers, generalist=replace(own, probabilities=generalist), router=router, experts=experts
    )
    return Scaled(joined, temperatures)


def expert_key(family: str) -> str:
    """What a family's expert is called among temperatures; no family's name can be taken for another part."""
    return f"expert for {family}"


def at_temperature(node: Node, temperature: float) -> Node:
    """A node whose probabilities are scaled."""
    return VoteNode(ballots=(Ballot(node=node, temperature=temperature),))


def _temperature(table: Floats, targets: Numbers, rows: Bools) -> float:
    """Fitted on the `rows` (N,); where there are none, nothing is changed."""
    return fit_temperature(table[rows], targets[rows]) if rows.any() else 1.0
