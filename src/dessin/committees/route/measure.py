"""The routed model against the generalist: variants, bounds, experts inside their families, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.families.measure import family_sums, right_in_family, right_with_experts
from dessin.committees.families.verb import OutOfFold
from dessin.committees.route.answers import Floats, RouteAnswers
from dessin.committees.route.result import BoundRow, ExpertRow, RouteResults, Variant
from dessin.committees.route.scaling import GENERALIST
from dessin.decisions import Decision
from dessin.page.numbers import counted, listed
from dessin.statistics.comparison import Comparison, comparison_of
from dessin.statistics.contrasts import Contrast, Outcomes, contrast
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.metrics import measure
from dessin.statistics.paired_tests import holm
from dessin.statistics.verdicts import judge

ROUTER_ALONE = "router alone"
BOTH = "router and experts"
OWN_FAMILIES = "own families and experts"
MATTERS = 0.02
# Two differences say next to nothing of how differences vary.
_FOLDS_TOLD_APART = 3
Bools = NDArray[np.bool_]


def committee_variant(answers: RouteAnswers) -> str:
    """The variant that the committee answers by: everything that was trained."""
    if answers.router is None:
        return OWN_FAMILIES
    return BOTH if answers.experts else ROUTER_ALONE


def measure_route(
    plain: OutOfFold, answers: RouteAnswers, *, split_folds: int, decisions: Sequence[Decision[str]]
) -> RouteResults:
    """Everything that the report says: the `plain` generalist against its and the parts' scaled answers."""
    own, chosen = plain, committee_variant(answers)
    tables = {GENERALIST: plain.probabilities, **_routed(answers)}
    correct = {name: table.argmax(axis=1) == own.targets for name, table in tables.items()}
    pairs = _Pairs(own.groups, own.folds, split_folds)
    comparisons = _judged(
        {name: pairs.of(right, correct[GENERALIST]) for name, right in correct.items() if name != GENERALIST}
    )
    router = None
    if answers.router is not None:
        sums = family_sums(own.probabilities, answers.family).argmax(axis=1) == answers.truth
        known = answers.router.argmax(axis=1) == answers.truth
        router = _judged({"router": pairs.of(known, sums)}, against="the generalist's sums")[0]
    main = next(row for row in comparisons if row.name == chosen)
    asked = 1 + (answers.router is not None) + len(answers.experts)
    return RouteResults(
        generalist=own.name,
        images=len(own.targets),
        groups=len(set(own.groups.tolist())),
        folds=tuple(sorted(set(own.folds.tolist()))),
        families={name: answers.families.members(name) for name in answers.families.names},
        committee=chosen,
        asked=asked,
        variants=tuple(_variant(name, table, answers) for name, table in tables.items()),
        comparisons=comparisons,
        router=router,
        experts=tuple(_expert(family, answers, split_folds) for family in answers.experts),
        bounds=_bounds(answers, correct, pairs),
        decisions=tuple(decisions),
        verdict=verdict(main, asked, len(set(own.folds.tolist()))),
        cautions=_cautions(answers, correct, chosen, main),
    )


def verdict(main: Comparison, asked: int, folds: int) -> str:
    """Whether the committee pays, in plain words; `asked` models answer for each of `folds`."""
    cost = f"an answer takes {asked * folds} models instead of {folds if folds > 1 else 'one'}"
    match main.verdict:
        case "better":
            return f"It pays: {main.name} is {main.verdict_text}. The price: {cost}."
        case "worse":
            return f"It does not pay: {main.name} is {main.verdict_text}, and {cost}."
        case "no difference":
            return f"It does not pay: {main.name} makes {main.verdict_text}, and {cost}."
        case _:
            text = main.verdict_text.removeprefix("cannot tell: ")
            return f"It cannot be seen to pay: {main.name} brings {text}. And {cost}."


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


class _Pairs:
    """Paired differences over the same images, groups and folds."""

    def __init__(self, groups: NDArray[Any], folds: NDArray[np.int64], split_folds: int) -> None:
        self.groups, self.folds, self.split_folds = groups, folds, split_folds

    def of(self, first: Bools, second: Bools) -> Contrast:
        """`first` minus `second`, (N,) each; with enough folds, each is a pair of trainings of its own."""
        numbers = np.unique(self.folds)
        folds = self.folds if len(numbers) >= _FOLDS_TOLD_APART else np.zeros_like(self.folds)
        outcomes = Outcomes(
            levels=("first", "second"),
            seeds=(0,),
            folds=tuple(np.unique(folds).tolist()),
            correct=np.stack([first, second]).astype(np.float64)[:, None],
            fold_of=folds,
            groups=self.groups,
            image_ids=(),
            split_folds=self.split_folds,
        )
        return contrast(outcomes, {"first": 1.0, "second": -1.0})


def _judged(contrasts: dict[str, Contrast], against: str = GENERALIST) -> tuple[Comparison, ...]:
    """Each contrast with its verdict, after Holm's correction over all of them."""
    adjusted = holm([found.p for found in contrasts.values()])
    rows = []
    for (name, found), p_holm in zip(contrasts.items(), adjusted, strict=True):
        # Whose luck is not in the numbers is said once for all of them, in a caution.
        words = judge(replace(found, scope="recipes"), p_holm, MATTERS, comparisons=len(contrasts))
        rows.append(comparison_of(name, against, found, words, p_holm=p_holm, comparisons=len(contrasts)))
    return tuple(rows)


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
    labels = answers.families.members(family)
    inside = right_in_family(own.probabilities[rows], own.targets[rows], answers.family)
    named = np.array([own.classes.index(label) for label in labels])
    right = named[answers.experts[family][rows].argmax(axis=1)] == own.targets[rows]
    found = _Pairs(own.groups[rows], own.folds[rows], split_folds).of(right, inside)
    return ExpertRow(
        family=family,
        classes=len(labels),
        generalist=bootstrap_mean(inside, own.groups[rows]),
        expert=bootstrap_mean(right, own.groups[rows]),
        gain=_judged({"expert": found})[0],
    )


def _bounds(answers: RouteAnswers, correct: dict[str, Bools], pairs: _Pairs) -> tuple[BoundRow, ...]:
    """Perfect parts in place of trained ones."""
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
    return tuple(
        BoundRow(
            name=name,
            accuracy=bootstrap_mean(table, own.groups),
            gain=pairs.of(table, correct[GENERALIST]).difference,
        )
        for name, table in right.items()
    )


def _cautions(
    answers: RouteAnswers, correct: dict[str, Bools], chosen: str, main: Comparison
) -> tuple[str, ...]:
    lines = []
    if main.scope == "these runs":
        lines.append(
            "This is about these trained models: with one training each, the luck of a training is not in "
            "the numbers. A fold group of three folds or more has them."
        )
    else:
        lines.append(f"Each difference is over {counted(main.cells, 'training', 'trainings')} a side.")
    reached = correct[chosen].mean()
    better = [name for name, right in correct.items() if name != GENERALIST and right.mean() > reached]
    if better:
        lines.append(
            f"Higher than {chosen} on these images scored: {listed(better)}. Who takes it for "
            "that has chosen on the images that it was measured on, and its figure is then too good."
        )
    if answers.experts:
        lines.append(
            "Which families got an expert, or what the families are, may have been read off these same "
            "images; that flatters the routed models a little."
        )
    return tuple(lines)
