"""The page of an ensemble: what was chosen, what it gives on unseen drawings, and how members differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dessin.committees.ensemble.pictures import heat_maps, scatter
from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow, RuleRow
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, listed, plain, points, share, written_p
from dessin.page.render import render_page

HARD = ", hard vote"
_MEANING = {
    BASE_RULE: "the most accurate member, alone",
    "all soft": "the mean of all members’ probabilities; nothing is chosen",
    "all hard": "each member has one vote; nothing is chosen",
    "accuracy": "the most accurate members, as many as do best together",
    "diversity": "from the best member on, always the one that errs least together with those before",
    "weighted soft": "a mean with weights that are fitted",
    "greedy": "members added one at a time, each time the one that helps most",
}


@dataclass(frozen=True)
class Seat:
    """A member of the committee: its place in the table of members, and its share of the vote (0..1)."""

    number: int
    member: MemberRow
    weight: float
    parts: int


def ensemble_page(results: EnsembleResults) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    seats = committee_seats(results)
    return render_page(
        "dessin.committees.ensemble",
        "ensemble.html",
        title=f"{results.name}: an ensemble",
        results=results,
        chosen=results.chosen_rule,
        base=results.rule_named(BASE_RULE),
        base_rule=BASE_RULE,
        seats=seats,
        models=sum(len(seat.member.runs) for seat in seats),
        meanings={rule.name: rule_meaning(rule.name) for rule in results.rules},
        plot=rules_plot(results),
        times_chosen={rule.name: times_chosen(rule) for rule in results.rules},
        part_names=part_names(results),
        maps=heat_maps(results),
        scatter=scatter(results),
        made_of=made_of,
        tones={"better": " good", "worse": " warn"},
        counted=counted,
        plain=plain,
        points=points,
        share=share,
        written_p=written_p,
    )


def committee_seats(results: EnsembleResults) -> list[Seat]:
    """The members of the committee, the heaviest first."""
    chosen = results.chosen_rule
    parts = times_chosen(chosen)
    seats = [
        Seat(number, member, member.weights[chosen.name], parts.get(member.name, 0))
        for number, member in enumerate(results.members, start=1)
        if member.weights[chosen.name] > 0
    ]
    return sorted(seats, key=lambda seat: (-seat.weight, seat.number))


def rule_meaning(name: str) -> str:
    """What a rule does, for people; a hard vote of chosen members names the rule that chose them."""
    base = name.removesuffix(HARD)
    if base == name:
        return _MEANING[name]
    found_by = next(rule for rule in (base, f"{base} soft") if rule in _MEANING)
    return f"members and weights of “{found_by}”, with votes in place of probabilities"


def rules_plot(results: EnsembleResults) -> DotPlot:
    """Nested accuracies with the naive ones as rings; the line is the best single member's."""
    return dot_plot(
        [_dot(rule, is_chosen=rule.name == results.chosen) for rule in results.rules],
        lambda value: f"{100 * value:g}%",
        line=results.rule_named(BASE_RULE).nested.value,
    )


def _dot(rule: RuleRow, *, is_chosen: bool) -> Dot:
    words = share(rule.nested)
    return Dot(
        name=rule.name,
        words=words,
        label=f"{rule.name}: nested accuracy {words}, naive {rule.naive.value:.1%}",
        value=rule.nested.value,
        low=rule.nested.low,
        high=rule.nested.high,
        tone="" if is_chosen else "cannot-tell",
        note="the committee" if is_chosen else "",
        hollow=rule.naive.value,
    )


def times_chosen(rule: RuleRow) -> Mapping[str, int]:
    """For each member that was chosen in some outer part: in how many of them."""
    names = [name for weights in rule.part_weights for name in weights]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def part_names(results: EnsembleResults) -> list[str]:
    """What each outer part is; where folds were too few, parts were dealt and have numbers only."""
    if results.parts == len(results.folds):
        return [f"fold {fold}" for fold in results.folds]
    return [f"part {number}" for number in range(1, results.parts + 1)]


def made_of(member: MemberRow) -> str:
    """`1 run on fold 0`, or `2 runs on folds 0 and 1`."""
    folds = "fold" if len(member.folds) == 1 else "folds"
    return f"{counted(len(member.runs), 'run')} on {folds} {listed([str(fold) for fold in member.folds])}"
