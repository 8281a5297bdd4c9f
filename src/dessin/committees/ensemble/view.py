"""An ensemble in words and as a page: what it gains on unseen drawings, and how its members differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dessin.committees.ensemble.pictures import heat_maps, scatter
from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow, RuleRow, ViewsGain
from dessin.committees.gains import TONES, Way, for_terminal, gain_in_words, way_lines, way_plot
from dessin.page.dots import DotPlot
from dessin.page.numbers import capital, counted, listed, p_value, points, share, size
from dessin.page.render import render_page

_HARD = ", hard vote"
# What a rule gives, as part of a sentence, and how it chooses.
_RULES = {
    BASE_RULE: ("the best single member", "the most accurate member, alone"),
    "all soft": (
        "the soft vote of all members",
        "the mean of all members’ probabilities; nothing is chosen",
    ),
    "all hard": ("the hard vote of all members", "each member has one vote; nothing is chosen"),
    "accuracy": (
        "the soft vote of the most accurate members",
        "the most accurate members, as many as do best together",
    ),
    "diversity": (
        "the soft vote of diverse members",
        "from the best member on, always the one that errs least together with those before",
    ),
    "weighted soft": ("the weighted soft vote", "a mean with weights that are fitted"),
    "greedy": (
        "the greedily chosen soft vote",
        "members added one at a time, each time the one that helps most",
    ),
}


def rule_in_words(name: str) -> str:
    """`greedy` → `the greedily chosen soft vote`; a rule of another's members with votes says so."""
    if name in _RULES:
        return _RULES[name][0]
    return _RULES[_found_by(name)][0].replace("soft vote", "hard vote")


def rule_meaning(name: str) -> str:
    """What a rule does, for people; a hard vote of chosen members names the rule that chose them."""
    if name in _RULES:
        return _RULES[name][1]
    return f"members and weights of “{_found_by(name)}”, with votes in place of probabilities"


def _found_by(name: str) -> str:
    """The rule that finds the members of a hard vote."""
    base = name.removesuffix(_HARD)
    return base if base in _RULES else f"{base} soft"


def told(results: EnsembleResults) -> EnsembleResults:
    """The results with their summary and cautions."""
    return results.model_copy(update={"summary": summary(results), "cautions": _cautions(results)})


def summary(results: EnsembleResults) -> tuple[str, ...]:
    """What the ensemble gives on drawings that its choice did not see, and what the naive figure claims."""
    chosen, base, views = results.chosen_rule, results.rule_named(BASE_RULE), results.views
    who = rule_in_words(chosen.name)
    found = f"On drawings that the choice did not see ({counted(chosen.nested.n, 'drawing')}), {who} "
    if chosen.gain is None:
        found += (
            f"names {share(chosen.nested)} right. It is what the ensembles are held against, so nothing is "
            "gained."
        )
    else:
        found += (
            f"({counted(len(chosen.members), 'member')} of {len(results.members)}) names "
            f"{share(chosen.nested)} right, and {rule_in_words(BASE_RULE)}, chosen in the same way, "
            f"{share(base.nested)}: {gain_in_words(chosen.gain)}"
        )
    return (found, _naive(chosen), *([] if views is None else [_views(views, who)]))


def _naive(chosen: RuleRow) -> str:
    optimism = chosen.optimism
    claim = (
        "The naive figure, from the very drawings that the choice was made on, would have claimed "
        f"{share(chosen.naive)}"
    )
    if optimism.low == optimism.high == 0.0:
        return "The rule chooses nothing by these drawings, so a naive look claims the same."
    if optimism.low > 0:
        return f"{claim}: {points(optimism)} points too much."
    if optimism.high < 0:
        return f"{claim}: {points(optimism)} points, so here the choice made without a part did better on it."
    return f"{claim}; that it is too high cannot be told here ({points(optimism)} points)."


def _views(views: ViewsGain, who: str) -> str:
    gain, looks = views.gain, f"Looking in {len(views.views)} views ({', '.join(views.views)})"
    by = size(gain.difference.value)
    said = {
        "better": f" gains {who} {by} points",
        "worse": f" costs {who} {by} points",
        "no difference": f" gains {who} none that matters",
        "cannot tell": ": no gain was found",
    }
    numbers = f"{points(gain.difference)} points, p\u00a0{p_value(gain.p)}"
    unknown = f" {capital(gain.verdict_text)}." if gain.verdict == "cannot tell" else ""
    base = f"against {share(views.plain)} in one view, same rule, nested"
    return f"{looks}{said[gain.verdict]} ({numbers}; {base}).{unknown}"


