"""From weights to a committee: the members that count, their bundles, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from dessin.answers.committee import Committee
from dessin.answers.tree import Ballot, ModelNode, Node, VoteNode
from dessin.committees.members import Members
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models.card import read_card
from dessin.training.views import PLAIN

_STRANGE = re.compile(r"[^\w.-]+")


def check_bundles(members: Members) -> None:
    """Refuse members that no committee could be made of, before anything is computed."""
    for run in (run for member in members.members for run in member.runs):
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
    places = plain_names([member.name for member in chosen], "member")
    ballots: list[Ballot] = []
    bundles: dict[str, Path] = {}
    for member in chosen:
        place, one = f"models/{places[member.name]}", len(member.runs) == 1
        own = {place if one else f"{place}/fold-{run.fold}": run.bundle for run in member.runs}
        bundles |= own
        temperature = temperatures.get(member.name, 1.0)
        models = tuple(Ballot(node=ModelNode(bundle=path), temperature=temperature) for path in own)
        whole = models[0] if one else Ballot(node=VoteNode(ballots=models))
        ballots.append(whole.model_copy(update={"weight": weights[member.name]}))
    names = {label: text for bundle in bundles.values() for label, text in read_card(bundle).names.items()}
    root = VoteNode(rule=vote, ballots=tuple(ballots))
    return assembled(name, members, names, root, bundles, provenance, views=views), bundles


def assembled(
    name: str,
    members: Members,
    names: Mapping[str, str],
    root: Node,
    bundles: Mapping[str, Path],
    provenance: Mapping[str, str],
    *,
    views: Sequence[str] = PLAIN,
) -> Committee:
    """The committee of a tree over bundles, which may be asked as their licences say."""
    licences = dict.fromkeys(read_card(bundle).licence for bundle in bundles.values())
    manifest = members.members[0].runs[0].record.digests.manifest
    return Committee(
        name=name,
        classes=members.classes,
        names=dict(names),
        root=root,
        views=tuple(views),
        digests={"split": members.split.digest, "manifest": manifest},
        provenance=dict(provenance),
        licence="; ".join(licences),
    )


def plain_names(names: Sequence[str], nameless: str, *, most: int = 200) -> dict[str, str]:
    """Each name as that of a folder, no two alike on any disk; `nameless` where nothing of it can be kept."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = _STRANGE.sub("-", name).strip("-.")[:most] or nameless
        folder, number = plain, 1
        while folder.casefold() in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder.casefold())
        folders[name] = folder
    return folders
