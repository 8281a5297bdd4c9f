"""Which rules are compared, and what they give on the members' answers: once, or with and without further
views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows
from dessin.committees.answers import answers_in_views, make_table, own_answers
from dessin.committees.ensemble.result import BASE_RULE
from dessin.committees.members import Members
from dessin.committees.rules.choice import RULES, Choice, Rule
from dessin.committees.rules.diversity import Diversity, pairwise
from dessin.committees.rules.nested import RuleResult, compare_rules, outer_parts
from dessin.committees.scaling import Scaler, scaled_rules
from dessin.errors import DessinError, unknown
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


def chosen_rule(select: str, vote: str) -> tuple[str, dict[str, Rule]]:
    """The name of the rule that is meant, and all rules to compare, it among them.

    With a hard vote the members and weights are those that the soft rule finds.

    Raises:
        DessinError: an unknown name, or a hard vote of a single member.
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
    hard = f"{name.removesuffix(' soft')}, hard vote"
    return hard, {**RULES, hard: voted_hard(RULES[name])}


def voted_hard(rule: Rule) -> Rule:
    """The rule's members and weights, with votes in place of probabilities."""

    def choose(table: MemberTable, rows: Rows, seed: int) -> Choice:
        return replace(rule(table, rows, seed), rule="hard")

    return choose


@dataclass(frozen=True)
class Settings:
    """What was asked for; `chosen` is the name of the rule whose members make the committee."""

    name: str
    chosen: str
    select: str
    vote: str
    scale: bool
    views: tuple[str, ...]
    data: str | None
    seed: int
    matters: float

    @property
    def looks_again(self) -> bool:
        return self.views != PLAIN


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


@dataclass(frozen=True, eq=False)
class Measured:
    """The comparison that counts; `plain` is that of the single view where there are more."""

    compared: Compared
    plain: Compared | None
    notes: tuple[str, ...]


def measure_rules(members: Members, settings: Settings, rules: Mapping[str, Rule], folder: Path) -> Measured:
    """Read or compute what all members answer, and compare the rules on it; tables lie in `folder`."""
    notes: list[str] = []
    if not settings.looks_again:
        own = make_table(members, folder / "own.npy", own_answers(members, notes), label="reading members")
        return Measured(_compared(own, settings, rules, folder / "of own"), None, tuple(notes))
    answer = answers_in_views(members, settings.views, settings.data)
    seen = make_table(members, folder / "views.npy", answer, label="looking again")
    compared = _compared(seen, settings, rules, folder / "of views")
    own = make_table(members, folder / "own.npy", own_answers(members, notes), label="reading members")
    needed = {name: rule for name, rule in rules.items() if name in (BASE_RULE, settings.chosen)}
    return Measured(compared, _compared(own, settings, needed, folder / "of own"), tuple(notes))


def _compared(table: MemberTable, settings: Settings, rules: Mapping[str, Rule], folder: Path) -> Compared:
    parts = outer_parts(table, settings.seed)
    temperatures = (1.0,) * table.members
    if settings.scale:
        folder.mkdir()
        scaler = Scaler(table, folder)
        rules, temperatures = scaled_rules(rules, scaler), scaler.fitted_on(table.every_row)[1]
        table = scaler.without_own_part(parts)
    correct, losses = _alone(table)
    return Compared(
        results=compare_rules(table, rules=rules, seed=settings.seed),
        correct=correct,
        losses=losses,
        diversity=pairwise(correct),
        temperatures=temperatures,
        parts=len(parts),
    )


def _alone(table: MemberTable) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """What each member names right, and its log loss, image by image (M, N)."""
    rows = np.arange(len(table.targets))
    correct = np.empty((table.members, len(rows)), dtype=np.bool_)
    losses = np.empty((table.members, len(rows)), dtype=np.float64)
    for member in range(table.members):
        answers = table.probabilities[member]
        correct[member] = answers.argmax(axis=1) == table.targets
        own = answers[rows, table.targets].astype(np.float64)
        losses[member] = -np.log(np.clip(own, SMALLEST_PROBABILITY, 1.0))
    return correct, losses
