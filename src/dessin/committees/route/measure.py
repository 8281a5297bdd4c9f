"""What generalist, router and experts say of the same images: as sure as they are right, joined, measured.

P(family) and P(class | family) come from different trainings, and a product of probabilities compares them.
An expert that is right but unsure would lose to the generalist's guesses in other families: on 125 classes of
real drawings, three experts as they came cost 4.6 points, and 0.8 once each had its temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.committee import Committee
from dessin.answers.predictions import read_predictions
from dessin.answers.tree import Ballot, ModelNode, Node, RoutedNode, VoteNode, combine
from dessin.committees.answers import OutOfFold, ask_bundle
from dessin.committees.families.measure import family_sums, right_in_family, right_with_experts
from dessin.committees.families.result import FamilyMap
from dessin.committees.gains import over_folds
from dessin.committees.members import Members, assembled
from dessin.committees.route.parts import ROUTER, TrainedPart
from dessin.committees.route.result import (
    BOTH,
    OWN_FAMILIES,
    ROUTER_ALONE,
    BoundRow,
    ExpertRow,
    RouteResults,
    Variant,
)
from dessin.decisions import Decision
from dessin.runs.inputs import Inputs
from dessin.statistics.comparison import compare
from dessin.statistics.intervals import bootstrap_mean, group_index
from dessin.statistics.metrics import measure
from dessin.statistics.temperature import fit_temperature, tempered

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Bools = NDArray[np.bool_]
GENERALIST = "generalist"
MATTERS = 0.02


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

    def found_by_sums(self, table: Floats) -> Bools:
        """Where sums over families of probabilities (N, C) find the true one, (N,)."""
        return np.asarray(family_sums(table, self.family).argmax(axis=1) == self.truth)

    @property
    def found_by_router(self) -> Bools | None:
        """Where the router finds the true family, (N,); None without one."""
        return None if self.router is None else np.asarray(self.router.argmax(axis=1) == self.truth)

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
            table[rows] = ask_bundle(part.bundle, inputs, ids, label=f"Asking {part.folder.name}")[0]
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

    An expert's is fitted on the images of its own family alone; where there are none, nothing is changed.
    """
    own = answers.generalist
    part = own.folds if len(np.unique(own.folds)) > 1 else group_index(own.groups) % 2
    everything = np.ones(len(own.targets), dtype=np.bool_)
    temperatures: dict[str, float] = {}

    def scaled(name: str, table: Floats, targets: Numbers, rows: Bools) -> Floats:
        def fitted(rows: Bools) -> float:
            return fit_temperature(table[rows], targets[rows]) if rows.any() else 1.0

        temperatures[name] = fitted(rows)
        out = np.empty(table.shape)
        for number in np.unique(part):
            here = part == number
            out[here] = tempered(table[here], fitted(rows & ~here))
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
    own = replace(own, probabilities=generalist)
    return Scaled(replace(answers, generalist=own, router=router, experts=experts), temperatures)


def measure_route(
    plain: OutOfFold, answers: RouteAnswers, *, split_folds: int, decisions: Sequence[Decision[str]]
) -> RouteResults:
    """The `plain` generalist against its and the parts' scaled answers, but for the words."""
    tables = {GENERALIST: plain.probabilities}
    if answers.router is not None:
        tables[ROUTER_ALONE] = answers.joined(router=answers.router, experts=False)
        if answers.experts:
            tables[BOTH] = answers.joined(router=answers.router, experts=True)
    if answers.experts:
        tables[OWN_FAMILIES] = answers.joined(router=None, experts=True)
    correct = {name: table.argmax(axis=1) == plain.targets for name, table in tables.items()}
    difference = partial(over_folds, folds=plain.folds, groups=plain.groups, split_folds=split_folds)
    own = correct[GENERALIST]
    variants = []
    for name, table in tables.items():
        found = measure(table, plain.targets, plain.groups, plain.classes)
        family = bootstrap_mean(answers.found_by_sums(table), plain.groups)
        variants.append(Variant(name=name, accuracy=found.accuracy, family=family, loss=found.loss))
    routed = [name for name in tables if name != GENERALIST]
    gains = [(name, GENERALIST, difference(correct[name], own)) for name in routed]
    router = None
    known = answers.found_by_router
    if known is not None:
        better = difference(known, answers.found_by_sums(plain.probabilities))
        (router,) = compare([("router", "the generalist's sums", better)], MATTERS, luck=False)
    return RouteResults(
        generalist=plain.name,
        images=len(plain.targets),
        groups=len(set(plain.groups.tolist())),
        folds=tuple(sorted(set(plain.folds.tolist()))),
        families={name: answers.families.members(name) for name in answers.families.names},
        # The committee answers by everything that was trained.
        committee=BOTH if BOTH in tables else routed[-1],
        asked=1 + (answers.router is not None) + len(answers.experts),
        variants=tuple(variants),
        comparisons=compare(gains, MATTERS, luck=False),
        router=router,
        experts=tuple(_expert(family, answers, split_folds) for family in answers.experts),
        bounds=tuple(
            BoundRow(
                name=name,
                accuracy=bootstrap_mean(right, plain.groups),
                gain=difference(right, own).difference,
            )
            for name, right in _perfect(answers, correct).items()
        ),
        decisions=tuple(decisions),
    )


