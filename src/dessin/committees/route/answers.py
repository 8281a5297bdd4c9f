"""What generalist, router and experts say of the same images, each as sure as it is right; and joined.

P(family) and P(class | family) come from different trainings, and a product of probabilities compares them.
An expert that is right but unsure would lose to the generalist's guesses in other families: on 125 classes of
real drawings, three experts as they came cost 4.6 points, and 0.8 once each had its temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.committee import Committee
from dessin.answers.predictions import read_predictions
from dessin.answers.tree import Ballot, ModelNode, Node, RoutedNode, VoteNode, combine
from dessin.committees.answers import OutOfFold, ask_bundle
from dessin.committees.committee_of import assembled
from dessin.committees.families.result import FamilyMap
from dessin.committees.members import Members
from dessin.committees.route.parts import ROUTER, TrainedPart
from dessin.decisions import Decision
from dessin.runs.inputs import Inputs
from dessin.statistics.intervals import group_index
from dessin.statistics.temperature import fit_temperature, tempered

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Bools = NDArray[np.bool_]
GENERALIST = "generalist"


@dataclass(frozen=True, eq=False)
class RouteAnswers:
    """Out-of-fold answers of N images, in the order of the members' rows.

    Attributes:
        generalist: what it says, with targets, groups and folds.
        router: (N, F) over the families in the order of their names; None without one.
        experts: family → (N, classes of the family), also of images of other families.
    """

    generalist: OutOfFold
    families: FamilyMap
    router: Floats | None
    experts: Mapping[str, Floats]

    @property
    def family(self) -> NDArray[np.int64]:
        """The family number of each class, (C,)."""
        return self.families.numbers(self.generalist.classes)

    @property
    def truth(self) -> NDArray[np.int64]:
        """The true family of each image, (N,)."""
        return self.family[self.generalist.targets]

    def joined(self, *, router: Floats | None, experts: bool) -> Floats:
        """The routed probabilities (N, C); without a `router` (N, F), the generalist's own sums count."""
        answers: dict[str, NDArray[Any]] = {GENERALIST: self.generalist.probabilities}
        classes_of = {GENERALIST: self.generalist.classes}
        if router is not None:
            answers[ROUTER], classes_of[ROUTER] = router, self.families.names
        chosen = self.experts if experts else {}
        for name, table in chosen.items():
            key = expert_key(name)
            answers[key], classes_of[key] = table, self.families.members(name)
        node = RoutedNode(
            generalist=ModelNode(bundle=GENERALIST),
            router=None if router is None else ModelNode(bundle=ROUTER),
            families=dict(self.families.family_of),
            experts={name: ModelNode(bundle=expert_key(name)) for name in chosen},
        )
        return combine(node, answers, classes_of)[0]

    def perfect_router(self) -> Floats:
        """Probability 1 for the true family, (N, F)."""
        return np.eye(len(self.families.names))[self.truth]


def expert_key(family: str) -> str:
    """What a family's expert is called among parts; no family's name can be taken for another part."""
    return f"expert for {family}"


def collect_answers(
    members: Members,
    generalist: OutOfFold,
    families: FamilyMap,
    trained: Sequence[TrainedPart],
    inputs: Inputs,
) -> RouteAnswers:
    """The router's own validation answers, and each expert's to all images of the folds that it validates."""
    tables: dict[str, Floats] = {}
    for part in trained:
        rows = np.flatnonzero(members.fold_of == part.fold)
        ids = [members.rows[i].image_id for i in rows]
        classes = part.part.split.classes
        table = tables.setdefault(part.part.family, np.zeros((len(members.rows), len(classes))))
        if part.part.family:
            # In a committee it is asked about images of every family.
            table[rows] = ask_bundle(part.bundle, inputs, ids, label=f"asking {part.folder.name}")[0]
        else:
            table[rows] = read_predictions(part.folder / "validation").table(ids, classes)
    return RouteAnswers(generalist, families, tables.pop("", None), tables)


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


def _temperature(table: Floats, targets: Numbers, rows: Bools) -> float:
    """Fitted on the `rows` (N,); where there are none, nothing is changed."""
    return fit_temperature(table[rows], targets[rows]) if rows.any() else 1.0


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
            name: _at_temperature(ModelNode(bundle=leaf), temperatures[keys.get(name, name)])
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
    root = nodes[0] if len(nodes) == 1 else VoteNode(ballots=tuple(Ballot(node=node) for node in nodes))
    provenance = {
        "made_by": "route",
        "generalist": answers.name,
        "families": families.digest,
        "data": data,
    }
    name = f"{answers.name}, routed"
    return assembled(name, members, answers.names, root, bundles, provenance), bundles


def _at_temperature(node: Node, temperature: float) -> Node:
    """A node whose probabilities are scaled."""
    return VoteNode(ballots=(Ballot(node=node, temperature=temperature),))
