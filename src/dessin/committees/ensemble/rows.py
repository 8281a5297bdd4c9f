"""From what was measured to the rows of `results.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dessin.committees.ensemble.measure import Compared, Measured, Settings
from dessin.committees.ensemble.result import BASE_RULE, MemberRow, PairRow, RuleRow, ViewsGain
from dessin.committees.members import Members
from dessin.committees.rules.choice import Choice
from dessin.committees.rules.nested import RuleResult
from dessin.statistics.comparison import Comparison, comparison_of
from dessin.statistics.contrasts import Contrast, two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.paired_tests import holm
from dessin.statistics.verdicts import judge
from dessin.studies.measure import SMALLEST_PROBABILITY

_LOSS = (0.0, -math.log(SMALLEST_PROBABILITY))


def rule_rows(members: Members, compared: Compared, matters: float) -> tuple[RuleRow, ...]:
    """Every rule; Holm's correction is over all gains on the best single member."""
    gains = [result for result in compared.results if result.name != BASE_RULE]
    adjusted = dict(
        zip((result.name for result in gains), holm([result.gain.p for result in gains]), strict=True)
    )
    names = [member.name for member in members.members]
    rows = []
    for result in compared.results:
        gain = None
        if result.name in adjusted:
            gain = _judged(result.name, BASE_RULE, result.gain, adjusted[result.name], matters, len(gains))
        rows.append(_rule_row(names, result, gain))
    return tuple(rows)


def _rule_row(names: Sequence[str], result: RuleResult, gain: Comparison | None) -> RuleRow:
    weights = chosen_weights(names, result.choice)
    return RuleRow(
        name=result.name,
        vote=result.choice.rule,
        members=tuple(weights),
        note=result.choice.note,
        naive=result.naive,
        nested=result.nested,
        optimism=result.optimism,
        gain=gain,
        part_weights=tuple(chosen_weights(names, choice) for choice in result.fold_choices),
    )


def chosen_weights(names: Sequence[str], choice: Choice) -> dict[str, float]:
    """The weights above 0 by member."""
    return {name: float(w) for name, w in zip(names, choice.weights, strict=True) if w > 0}


def _judged(
    name: str, against: str, contrast: Contrast, p_holm: float, matters: float, comparisons: int
) -> Comparison:
    # Whose luck is not in the numbers is said once for all of them, in a caution.
    judged = judge(replace(contrast, scope="recipes"), p_holm, matters, comparisons=comparisons)
    return comparison_of(name, against, contrast, judged, p_holm=p_holm, comparisons=comparisons)


def member_rows(members: Members, compared: Compared, rules: Sequence[RuleRow]) -> tuple[MemberRow, ...]:
    """Every member alone, and its weight in each rule's choice."""
    groups = [row.group for row in members.rows]
    weights = {
        result.name: chosen_weights([member.name for member in members.members], result.choice)
        for result in compared.results
    }
    return tuple(
        MemberRow(
            name=member.name,
            kind=member.kind,
            runs=tuple(run.folder.as_posix() for run in member.runs),
            folds=member.folds,
            accuracy=bootstrap_mean(compared.correct[number], groups, bounds=(0.0, 1.0)),
            loss=bootstrap_mean(compared.losses[number], groups, bounds=_LOSS),
            temperature=compared.temperatures[number],
            weights={rule.name: weights[rule.name].get(member.name, 0.0) for rule in rules},
        )
        for number, member in enumerate(members.members)
    )


def pair_rows(members: Members, compared: Compared) -> tuple[PairRow, ...]:
    """Every two members once, in their order."""
    names, found = [member.name for member in members.members], compared.diversity
    return tuple(
        PairRow(
            first=names[i],
            second=names[j],
            disagreement=float(found.disagreement[i, j]),
            double_fault=float(found.double_fault[i, j]),
            q=float(found.q_statistic[i, j]),
        )
        for i in range(len(names))
        for j in range(i + 1, len(names))
    )


def views_gain(members: Members, measured: Measured, settings: Settings) -> ViewsGain | None:
    """The chosen rule in several views minus the same rule in the plain one, both nested."""
    if measured.plain is None:
        return None
    targets, groups = members.targets, [row.group for row in members.rows]
    seen, plain = (compared.named(settings.chosen) for compared in (measured.compared, measured.plain))
    right = [result.nested_probabilities.argmax(axis=1) == targets for result in (seen, plain)]
    contrast = two_models(right[0], right[1], groups)
    gain = _judged(", ".join(settings.views), "one view", contrast, contrast.p, settings.matters, 1)
    return ViewsGain(views=settings.views, plain=plain.nested, gain=gain)