def _expert(family: str, answers: RouteAnswers, split_folds: int) -> ExpertRow:
    """Generalist and expert on the images of the family, both choosing among its classes alone."""
    own = answers.generalist
    rows = np.flatnonzero(answers.truth == answers.families.names.index(family))
    groups, labels = own.groups[rows], answers.families.members(family)
    inside = right_in_family(own.probabilities[rows], own.targets[rows], answers.family)
    named = np.array([own.classes.index(label) for label in labels])
    right = named[answers.experts[family][rows].argmax(axis=1)] == own.targets[rows]
    found = over_folds(right, inside, own.folds[rows], groups, split_folds)
    (gain,) = compare([("expert", GENERALIST, found)], MATTERS, luck=False)
    return ExpertRow(
        family=family,
        classes=len(labels),
        generalist=bootstrap_mean(inside, groups),
        expert=bootstrap_mean(right, groups),
        gain=gain,
    )


def _perfect(answers: RouteAnswers, correct: dict[str, Bools]) -> dict[str, Bools]:
    """What is right, (N,), with perfect parts in place of trained ones."""
    own = answers.generalist
    right: dict[str, Bools] = {
        "perfect router alone": right_in_family(own.probabilities, own.targets, answers.family)
    }
    if answers.experts:
        certain = answers.joined(router=answers.perfect_router(), experts=True)
        right["perfect router and these experts"] = certain.argmax(axis=1) == own.targets
        expert = np.isin(answers.truth, [answers.families.names.index(name) for name in answers.experts])
        sums, known = answers.found_by_sums(own.probabilities), answers.found_by_router
        right["own families and perfect experts"] = right_with_experts(correct[GENERALIST], sums, expert)
        if known is not None:
            alone = correct[ROUTER_ALONE]
            right["this router and perfect experts"] = right_with_experts(alone, known, expert)
    return right


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

    def scaled(name: str, fold: int, folder: Path, part: str) -> Node:
        leaf = f"models/{name}/fold-{fold}"
        bundles[leaf] = folder
        return VoteNode(ballots=(Ballot(node=ModelNode(bundle=leaf), temperature=temperatures[part]),))

    for run in members.members[0].runs:
        generalist = scaled(GENERALIST, run.left_out, run.bundle, GENERALIST)
        router: Node | None = None
        experts: dict[str, Node] = {}
        for own in trained:
            if own.fold != run.left_out:
                continue
            if own.part.family:
                key = expert_key(own.part.family)
                experts[own.part.family] = scaled(own.part.name, run.left_out, own.bundle, key)
            else:
                router = scaled(ROUTER, run.left_out, own.bundle, ROUTER)
        families_of = dict(families.family_of)
        nodes.append(RoutedNode(generalist=generalist, router=router, families=families_of, experts=experts))
    root = nodes[0] if len(nodes) == 1 else VoteNode(ballots=tuple(Ballot(node=node) for node in nodes))
    provenance = {
        "made_by": "route",
        "generalist": answers.name,
        "families": families.digest,
        "data": data,
    }
    name = f"{answers.name}, routed"
    return assembled(name, members, answers.names, root, bundles, provenance), bundles
