"""From weights to a committee: the members that count, their bundles, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from dessin.answers.committee import Committee
from dessin.answers.tree import Ballot, ModelNode, VoteNode
from dessin.committees.members import Member, MemberRun, Members
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models.card import read_card

_STRANGE = re.compile(r"[^\w.-]+")


def check_bundles(members: Members) -> None:
    """Refuse members that no committee could be made of, before anything is computed.

    Raises:
        DessinError: a bundle that is missing or damaged, or not the one its run's predictions came from.
    """
    for member in members.members:
        for run in member.runs:
            _check_bundle(run)


def _check_bundle(run: MemberRun) -> None:
    card = read_card(run.bundle)
    said, weights = card.digests.get("weights", ""), run.bundle / card.file
    if not weights.is_file() or sha256_file(weights) != said:
        raise DessinError(
            f"{weights} is missing or damaged: it is not what the bundle's card says.",
            do="Restore it, or leave the run out.",
        )
    if run.record.digests.model not in ("", said):
        raise DessinError(
            f"{run.bundle} is not the model that gave the predictions of {run.folder}.",
            do="Restore it, or leave the run out.",
        )


def make_committee(
    name: str,
    members: Members,
    *,
    vote: Literal["soft", "hard"],
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
        own = _bundles(member, places[member.name])
        bundles |= own
        ballots.append(_ballot(own, weights[member.name], temperatures.get(member.name, 1.0)))
    cards = [read_card(bundle) for bundle in bundles.values()]
    record = chosen[0].runs[0].record
    committee = Committee(
        name=name,
        classes=members.classes,
        names={label: text for card in cards for label, text in card.names.items()},
        root=VoteNode(rule=vote, ballots=tuple(ballots)),
        views=tuple(views),
        digests={"split": members.split.digest, "manifest": record.digests.manifest},
        provenance=dict(provenance),
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
    )
    return committee, bundles


def _bundles(member: Member, place: str) -> dict[str, Path]:
    """A member's bundles by their places in the committee."""
    if len(member.runs) == 1:
        return {place: member.runs[0].bundle}
    return {f"{place}/fold-{run.fold}": run.bundle for run in member.runs}


def _ballot(bundles: Mapping[str, Path], weight: float, temperature: float) -> Ballot:
    models = [ModelNode(bundle=path) for path in bundles]
    if len(models) == 1:
        return Ballot(node=models[0], weight=weight, temperature=temperature)
    of_folds = tuple(Ballot(node=model, temperature=temperature) for model in models)
    return Ballot(node=VoteNode(ballots=of_folds), weight=weight)


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
