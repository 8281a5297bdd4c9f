"""Which rules are compared, and what they give on the members' answers, as the rows of `results.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows
from dessin.committees.answers import Scaler, answers_in_views, make_table, own_answers, scaled_rules
from dessin.committees.ensemble.result import BASE_RULE, MemberRow, PairRow, RuleRow, ViewsGain
from dessin.committees.members import Members
from dessin.committees.rules.choice import RULES, Choice, Diversity, Rule, pairwise
from dessin.committees.rules.nested import RuleResult, compare_rules, outer_parts
from dessin.errors import DessinError, unknown
from dessin.statistics.comparison import compare
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.studies.measure import SMALLEST_PROBABILITY
from dessin.training.views import PLAIN

SELECT: Mapping[str, str] = {
    "greedy": "greedy",
    "accuracy": "accuracy",
    "diversity": "diversity",
    "weighted": "weighted soft",
    "all": "all soft",
    "best": "best single",
}
VOTES = ("soft", "hard")
_LOSS = (0.0, -math.log(SMALLEST_PROBABILITY))


def chosen_rule(select: str, vote: str) -> tuple[str, dict[str, Rule]]:
    """The name of the rule that is meant, and all rules to compare, it among them.

    With a hard vote the members and weights are those that the soft rule finds.
    """
    if select not in SELECT:
        raise unknown("way of selecting", select, SELECT)
    if vote not in VOTES:
        raise unknown("rule of voting", vote, VOTES)
    name = SELECT[select]
    if vote == "soft":
        return name, dict(RULES)
    if select == "best":
        raise DessinError(
            "The best single member does not vote, so there is no hard vote of it.",
            do="Leave out --rule hard, or choose several members.",
        )
    if select == "all":
        return "all hard", dict(RULES)
    hard, soft = f"{name.removesuffix(' soft')}, hard vote", RULES[name]

    def voted_hard(table: MemberTable, rows: Rows, seed: int) -> Choice:
        return replace(soft(table, rows, seed), rule="hard")

    return hard, {**RULES, hard: voted_hard}


@dataclass(frozen=True)
class Settings:
    """What was asked for; `chosen` is the name of the rule whose members make the committee."""

    chosen: str
    scale: bool
    views: tuple[str, ...]
    data: str | Path | None
    seed: int
    matters: float


@dataclass(frozen=True, eq=False)
class Compared:
    """Rules compared on one table.

    Attributes:
        correct: (M, N) bool, what each member names right.
        losses: (M, N) float64, minus the log of the true class's probability.
        temperatures: of the members on all images; 1 where they were not scaled.
        parts: how many outer parts the nested figures come from.
    """

    results: tuple[RuleResult, ...]
    correct: NDArray[np.bool_]
    losses: NDArray[np.float64]
    diversity: Diversity
    temperatures: tuple[float, ...]
    parts: int

    def named(self, name: str) -> RuleResult:
        return next(result for result in self.results if result.name == name)


def measure_rules(
    members: Members, settings: Settings, rules: Mapping[str, Rule], folder: Path
) -> tuple[Compared, Compared | None, list[str]]:
    """Read or compute what all members answer, and compare the rules on it; tables lie in `folder`.

    The comparison that counts, that of the single view where there are more, and notes.
    """
    notes: list[str] = []
    compared = None
    if settings.views != PLAIN:
        answer = answers_in_views(members, settings.views, settings.data)
        seen = make_table(members, folder / "views.npy", answer, label="Looking again")
        compared = _compared(seen, settings, rules, folder / "of views")
        rules = {name: rule for name, rule in rules.items() if name in (BASE_RULE, settings.chosen)}
    own = make_table(members, folder / "own.npy", own_answers(members, notes), label="Reading members")
    plain = _compared(own, settings, rules, folder / "of own")
    return compared or plain, plain if compared else None, notes


def _compared(table: MemberTable, settings: Settings, rules: Mapping[str, Rule], folder: Path) -> Compared:
    parts = outer_parts(table, settings.seed)
    temperatures = (1.0,) * table.members
    if settings.scale:
        folder.mkdir()
        scaler = Scaler(table, folder)
        rules, temperatures = scaled_rules(rules, scaler), scaler.fitted_on(table.every_row)[1]
        table = scaler.without_own_part(parts)
    correct = np.empty((table.members, len(table.targets)), dtype=np.bool_)
    losses = np.empty(correct.shape)
    for member, answers in enumerate(table.probabilities):
        correct[member] = answers.argmax(axis=1) == table.targets
        own = answers[table.every_row, table.targets].astype(np.float64)
        losses[member] = -np.log(np.clip(own, SMALLEST_PROBABILITY, 1.0))
    return Compared(
        results=compare_rules(table, rules=rules, seed=settings.seed),
        correct=correct,
        losses=losses,
        diversity=pairwise(correct),
        temperatures=temperatures,
        parts=len(parts),
    )


def rule_rows(members: Members, compared: Compared, matters: float) -> tuple[RuleRow, ...]:
    """Every rule; Holm's correction is over all gains on the best single member."""
    names = [member.name for member in members.members]
    gains = [(row.name, BASE_RULE, row.gain) for row in compared.results if row.name != BASE_RULE]
    by_name = {gain.name: gain for gain in compare(gains, matters, luck=False)}
    return tuple(
        RuleRow(
            name=result.name,
            vote=result.choice.rule,
            members=tuple(_chosen_weights(names, result.choice)),
            note=result.choice.note,
            naive=result.naive,
            nested=result.nested,
            optimism=result.optimism,
            gain=by_name.get(result.name),
            part_weights=tuple(_chosen_weights(names, choice) for choice in result.fold_choices),
        )
        for result in compared.results
    )


