"""From weights to a committee: the members that count, their bundles, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dessin.ensembles.committee import Committee
from dessin.ensembles.tree import Ballot, ModelNode, Node, VoteNode
from dessin.errors import DessinError
from dessin.experiments.committees.members import Member, MemberRun, Members
from dessin.experiments.record import RunRecord
from dessin.models.card import BundleCard, read_card

_STRANGE = re.compile(r"[^\w.-]+")


def check_bundles(members: Members) -> dict[Path, BundleCard]:
    """The card of every member's bundle.

    Raises:
        DessinError: a bundle that is missing, or that is not the one its run's predictions came from.
    """
    runs = [run for member in members.members for run in member.runs]
    return {run.bundle: _card(run) for run in runs}


def _card(run: MemberRun) -> BundleCard:
    card = read_card(run.bundle)
    if run.record.digests.model and card.digests["weights"] != run.record.digests.model:
        raise DessinError(
            f"{run.bundle} is not the model that gave the predictions of {run.folder}.",
            do="Restore it, or leave the run out.",
        )
    return card


def make_committee(
    name: str,
    members: Members,
    *,
    vote: str,
    weights: Mapping[str, float],
    temperatures: Mapping[str, float],
    views: Sequence[str],
    provenance: Mapping[str, str],
) -> tuple[Committee, dict[str, Path]]:
    """The committee of the members with a weight above 0, and its bundles: path in it → folder.

    A member of several folds is itself a vote of its folds' models. What a temperature was fitted to are
    single models' answers, so there it stands at each of the models, before they are joined.
    """
    chosen = [member for member in members.members if weights.get(member.name, 0.0) > 0]
    places = dict(zip((member.name for member in chosen), _folders(chosen), strict=True))
    ballots: list[Ballot] = []
    bundles: dict[str, Path] = {}
    for member in chosen:
        node, own = _node(member, places[member.name], temperatures.get(member.name, 1.0))
        bundles |= own
        alone = isinstance(node, ModelNode)
        temperature = temperatures.get(member.name, 1.0) if alone else 1.0
        ballots.append(Ballot(node=node, weight=weights[member.name], temperature=temperature))
    cards = [read_card(bundle) for bundle in bundles.values()]
    record: RunRecord = chosen[0].runs[0].record
    committee = Committee(
        name=name,
        classes=members.classes,
        names={label: text for card in cards for label, text in card.names.items()},
        root=VoteNode.model_validate({"rule": vote, "ballots": [ballot.model_dump() for ballot in ballots]}),
        views=tuple(views),
        digests={"split": members.split.digest, "manifest": record.digests.manifest},
        provenance=dict(provenance),
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
    )
    return committee, bundles


def _node(member: Member, place: str, temperature: float) -> tuple[Node, dict[str, Path]]:
    if len(member.runs) == 1:
        return ModelNode(bundle=place), {place: member.runs[0].bundle}
    bundles = {f"{place}/fold-{run.fold}": run.bundle for run in member.runs}
    ballots = tuple(
        Ballot(node=ModelNode(bundle=path), weight=1.0, temperature=temperature) for path in bundles
    )
    return VoteNode(rule="soft", ballots=ballots), bundles


def _folders(members: Sequence[Member]) -> list[str]:
    """A folder for each member below the committee's, with a plain name of its own."""
    taken: set[str] = set()
    folders = []
    for member in members:
        plain = _STRANGE.sub("-", member.name).strip("-.") or "member"
        folder, number = plain, 1
        while folder.casefold() in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder.casefold())
        folders.append(f"models/{folder}")
    return folders
