"""The committee of a generalist, its router and its experts: one tree a fold, which vote together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dessin.answers.committee import Committee
from dessin.answers.tree import Ballot, ModelNode, Node, RoutedNode, VoteNode
from dessin.committees.families.family_map import FamilyMap
from dessin.committees.families.verb import OutOfFold
from dessin.committees.members import Members
from dessin.committees.route.parts import TrainedPart
from dessin.committees.route.plan import ROUTER
from dessin.committees.route.scaling import GENERALIST, at_temperature, expert_key
from dessin.models.card import read_card

MADE_BY = "route"


def make_routed(
    members: Members,
    answers: OutOfFold,
    families: FamilyMap,
    trained: Sequence[TrainedPart],
    temperatures: Mapping[str, float],
    data: str,
) -> tuple[Committee, dict[str, Path]]:
    """The committee and its bundles: path in it → bundle folder.

    `temperatures` are those of `scale_parts`, `data` where the drawings lie.
    """
    nodes: list[Node] = []
    bundles: dict[str, Path] = {}
    for run in members.members[0].runs:
        own = {part.part.name: part for part in trained if part.fold == run.fold}
        folders = {GENERALIST: run.bundle} | {name: part.bundle for name, part in own.items()}
        leaves = {name: f"models/{name}/fold-{run.fold}" for name in folders}
        bundles |= {leaves[name]: folder for name, folder in folders.items()}
        keys = {name: expert_key(part.part.family) for name, part in own.items() if part.part.family}
        scaled = {
            name: at_temperature(ModelNode(bundle=leaf), temperatures[keys.get(name, name)])
            for name, leaf in leaves.items()
        }
        nodes.append(
            RoutedNode(
                generalist=scaled[GENERALIST],
                router=scaled.get(ROUTER),
                families=dict(families.family_of),
                experts={part.part.family: scaled[name] for name, part in own.items() if part.part.family},
            )
        )
    cards = [read_card(bundle) for bundle in bundles.values()]
    committee = Committee(
        name=f"{answers.name}, routed",
        classes=members.classes,
        names=answers.names,
        root=nodes[0] if len(nodes) == 1 else VoteNode(ballots=tuple(Ballot(node=node) for node in nodes)),
        digests={
            "split": members.split.digest,
            "manifest": members.members[0].runs[0].record.digests.manifest,
        },
        provenance={
            "made_by": MADE_BY,
            "generalist": answers.name,
            "families": families.digest,
            "data": data,
        },
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
    )
    return committee, bundles
