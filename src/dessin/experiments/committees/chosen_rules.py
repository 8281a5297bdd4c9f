"""Which rule `--select` and `--rule` mean, and the rules that are compared beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dessin.answers.table import MemberTable, Rows
from dessin.ensembles.rules import RULES, Choice, Rule
from dessin.errors import DessinError, unknown

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
