"""Whose maps make up a committee's: each model below a tree with its share of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.answers.tree import ModelNode, Node, RoutedNode, VoteNode


@dataclass(frozen=True)
class Share:
    """A model's part in naming a class: what it calls the class itself, and its weight (0..1)."""

    label: str
    weight: float


def shares(node: Node, label: str) -> dict[str, Share]:
    """The models that name the class `label`, by bundle; their weights sum to 1.

    In a vote these are the ballots' weights. A routed answer is a family's probability times that of a class
    within it, so whoever names the family has one half, and whoever names the class the other.
    """
    found: dict[str, Share] = {}
    for bundle, own, weight in _parts(node, label, 1.0):
        before = found[bundle].weight if bundle in found else 0.0
        found[bundle] = Share(own, before + weight)
    return found


def _parts(node: Node, label: str, weight: float) -> list[tuple[str, str, float]]:
    match node:
        case ModelNode():
            return [(node.bundle, label, weight)]
        case VoteNode():
            total = sum(ballot.weight for ballot in node.ballots)
            below = [(ballot.node, label, ballot.weight / total) for ballot in node.ballots if ballot.weight]
        case RoutedNode():
            family = node.families[label]
            router = (node.router, family) if node.router else (node.generalist, label)
            below = [(*router, 0.5), (node.experts.get(family, node.generalist), label, 0.5)]
    return [part for child, own, share in below for part in _parts(child, own, weight * share)]
