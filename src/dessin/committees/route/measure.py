"""The routed model against the generalist: variants, bounds, and experts inside their families."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from dessin.committees.answers import OutOfFold
from dessin.committees.families.measure import family_sums, right_in_family, right_with_experts
from dessin.committees.gains import over_folds
from dessin.committees.route.answers import GENERALIST, Bools, Floats, RouteAnswers
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
from dessin.statistics.comparison import compare
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.metrics import measure

MATTERS = 0.02


def committee_variant(answers: RouteAnswers) -> str:
    """The variant that the committee answers by: everything that was trained."""
    if answers.router is None:
        return OWN_FAMILIES
    return BOTH if answers.experts else ROUTER_ALONE


def measure_route(
    plain: OutOfFold, answers: RouteAnswers, *, split_folds: int, decisions: Sequence[Decision[str]]
) -> RouteResults:
    """The `plain` generalist against its and the parts' scaled answers, but for the words."""
    tables = {GENERALIST: plain.probabilities, **_routed(answers)}
    correct = {name: table.argmax(axis=1) == plain.targets for name, table in tables.items()}
    difference = partial(over_folds, folds=plain.folds, groups=plain.groups, split_folds=split_folds)
    own = correct[GENERALIST]
    routed = [name for name in tables if name != GENERALIST]
    gains = [(name, GENERALIST, difference(correct[name], own)) for name in routed]
    router = None
    if answers.router is not None:
        sums = family_sums(plain.probabilities, answers.family).argmax(axis=1) == answers.truth
        known = answers.router.argmax(axis=1) == answers.truth
        found = [("router", "the generalist's sums", difference(known, sums))]
        (router,) = compare(found, MATTERS, luck=False)
    return RouteResults(
        generalist=plain.name,
        images=len(plain.targets),
        groups=len(set(plain.groups.tolist())),
        folds=tuple(sorted(set(plain.folds.tolist()))),
        families={name: answers.families.members(name) for name in answers.families.names},
        committee=committee_variant(answers),
        asked=1 + (answers.router is not None) + len(answers.experts),
        variants=tuple(_variant(name, table, answers) for name, table in tables.items()),
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


def _routed(answers: RouteAnswers) -> dict[str, Floats]:
    """The probabilities of every routed variant that the trained parts allow."""
    tables = {}
    if answers.router is not None:
        tables[ROUTER_ALONE] = answers.joined(router=answers.router, experts=False)
        if answers.experts:
            tables[BOTH] = answers.joined(router=answers.router, experts=True)
    if answers.experts:
        tables[OWN_FAMILIES] = answers.joined(router=None, experts=True)
    return tables


def _variant(name: str, table: Floats, answers: RouteAnswers) -> Variant:
    own = answers.generalist
    metrics = measure(table, own.targets, own.groups, own.classes)
    found = family_sums(table, answers.family).argmax(axis=1) == answers.truth
    return Variant(
        name=name,
        accuracy=metrics.accuracy,
        family=bootstrap_mean(found, own.groups),
        loss=metrics.loss,
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
        sums = family_sums(own.probabilities, answers.family).argmax(axis=1) == answers.truth
        right["own families and perfect experts"] = right_with_experts(correct[GENERALIST], sums, expert)
        if answers.router is not None:
            known = answers.router.argmax(axis=1) == answers.truth
            right["this router and perfect experts"] = right_with_experts(
                correct[ROUTER_ALONE], known, expert
            )
    return right
