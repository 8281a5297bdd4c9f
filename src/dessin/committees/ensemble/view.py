"""An ensemble in words and as a page: what it gains on unseen drawings, and how its members differ."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dessin.committees.choices import (
    Ingredient,
    Way,
    Ways,
    choice_cautions,
    choice_page,
    members_table,
    naive_in_words,
)
from dessin.committees.ensemble.pictures import heat_maps, scatter
from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow, RuleRow
from dessin.committees.sides import Sides
from dessin.committees.view import as_lines, gain_in_words, mistakes_step, predict_step
from dessin.language import tr, tr_n
from dessin.page.blocks import Grid, Page, Section, Step
from dessin.page.numbers import listed, number, share
from dessin.page.words import Note

_HARD = ", hard vote"


def rule_in_words(name: str) -> str:
    """`greedy` → `the greedily chosen soft vote`."""
    rules = {
        BASE_RULE: tr("the best single member"),
        "all soft": tr("the soft vote of all members"),
        "all hard": tr("the hard vote of all members"),
        "accuracy": tr("the soft vote of the most accurate members"),
        "diversity": tr("the soft vote of diverse members"),
        "weighted soft": tr("the weighted soft vote"),
        "greedy": tr("the greedily chosen soft vote"),
        f"accuracy{_HARD}": tr("the hard vote of the most accurate members"),
        f"diversity{_HARD}": tr("the hard vote of diverse members"),
        f"weighted{_HARD}": tr("the weighted hard vote"),
        f"greedy{_HARD}": tr("the greedily chosen hard vote"),
    }
    return rules[name]


def rule_meaning(name: str) -> str:
    """How a rule chooses, for people; of a hard vote it is how its members were chosen."""
    ways = {
        BASE_RULE: tr("the most accurate member, alone"),
        "all soft": tr("the mean of all members’ probabilities; nothing is chosen"),
        "all hard": tr("each member has one vote; nothing is chosen"),
        "accuracy": tr("the most accurate members, as many as do best together"),
        "diversity": tr("from the best member on, always the one that errs least together with those before"),
        "weighted soft": tr("a mean with weights that are fitted"),
        "greedy": tr("members added one at a time, each time the one that helps most"),
    }
    found_by = name.removesuffix(_HARD)
    return ways[found_by if found_by in ways else f"{found_by} soft"]


def told(results: EnsembleResults) -> EnsembleResults:
    """The results with their summary and cautions."""
    return results.model_copy(update={"summary": summary(results), "cautions": _cautions(results)})


def summary(results: EnsembleResults) -> tuple[str, ...]:
    """What the ensemble gives on drawings that its choice did not see, and what the naive figure claims."""
    chosen, ways = results.chosen_rule, _ways(results)
    found = tr(
        "On {n} drawings that the choice did not see, {who} ({members} of {all}) names {found} right.",
        n=number(chosen.nested.n),
        who=ways.found.words,
        members=len(chosen.members),
        all=len(results.members),
        found=share(chosen.nested),
    )
    said = [f"{found} {ways.gain()}", naive_in_words(chosen.naive, chosen.optimism)]
    if views := results.views:
        seen = tr("looking in {n} views ({views})", n=len(views.views), views=", ".join(views.views))
        said.append(gain_in_words(views.gain, seen, tr("one view ({share})", share=share(views.plain))))
    return tuple(said)


def _cautions(results: EnsembleResults) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    if not results.without:
        return choice_cautions(_ways(results))
    absent = tr_n(
        "There is no committee to use: the weights of {n} run that votes are not here ({runs}).",
        "There is no committee to use: the weights of {n} runs that vote are not here ({runs}).",
        len(results.without),
        runs=listed(results.without),
    )
    return (*choice_cautions(_ways(results)), absent)


def ensemble_lines(results: EnsembleResults, width: int | None) -> list[str]:
    """The table of rules and the sentences, as lines for a terminal."""
    return as_lines([_ways(results).table(brief=True)], results.summary, results.cautions, width)


def _ways(results: EnsembleResults) -> Ways:
    rows = []
    for row in results.rules:
        words, meaning = rule_in_words(row.name), rule_meaning(row.name)
        cells = (number(len(row.members)),)
        rows.append(Way(row.name, words, row.nested, row.gain, cells, meaning, row.naive))
    titles = (tr("Rule"), tr("Accuracy"), tr("Members"))
    return Ways(tuple(rows), titles, results.chosen, tr("committee"))


def ensemble_page(results: EnsembleResults, out: Path, sides: Sides | None = None) -> Page:
    """The page of the ensemble in `out`; `sides` are the committee and the best member."""
    return choice_page(
        results,
        _ways(results),
        question=tr("are several models better than one?"),
        blocks=(_members(results), _differences(results)),
        steps=_steps(results, out),
        files=("results.json", "rules.csv", "members.csv", "pairs.csv", "nested/"),
        sides=sides,
    )


def _steps(results: EnsembleResults, out: Path) -> tuple[Step, ...]:
    shown, models = shlex.quote(str(out)), _models(results)
    if results.without:
        why = tr("Make the committee: have these runs packed with their weights, and collect that too.")
        packed = shlex.join(["dessin", "pack", *results.without, "--bundles", "--out", "with-weights.dsn"])
        return (Step(why, packed),)
    why = tr_n("Name new drawings with its one model.", "Name new drawings with its {n} models.", models)
    small = Step(
        tr("Teach one small model what the committee says: it answers many times as fast."),
        f"dessin distill {shown} --student tf_efficientnet_lite0 --out {shown}-small",
    )
    return (predict_step(out, why), mistakes_step(out, out), *([small] if models > 1 else []))


def _models(results: EnsembleResults) -> int:
    """How many models the committee asks about a drawing."""
    return sum(len(member.runs) for member in results.members if _weight(results, member))


def _weight(results: EnsembleResults, member: MemberRow) -> float:
    return member.weights[results.chosen]


def _members(results: EnsembleResults) -> Section:
    vote = tr("The members’ probabilities are averaged by weight, and the highest wins.")
    if results.rule == "hard":
        vote = tr("Each member names one class, and the class with the most weight wins.")
    asked = tr_n(
        "It asks {n} model about a new drawing.", "It asks {n} models about a new drawing.", _models(results)
    )
    parts, rows = times_chosen(results.chosen_rule), []
    for place, each in sorted(enumerate(results.members, 1), key=lambda row: -_weight(results, row[1])):
        name, weight = (each.name, Note(f"{place} · {made_of(each)}")), _weight(results, each)
        rows.append(Ingredient(name, weight, each.accuracy, each.loss, parts.get(each.name, 0)))
    table = members_table(rows, tr("Member"), tr("Share of the vote"), results.parts)
    return Section(tr("The members"), (table,), f"{vote} {asked}", "members")


def times_chosen(rule: RuleRow) -> Mapping[str, int]:
    """For each member that was chosen in some outer part: in how many of them."""
    return Counter(name for weights in rule.part_weights for name in weights)


def made_of(member: MemberRow) -> str:
    """`1 run on fold 0`, or `2 runs on folds 0 and 1`."""
    folds = listed([str(fold) for fold in member.folds])
    if len(member.folds) == 1:
        return tr_n("{n} run on fold {folds}", "{n} runs on fold {folds}", len(member.runs), folds=folds)
    return tr_n("{n} run on folds {folds}", "{n} runs on folds {folds}", len(member.runs), folds=folds)


def _differences(results: EnsembleResults) -> Section:
    """How differently the members err."""
    lead = tr(
        "A vote can only help where members do not make the same mistakes. Numbers stand for members, as "
        "small in the table above."
    )
    cards = tuple(Section(title, (picture,)) for title, picture in (*heat_maps(results), scatter(results)))
    return Section(tr("How differently the members err"), (Grid(cards),), lead, "pairs")
