"""A committee as a tree: models at the leaves, votes and routers above, answers joined by class name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dessin.errors import DessinError
from dessin.schema import Section
from dessin.statistics.temperature import tempered

Floats = NDArray[np.float64]
Answer = tuple[Floats, tuple[str, ...]]

# Two shares of votes nearer than this are tied; what the mean probability can add to a share is less.
TIE = 1e-4
# One member's probability of 0 must not outweigh all others in a geometric mean; the same for any batch.
SMALLEST = 1e-7


class ModelNode(Section):
    """A bundle, by its POSIX path relative to the committee's folder."""

    kind: Literal["model"] = "model"
    bundle: str = Field(min_length=1)


class Ballot(Section):
    """A member of a vote; its probabilities p count as p^(1/temperature), renormalised."""

    node: Node
    weight: float = Field(1.0, ge=0.0, allow_inf_nan=False)
    temperature: float = Field(1.0, gt=0.0, allow_inf_nan=False)


class VoteNode(Section):
    """`soft`: the weighted mean of probabilities. `geometric`: their weighted geometric mean, renormalised
    (a logarithmic opinion pool). `hard`: shares of votes, ties by the mean."""

    kind: Literal["vote"] = "vote"
    rule: Literal["soft", "geometric", "hard"] = "soft"
    ballots: tuple[Ballot, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _somebody_counts(self) -> Self:
        if not any(ballot.weight for ballot in self.ballots):
            raise ValueError("a vote needs a member with a weight above 0")
        return self


class RoutedNode(Section):
    """P(class) = P(family) * P(class | family).

    P(family) is the router's; without one, the generalist's own sum over the family. P(class | family) is the
    expert's, whose classes are the family's; without one, the generalist's, renormalised in the family.
    """

    kind: Literal["routed"] = "routed"
    generalist: Node
    router: Node | None = None
    families: dict[str, str]
    experts: dict[str, Node] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _experts_have_families(self) -> Self:
        strange = sorted(set(self.experts) - set(self.families.values()))
        if strange:
            raise ValueError(f"there is an expert for {strange[0]}, and no class is in that family")
        return self


Node = Annotated[ModelNode | VoteNode | RoutedNode, Field(discriminator="kind")]
Ballot.model_rebuild()
RoutedNode.model_rebuild()


def leaves(node: Node) -> tuple[str, ...]:
    """The bundles below a node, once each, in the order of the tree."""
    match node:
        case ModelNode():
            return (node.bundle,)
        case VoteNode():
            below = [ballot.node for ballot in node.ballots]
        case RoutedNode():
            below = [node.generalist, *([node.router] if node.router else []), *node.experts.values()]
    return tuple(dict.fromkeys(leaf for child in below for leaf in leaves(child)))


def restricted(node: Node, keep: Callable[[str], bool]) -> Node | None:
    """The tree without the leaves that are not kept; None where nothing that can answer is left of it.

    A vote goes on without a member that is gone. A router or an expert cannot be spared.
    """
    match node:
        case ModelNode():
            return node if keep(node.bundle) else None
        case VoteNode():
            kept = [(ballot, restricted(ballot.node, keep)) for ballot in node.ballots]
            ballots = tuple(
                ballot.model_copy(update={"node": child}) for ballot, child in kept if child is not None
            )
            counts = any(ballot.weight for ballot in ballots)
            return node.model_copy(update={"ballots": ballots}) if counts else None
        case RoutedNode():
            needed = {"generalist": node.generalist} | ({"router": node.router} if node.router else {})
            parts = {name: restricted(child, keep) for name, child in needed.items()}
            experts = {family: restricted(child, keep) for family, child in node.experts.items()}
            if None in parts.values() or None in experts.values():
                return None
            return node.model_copy(update={**parts, "experts": experts})


def combine(
    node: Node, answers: Mapping[str, NDArray[Any]], classes_of: Mapping[str, tuple[str, ...]]
) -> Answer:
    """The tree's probabilities (N, C) float64 with the classes of their columns.

    `answers` holds for every leaf its probabilities (N, C of that leaf), `classes_of` their columns.

    Raises:
        DessinError: members of a vote that do not have the same classes, or families that do not fit theirs.
    """
    match node:
        case ModelNode():
            return np.asarray(answers[node.bundle], dtype=np.float64), classes_of[node.bundle]
        case VoteNode():
            return _vote(node, [combine(ballot.node, answers, classes_of) for ballot in node.ballots])
        case RoutedNode():
            generalist = combine(node.generalist, answers, classes_of)
            router = combine(node.router, answers, classes_of) if node.router else None
            experts = {name: combine(child, answers, classes_of) for name, child in node.experts.items()}
            return _route(node, generalist, router, experts)


def vote(parts: list[Floats], weights: list[float], rule: str) -> Floats:
    """Join probabilities (N, C) with equal columns; a hard vote's rows are shares, moved by `TIE` at most."""
    shares = np.asarray(weights, dtype=np.float64) / sum(weights)
    if rule == "geometric":
        logs = np.tensordot(shares, [np.log(np.maximum(part, SMALLEST)) for part in parts], axes=1)
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    mean = sum((share * part for share, part in zip(shares, parts, strict=True) if share), np.zeros(1))
    if rule == "soft":
        return np.asarray(mean)
    votes = np.zeros_like(mean)
    rows = np.arange(len(mean))
    for share, part in zip(shares, parts, strict=True):
        votes[rows, part.argmax(axis=1)] += share
    return np.asarray((votes + TIE * mean) / (1.0 + TIE))


def by_name(answer: Answer, classes: tuple[str, ...], *, what: str) -> Floats:
    """The columns of an answer in the order of `classes`, which it must have, and no others."""
    table, own = answer
    if own == classes:
        return table
    if len(own) != len(classes) or set(own) != set(classes):
        strange = sorted(set(own) ^ set(classes))
        raise DessinError(
            f"{what} has {len(own)} classes and {len(classes)} are needed; they differ in {strange[0]}.",
            do="Join models of the same classes.",
        )
    column = {label: number for number, label in enumerate(own)}
    return table[:, [column[label] for label in classes]]


def _vote(node: VoteNode, answers: list[Answer]) -> Answer:
    classes = answers[0][1]
    parts = [
        tempered(by_name(answer, classes, what="A member of a vote"), ballot.temperature)
        for answer, ballot in zip(answers, node.ballots, strict=True)
    ]
    return vote(parts, [ballot.weight for ballot in node.ballots], node.rule), classes


def _route(node: RoutedNode, generalist: Answer, router: Answer | None, experts: dict[str, Answer]) -> Answer:
    table, classes = generalist
    if set(node.families) != set(classes):
        strange = sorted(set(node.families) ^ set(classes))
        raise DessinError(f"The families and the generalist do not have the same classes: {strange[0]}.")
    names = tuple(sorted(set(node.families.values())))
    members: dict[str, list[int]] = {name: [] for name in names}
    for column, label in enumerate(classes):
        members[node.families[label]].append(column)
    own = np.stack([table[:, members[name]].sum(axis=1) for name in names], axis=1)
    family = own if router is None else by_name(router, names, what="The router")
    joined = np.empty_like(table)
    for number, name in enumerate(names):
        columns = members[name]
        inside = tuple(classes[column] for column in columns)
        if name in experts:
            within = by_name(experts[name], inside, what=f"The expert for {name}")
        else:
            within = _renormalised(table[:, columns])
        joined[:, columns] = family[:, number, None] * within
    return joined, classes


def _renormalised(part: Floats) -> Floats:
    """Rows to a sum of 1; where there is nothing at all, every class is as good."""
    total = part.sum(axis=1, keepdims=True)
    even = np.full_like(part, 1.0 / part.shape[1])
    return np.asarray(np.divide(part, total, out=even, where=total > 0))
