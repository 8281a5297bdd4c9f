"""An ensemble in words and as a page: what it gains on unseen drawings, and how its members differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
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
from dessin.committees.view import as_lines, gain_in_words, use_steps
from dessin.language import tr, tr_n
from dessin.page.blocks import Grid, Page, Section, Step
from dessin.page.numbers import listed, number, share
from dessin.page.parts import step
from dessin.page.words import Note


def rule_in_words(name: str) -> tuple[str, str]:
    """A rule as part of a sentence (`the greedily chosen soft vote`), and how it chooses its members."""
    rules = {
        BASE_RULE: tr("the best single member"),
        "all soft": tr("the soft vote of all members"),
        "all hard": tr("the hard vote of all members"),
        "accuracy": tr("the soft vote of the most accurate members"),
        "diversity": tr("the soft vote of diverse members"),
        "weighted soft": tr("the weighted soft vote"),
        "greedy": tr("the greedily chosen soft vote"),
        "accuracy, hard vote": tr("the hard vote of the most accurate members"),
        "diversity, hard vote": tr("the hard vote of diverse members"),
        "weighted, hard vote": tr("the weighted hard vote"),
        "greedy, hard vote": tr("the greedily chosen hard vote"),
    }
    meanings = {
        BASE_RULE: tr("the most accurate member, alone"),
        "all soft": tr("the mean of all members’ probabilities; nothing is chosen"),
        "all hard": tr("each member has one vote; nothing is chosen"),
        "accuracy": tr("the most accurate members, as many as do best together"),
        "diversity": tr("from the best member on, always the one that errs least together with those before"),
        "weighted": tr("a mean with weights that are fitted"),
        "greedy": tr("members added one at a time, each time the one that helps most"),
    }
    chosen_by = name.removesuffix(", hard vote")
    return rules[name], meanings[chosen_by if chosen_by in meanings else chosen_by.removesuffix(" soft")]


def told(results: EnsembleResults) -> EnsembleResults:
    """The results with their summary, on drawings that the choice did not see, and cautions."""
    chosen, ways = results.chosen_rule, _ways(results)
    n, members = len(chosen.members), len(results.members)
    vote = tr_n("{n} of {all} members votes.", "{n} of {all} members vote.", n, all=members)
    summary = [f"{ways.in_words()} {vote}", naive_in_words(chosen.naive, chosen.optimism)]
    if views := results.views:
        seen = tr("looking in {n} views ({views})", n=len(views.views), views=", ".join(views.views))
        summary.append(gain_in_words(views.gain, seen, tr("one view ({share})", share=share(views.plain))))
    cautions = [*choice_cautions(ways)]
    if results.without:
        absent = tr_n(
            "There is no committee to use: the weights of {n} run that votes are not here ({runs}).",
            "There is no committee to use: the weights of {n} runs that vote are not here ({runs}).",
            len(results.without),
            runs=listed(results.without),
        )
        cautions.append(absent)
    return results.model_copy(update={"summary": tuple(summary), "cautions": tuple(cautions)})


def ensemble_lines(results: EnsembleResults, width: int | None) -> list[str]:
    """The table of rules and the sentences, as lines for a terminal."""
    return as_lines([_ways(results).table(brief=True)], results.summary, results.cautions, width)


def _ways(results: EnsembleResults) -> Ways:
    rows = []
    for row in results.rules:
        (words, meaning), cells = rule_in_words(row.name), (number(len(row.members)),)
        rows.append(Way(row.name, words, row.nested, row.gain, cells, meaning, row.naive))
    titles = (tr("Rule"), tr("Accuracy"), tr("Members"))
    return Ways(tuple(rows), titles, results.chosen, tr("committee"))


def ensemble_page(results: EnsembleResults, out: Path, sides: Sides | None = None) -> Page:
    """The page of the ensemble in `out`; `sides` are the committee and the best member."""
    question = tr("are several models better than one?")
    lead = tr(
        "A vote can only help where members do not make the same mistakes. Numbers stand for members, as "
        "small in the table above."
    )
    cards = tuple(Section(title, (picture,)) for title, picture in (*heat_maps(results), scatter(results)))
    differ = Section(tr("How differently the members err"), (Grid(cards),), lead, "pairs")
    files = "results.json, rules.csv, members.csv, pairs.csv, nested/"
    blocks, steps = (_members(results), differ), _steps(results, out)
    return choice_page(results, _ways(results), question, blocks, steps, files, sides)


def _steps(results: EnsembleResults, out: Path) -> Iterator[Step]:
    if results.without:
        why = tr("Make the committee: have these runs packed with their weights, and collect that too.")
        yield step(why, "pack", *results.without, "--bundles", "--out", "with-weights.dsn")
        return
    models = _models(results)
    why = tr_n("Name new drawings with its one model.", "Name new drawings with its {n} models.", models)
    yield from use_steps(out, why, out)
    if models > 1:
        small = tr("Teach one small model what the committee says: it answers many times as fast.")
        yield step(small, "distill", out, "--student", "tf_efficientnet_lite0", "--out", f"{out}-small")


def _models(results: EnsembleResults) -> int:
    """How many models the committee asks about a drawing."""
    return sum(len(member.runs) for member in results.members if member.weights[results.chosen])


def _members(results: EnsembleResults) -> Section:
    vote = tr("The members’ probabilities are averaged by weight, and the highest wins.")
    if results.rule == "hard":
        vote = tr("Each member names one class, and the class with the most weight wins.")
    asked = tr_n(
        "It asks {n} model about a new drawing.", "It asks {n} models about a new drawing.", _models(results)
    )
    parts, rows = times_chosen(results.chosen_rule), []
    for place, each in enumerate(results.members, 1):
        name, weight = (each.name, Note(f"{place} · {made_of(each)}")), each.weights[results.chosen]
        rows.append(Ingredient(name, weight, each.accuracy, each.loss, parts.get(each.name, 0)))
    rows.sort(key=lambda row: -row.weight)
    table = members_table(rows, tr("Member"), tr("Share of the vote"), results.parts)
    return Section(tr("The members"), (table,), f"{vote} {asked}", "members")


def times_chosen(rule: RuleRow) -> Mapping[str, int]:
    """For each member that was chosen in some outer part: in how many of them."""
    return Counter(name for weights in rule.part_weights for name in weights)


def made_of(member: MemberRow) -> str:
    """`1 run on fold 0`, or `2 runs on folds 0 and 1`."""
    folds, runs = listed([str(fold) for fold in member.folds]), len(member.runs)
    if len(member.folds) == 1:
        return tr_n("{n} run on fold {folds}", "{n} runs on fold {folds}", runs, folds=folds)
    return tr_n("{n} run on folds {folds}", "{n} runs on folds {folds}", runs, folds=folds)