def _chosen_weights(names: Sequence[str], choice: Choice) -> dict[str, float]:
    """The weights above 0 by member."""
    return {name: float(w) for name, w in zip(names, choice.weights, strict=True) if w > 0}


def member_rows(members: Members, compared: Compared) -> tuple[MemberRow, ...]:
    """Every member alone, and its weight in each rule's choice."""
    names = [member.name for member in members.members]
    weights = {result.name: _chosen_weights(names, result.choice) for result in compared.results}
    return tuple(
        MemberRow(
            name=member.name,
            kind=member.kind,
            runs=tuple(run.folder.as_posix() for run in member.runs),
            folds=member.folds,
            accuracy=bootstrap_mean(compared.correct[number], members.groups, bounds=(0.0, 1.0)),
            loss=bootstrap_mean(compared.losses[number], members.groups, bounds=_LOSS),
            temperature=compared.temperatures[number],
            weights={rule: of_rule.get(member.name, 0.0) for rule, of_rule in weights.items()},
        )
        for number, member in enumerate(members.members)
    )


def pair_rows(members: Members, compared: Compared) -> tuple[PairRow, ...]:
    """Every two members once, in their order."""
    found = compared.diversity
    return tuple(
        PairRow(
            first=members.members[i].name,
            second=members.members[j].name,
            disagreement=float(found.disagreement[i, j]),
            double_fault=float(found.double_fault[i, j]),
            q=float(found.q_statistic[i, j]),
        )
        for i, j in combinations(range(len(members.members)), 2)
    )


def views_gain(
    members: Members, compared: Compared, plain: Compared | None, settings: Settings
) -> ViewsGain | None:
    """The chosen rule in several views minus the same rule in the plain one, both nested."""
    if plain is None:
        return None
    both = [each.named(settings.chosen) for each in (compared, plain)]
    right = [result.nested_probabilities.argmax(axis=1) == members.targets for result in both]
    found = two_models(right[0], right[1], members.groups)
    (gain,) = compare([(", ".join(settings.views), "one view", found)], settings.matters, luck=False)
    return ViewsGain(views=settings.views, plain=both[1].nested, gain=gain)
