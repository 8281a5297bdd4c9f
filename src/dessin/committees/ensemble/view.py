"""An ensemble in words, as a page and in pictures: what it gains on unseen drawings, how members differ."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dessin.committees.choices import (
    Way,
    Ways,
    choice_cautions,
    choice_page,
    members_table,
    naive_in_words,
)
from dessin.committees.ensemble.pictures import heat_maps, scatter
from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow, RuleRow, ViewsGain
from dessin.committees.sides import Sides
from dessin.committees.view import (
    as_lines,
    collection_of,
    files_beside,
    gain_in_words,
    mistakes_step,
    predict_step,
    vote_share,
    weighed,
)
from dessin.language import tr, tr_n
from dessin.page.blocks import (
    Block,
    Column,
    Grid,
    Page,
    Section,
    Sentence,
    Step,
    Table,
)
from dessin.page.numbers import listed, number, plain, share
from dessin.page.words import Note, Words

_HARD = ", hard vote"


def _rules() -> Mapping[str, tuple[str, str]]:
    """What a rule gives, as part of a sentence, and how it chooses."""
    return {
        BASE_RULE: (tr("the best single member"), tr("the most accurate member, alone")),
        "all soft": (
            tr("the soft vote of all members"),
            tr("the mean of all members’ probabilities; nothing is chosen"),
        ),
        "all hard": (
            tr("the hard vote of all members"),
            tr("each member has one vote; nothing is chosen"),
        ),
        "accuracy": (
            tr("the soft vote of the most accurate members"),
            tr("the most accurate members, as many as do best together"),
        ),
        "diversity": (
            tr("the soft vote of diverse members"),
            tr("from the best member on, always the one that errs least together with those before"),
        ),
        "weighted soft": (tr("the weighted soft vote"), tr("a mean with weights that are fitted")),
        "greedy": (
            tr("the greedily chosen soft vote"),
            tr("members added one at a time, each time the one that helps most"),
        ),
        f"accuracy{_HARD}": (tr("the hard vote of the most accurate members"), ""),
        f"diversity{_HARD}": (tr("the hard vote of diverse members"), ""),
        f"weighted{_HARD}": (tr("the weighted hard vote"), ""),
        f"greedy{_HARD}": (tr("the greedily chosen hard vote"), ""),
    }


def rule_in_words(name: str) -> str:
    """`greedy` → `the greedily chosen soft vote`."""
    return _rules()[name][0]


def rule_meaning(name: str) -> str:
    """What a rule does, for people; a hard vote of chosen members names the rule that chose them."""
    found_by = name.removesuffix(_HARD)
    return _rules()[name][1] or tr(
        "members and weights of “{rule}”, with votes in place of probabilities",
        rule=found_by if found_by in _rules() else f"{found_by} soft",
    )


def told(results: EnsembleResults) -> EnsembleResults:
    """The results with their summary and cautions."""
    return results.model_copy(update={"summary": summary(results), "cautions": _cautions(results)})


def summary(results: EnsembleResults) -> tuple[str, ...]:
    """What the ensemble gives on drawings that its choice did not see, and what the naive figure claims."""
    chosen, views, ways = results.chosen_rule, results.views, _ways(results)
    values = {"n": number(chosen.nested.n), "who": ways.found.words, "found": share(chosen.nested)}
    if chosen.gain is None:
        found = tr("On {n} drawings that the choice did not see, {who} names {found} right.", **values)
    else:
        found = tr(
            "On {n} drawings that the choice did not see, {who} ({members} of {all} members) names {found} "
            "right, and {base}, chosen in the same way, {other}.",
            members=len(chosen.members),
            all=len(results.members),
            base=ways.base.words,
            other=share(ways.base.accuracy),
            **values,
        )
    naive = naive_in_words(chosen.naive, chosen.optimism)
    return (f"{found} {ways.gain()}", naive, *([] if views is None else [_views(views, ways.found.words)]))


def _views(views: ViewsGain, who: str) -> str:
    seen = tr(
        "{who} that looks in {n} views ({views})", who=who, n=len(views.views), views=", ".join(views.views)
    )
    return gain_in_words(views.gain, seen, tr("the same in one view ({share})", share=share(views.plain)))


def _cautions(results: EnsembleResults) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    chosen, found = results.chosen_rule, choice_cautions(_ways(results))
    if results.without:
        found.append(
            tr_n(
                "There is no committee to use: the weights of {n} run that votes are not here ({runs}).",
                "There is no committee to use: the weights of {n} runs that vote are not here ({runs}).",
                len(results.without),
                runs=listed(results.without),
            )
        )
    if any(len(member.folds) > 1 for member in results.members if member.name in chosen.members):
        found.append(
            tr(
                "For each drawing, a member of several folds was asked through its one model that was not "
                "trained on it. In the committee all its models vote, which is usually a little better; that "
                "is not measured here."
            )
        )
    if len(results.folds) < 3:
        found.append(
            tr_n(
                "The members share one fold only, so the drawings were dealt into {parts} parts of whole "
                "groups; in all parts a member is the same trained model.",
                "The members share {n} folds only, so the drawings were dealt into {parts} parts of whole "
                "groups; in all parts a member is the same trained model.",
                len(results.folds),
                parts=results.parts,
            )
        )
    return tuple(found)


def ensemble_lines(results: EnsembleResults, width: int | None) -> list[str]:
    """The table of rules and the sentences, as lines for a terminal."""
    table = _ways(results).table(brief=True)
    return as_lines([table], results.summary, results.cautions, width)


def _ways(results: EnsembleResults) -> Ways:
    rows = tuple(
        Way(
            row.name,
            rule_in_words(row.name),
            row.nested,
            row.gain,
            (number(len(row.members)),),
            rule_meaning(row.name),
            row.naive,
        )
        for row in results.rules
    )
    titles = (tr("Rule"), tr("Accuracy"), tr("Members"))
    return Ways(rows, titles, results.chosen, tr("committee"))


def ensemble_page(results: EnsembleResults, out: Path, sides: Sides | None = None) -> Page:
    """The page of the ensemble in `out`; `sides` are the committee and the best member."""
    collection = collection_of(results.data)
    return choice_page(
        results,
        _ways(results),
        title=tr("{collection}: are several models better than one?", collection=collection),
        blocks=(_members(results), _differences(results)),
        measured=_measured(results),
        steps=_steps(results, out),
        footer=files_beside("results.json", "rules.csv", "members.csv", "pairs.csv", "nested/"),
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
    vote = tr("A soft vote: the members’ probabilities are averaged by weight, and the highest wins.")
    if results.rule == "hard":
        vote = tr("A hard vote: each member names one class, and the class with the most weight wins.")
    asked = tr_n(
        "It asks {n} model about a new drawing.", "It asks {n} models about a new drawing.", _models(results)
    )
    seen = ""
    if results.views:
        seen = tr("Each looks in {n} views.", n=len(results.views.views))
    where = ""
    if not results.without:
        where = tr(
            "{name} lies in committee/ beside this page and is used like any model.", name=results.name
        )
    lead = " ".join(text for text in (vote, asked, seen, where) if text)
    parts = times_chosen(results.chosen_rule)
    rows: list[tuple[Words, ...]] = []
    for place, member in sorted(enumerate(results.members, 1), key=lambda row: -_weight(results, row[1])):
        name = (member.name, Note(f"{place} · {made_of(member)}"))
        firm = tr("{n} of {all}", n=parts.get(member.name, 0), all=results.parts)
        warm = (f"{member.temperature:.2f}",) if results.scaled else ()
        own = (share(member.accuracy), plain(member.loss), firm, *warm)
        rows.append((name, *vote_share(_weight(results, member)), *own))
    of, more = tr("Share of the vote"), tr("Temperature") if results.scaled else ""
    table = members_table(rows, tr("Member"), of, results.parts, more)
    return Section(tr("The members"), (table,), lead, "members")


def _measured(results: EnsembleResults) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if views := results.views:
        seen, one = tr("{n} views", n=len(views.views)), tr("one view")
        rows = (Way(one, one, views.plain, None), Way(seen, seen, results.chosen_rule.nested, views.gain))
        table = Ways(rows, (tr("Looking"), tr("Accuracy")), seen, tr("committee")).table()
        lead = tr("Each model looked at every drawing in these views: {views}.", views=", ".join(views.views))
        blocks.append(Section(tr("Looking in several views"), (table,), lead))
    if results.scaled:
        warm = tr(
            "Each member has a temperature of its own: above 1, it was surer than it was right, and is toned "
            "down."
        )
        blocks.append(Sentence(warm, "note"))
    return (*blocks, _without_parts(results))


def _without_parts(results: EnsembleResults) -> Section:
    def written(weights: Mapping[str, float]) -> str:
        heaviest = sorted(weights.items(), key=lambda row: -row[1])
        return ", ".join(f"{name} {weighed(weight)}" for name, weight in heaviest)

    named = zip(part_names(results), results.chosen_rule.part_weights, strict=True)
    rows = tuple((part, written(weights)) for part, weights in named)
    table = Table((Column(tr("Without")), Column(tr("Members and weights"))), rows)
    return Section(tr("What “{rule}” chose without each part", rule=results.chosen), (table,))


def times_chosen(rule: RuleRow) -> Mapping[str, int]:
    """For each member that was chosen in some outer part: in how many of them."""
    return Counter(name for weights in rule.part_weights for name in weights)


def part_names(results: EnsembleResults) -> list[str]:
    """What each outer part is; where folds were too few, parts were dealt and have numbers only."""
    if results.parts == len(results.folds):
        return [tr("fold {fold}", fold=fold) for fold in results.folds]
    return [tr("part {n}", n=place) for place in range(1, results.parts + 1)]


def made_of(member: MemberRow) -> str:
    """`1 run on fold 0`, or `2 runs on folds 0 and 1`."""
    folds = listed([str(fold) for fold in member.folds])
    if len(member.folds) == 1:
        return tr_n("{n} run on fold {folds}", "{n} runs on fold {folds}", len(member.runs), folds=folds)
    return tr_n("{n} run on folds {folds}", "{n} runs on folds {folds}", len(member.runs), folds=folds)


def _differences(results: EnsembleResults) -> Section:
    """How differently the members err."""
    cards = [*heat_maps(results), scatter(results)]
    lead = tr(
        "A vote can only help where members do not make the same mistakes. Numbers stand for members, as "
        "small in the table above."
    )
    sections = tuple(Section(title, (picture,)) for title, picture in cards)
    return Section(tr("How differently the members err"), (Grid(sections),), lead, "pairs")