def _cautions(results: EnsembleResults) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    chosen, rules = results.chosen_rule, results.rules
    found = [
        "This is about these trained models: how much the luck of a training matters is not in the numbers."
    ]
    best = max(rules, key=lambda row: row.nested.value)
    if best.nested.value > chosen.nested.value:
        found.append(
            f"{capital(rule_in_words(best.name))} has a higher nested figure ({share(best.nested)}) than "
            f"what was asked for ({share(chosen.nested)}). To take it because of this table would be one "
            f"more choice, among {len(rules)}, made on these drawings, and its figure would be too high in "
            "turn."
        )
    found.append(
        "Each run has validated on these drawings, and may have chosen its epoch by them, so all figures are "
        "a little high; a holdout that nothing was chosen on is the last word, and it was not looked at here."
    )
    if any(len(member.folds) > 1 for member in results.members if member.name in chosen.members):
        found.append(
            "For each drawing, a member of several folds was asked through its one model that was not "
            "trained on it. In the committee all its models vote, which is usually a little better; that is "
            "not measured here."
        )
    if len(results.folds) < 3:
        found.append(
            f"The members share {counted(len(results.folds), 'fold')} only, so the drawings were dealt into "
            f"{results.parts} parts of whole groups for the nested figures; in all parts a member is the "
            "same trained model."
        )
    return tuple(found)


def ensemble_lines(results: EnsembleResults, width: int | None) -> list[str]:
    """The table of rules and the sentences, as lines for a terminal."""
    table = way_lines(_ways(results), "rule", "nested", results.chosen, width)
    notes = [f"Note: {caution}" for caution in results.cautions]
    return [*table, "", *for_terminal((*results.summary, *notes))]


def _ways(results: EnsembleResults) -> list[Way]:
    return [Way(row.name, len(row.members), row.nested, row.naive, row.gain) for row in results.rules]


@dataclass(frozen=True)
class ChosenMember:
    """A member of the committee: its place in the table of members, and its share of the vote (0..1)."""

    number: int
    member: MemberRow
    weight: float
    parts: int


def ensemble_page(results: EnsembleResults) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    members = chosen_members(results)
    return render_page(
        "dessin.committees.ensemble",
        "ensemble.html",
        title=f"{results.name}: an ensemble",
        results=results,
        chosen=results.chosen_rule,
        base=results.rule_named(BASE_RULE),
        base_rule=BASE_RULE,
        chosen_members=members,
        models=sum(len(row.member.runs) for row in members),
        meanings={rule.name: rule_meaning(rule.name) for rule in results.rules},
        plot=rules_plot(results),
        times_chosen={rule.name: times_chosen(rule) for rule in results.rules},
        part_names=part_names(results),
        maps=heat_maps(results),
        scatter=scatter(results),
        made_of=made_of,
        tones=TONES,
    )


def chosen_members(results: EnsembleResults) -> list[ChosenMember]:
    """The members of the committee, the heaviest first."""
    chosen = results.chosen_rule
    parts = times_chosen(chosen)
    found = [
        ChosenMember(number, member, member.weights[chosen.name], parts.get(member.name, 0))
        for number, member in enumerate(results.members, start=1)
        if member.weights[chosen.name] > 0
    ]
    return sorted(found, key=lambda row: (-row.weight, row.number))


def rules_plot(results: EnsembleResults) -> DotPlot:
    """Nested accuracies with the naive ones as rings; the line is the best single member's."""
    return way_plot(_ways(results), "nested", results.chosen, "the committee")


def times_chosen(rule: RuleRow) -> Mapping[str, int]:
    """For each member that was chosen in some outer part: in how many of them."""
    return Counter(name for weights in rule.part_weights for name in weights)


def part_names(results: EnsembleResults) -> list[str]:
    """What each outer part is; where folds were too few, parts were dealt and have numbers only."""
    if results.parts == len(results.folds):
        return [f"fold {fold}" for fold in results.folds]
    return [f"part {number}" for number in range(1, results.parts + 1)]


def made_of(member: MemberRow) -> str:
    """`1 run on fold 0`, or `2 runs on folds 0 and 1`."""
    folds = "fold" if len(member.folds) == 1 else "folds"
    return f"{counted(len(member.runs), 'run')} on {folds} {listed([str(fold) for fold in member.folds])}"
