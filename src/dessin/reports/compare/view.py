"""A comparison of runs as a page and as lines for a terminal, in the order in which it is read."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.committees.view import as_lines, cannot_say
from dessin.language import retold, tr
from dessin.page.blocks import Block, Grid, Notes, Page, Section, Sentence, Step, Table
from dessin.page.numbers import listed, number, points, size, written_p
from dessin.page.parts import columns, measured, what_next
from dessin.page.words import Code, Note, Strong, Words
from dessin.reports.compare.measure import ClassChange, ClassChanges, class_changes
from dessin.reports.compare.result import RunComparison
from dessin.reports.run.made import class_names
from dessin.runs.joined import Joined
from dessin.statistics.comparison import Comparison
from dessin.studies.telling import verdict_tag
from dessin.studies.view import forest
from dessin.trust.robustness.suite import SUITE


def comparison_page(result: RunComparison, joined: Joined) -> Page:
    """The whole page: which is better, by how much, where, and what differs between them."""
    base, data = joined.runs[0], joined.runs[0].record.recipe.data.path
    where = Path(data).name if data else tr("this collection")
    title = tr("Which of {n} models names the drawings in {name} best?", n=len(result.runs), name=where)
    which = tr("the holdout") if result.set_name == "holdout" else tr("none of them had learnt from them")
    lead = tr(
        "Points of accuracy above or below {base}, on the same {n} drawings in {groups} groups ({which}).",
        base=base.name,
        n=number(result.images),
        groups=number(result.groups),
        which=which,
    )
    said = tuple(
        (Strong(c.name), " ", verdict_tag(c.verdict), f" {retold(c.verdict_text)}.")
        for c in result.comparisons
    )
    several = (Notes(said),) if len(said) > 1 else ()
    first, *cards = (card.untested for card in result.cards)
    of_all = tuple(text for text in first if all(text in others for others in cards))
    untested = (Notes(of_all, tr("Not tested on")),) if of_all else ()
    return Page(
        title=title,
        lead=_lead(result.comparisons, base.name),
        blocks=(
            Section(
                tr("How much better or worse"),
                (*forest(result.comparisons, result.matters), *several),
                lead,
                anchor="differences",
            ),
            cannot_say(result.cautions),
            _classes(result, joined),
            _what_differs(result),
            Section(tr("Beyond accuracy"), (_beyond(result), *untested), anchor="beyond"),
            *_corrupted(result),
            _figures(result, joined),
            what_next(*_next(result)),
        ),
    )


def _lead(comparisons: Sequence[Comparison], base: str) -> str:
    """The answer: of one comparison its verdict, of several how many ended how."""
    if len(comparisons) == 1:
        return f"{comparisons[0].name}: {retold(comparisons[0].verdict_text)}."
    ended = Counter(comparison.verdict for comparison in comparisons)
    return tr(
        "Against {base}, {better} of {n} are better and {worse} worse. Of {rest} it cannot be told, or the "
        "difference is too small to matter.",
        base=base,
        better=ended["better"],
        worse=ended["worse"],
        n=len(comparisons),
        rest=len(comparisons) - ended["better"] - ended["worse"],
    )


def _classes(result: RunComparison, joined: Joined) -> Section:
    names = class_names(joined.runs[0].folder, joined.labels)
    lead = tr("How many drawings of a class are named right. Of few drawings, a few change by chance.")
    blocks: list[Block] = []
    for comparison, correct in zip(result.comparisons, joined.correct[1:], strict=True):
        changes = class_changes(joined.correct[0], correct, joined.labels)
        told = (Sentence(_changes_in_words(changes, names)), _changed(changes, names))
        several = len(result.comparisons) > 1
        blocks += [Section(comparison.name, told, folded=bool(blocks))] if several else told
    return Section(tr("Class by class"), tuple(blocks), lead, anchor="classes")


def _changes_in_words(changes: ClassChanges, names: Mapping[str, str]) -> str:
    said = tr(
        "{better} of {all} classes have more right, {worse} fewer.",
        better=changes.better,
        all=changes.classes,
        worse=changes.worse,
    )
    if not changes.beyond_chance:
        return f"{said} {tr('No single class can be told from chance.')}"
    beyond = listed([names[label] for label in changes.beyond_chance], most=12)
    return f"{said} {tr('Beyond chance, each by itself: {names}.', names=beyond)}"


def _changed(changes: ClassChanges, names: Mapping[str, str]) -> Grid:
    def table(title: str, rows: Sequence[ClassChange]) -> Section:
        cells = tuple(
            (
                names[row.label],
                tr("{base} → {other} of {n}", base=row.base, other=row.level, n=row.n),
                Strong(number(row.change, sign=True)),
            )
            for row in rows
        )
        titles = columns((tr("Class"),), (tr("Right"), tr("Change")))
        return Section(title, (Table(titles, cells) if cells else Sentence(tr("No class.")),))

    return Grid((table(tr("Gained most"), changes.gained), table(tr("Lost most"), changes.lost)))


def _alike() -> str:
    return tr("Nothing differs in recipe, data, weights, versions or hardware.")


def _what_differs(result: RunComparison) -> Section:
    lead = tr("What is equal is left out; of a list, only what a run adds and lacks.")
    differing = (_differing(result),) if result.differences else (Sentence(_alike()),)
    return Section(tr("What differs between them"), differing, lead, anchor="differs")


def _differing(result: RunComparison) -> Table:
    rows: list[tuple[Words, ...]] = [(Code(found.key), *found.texts) for found in result.differences]
    titles = columns((tr("Key"), *(run.name for run in result.runs)))
    return Table(titles, tuple(rows), file="differences")


def _beyond(result: RunComparison, *, brief: bool = False) -> Table:
    """The trust cards beside each other; a `brief` one is for a terminal."""
    rows: list[tuple[Words, ...]] = []
    unknown = []
    for alike in zip(*(card.facts for card in result.cards), strict=True):
        if not any(fact.value for fact in alike):
            unknown.append(alike[0].title)
            continue
        said = (Strong(fact.value or tr("not measured")) for fact in alike)
        notes = (Note("" if brief else fact.detail) for fact in alike)
        rows.append((alike[0].title, *zip(said, notes, strict=True)))
    note = ""
    if unknown:
        none = listed(unknown, most=len(unknown))
        note = tr("Measured of none of them: {names}. dessin trust RUN measures all of it.", names=none)
    return Table(columns((tr("What"), *(card.name for card in result.cards))), tuple(rows), note)


def _corrupted(result: RunComparison) -> Iterator[Section]:
    titles = {corruption.name: corruption.title for corruption in SUITE}
    blocks: list[Block] = []
    for pair in result.robustness:
        words = tr(
            "Over all kinds of damage, on {n} drawings: {verdict}.",
            n=number(pair.n),
            verdict=retold(pair.robust.verdict_text),
        )
        title = tr("{other} against {base}", other=pair.first, base=pair.second)
        rows = [row.model_copy(update={"name": titles[row.name]}) for row in pair.corruptions]
        inside: tuple[Block, ...] = (Sentence(words), *forest(rows, result.matters))
        blocks.append(Section(title, inside, tags=(verdict_tag(pair.robust.verdict),)))
    if blocks:
        lead = tr("Each row is the mean over five strengths of one kind of damage, in points of accuracy.")
        yield Section(tr("On damaged drawings"), tuple(blocks), lead, anchor="damaged")


def _figures(result: RunComparison, joined: Joined) -> Section:
    """Every measure of every run, and the tests, for who wants to check."""
    written = [run.record.results[result.set_name].written(run.record.counts.classes) for run in joined.runs]
    titles = [*written[0], tr("Drawings"), tr("Seed"), tr("Fold")]
    rows: list[tuple[Words, ...]] = [
        (run.name, *own.values(), number(run.accuracy.n), str(run.seed), str(run.fold))
        for run, own in zip(result.runs, written, strict=True)
    ]
    if result.set_name == "holdout":
        titles.append(tr("Holdout opened"))
        rows = [(*row, f"{run.opened} ×") for row, run in zip(rows, result.runs, strict=True)]
    return measured(Table(columns((tr("Model"),), titles), tuple(rows), file="accuracy"), _tests(result))


def _tests(result: RunComparison) -> Table:
    titles = (
        tr("Points"),
        tr("Right alone"),
        tr("McNemar, exact p"),
        tr("p, paired"),
        tr("p after Holm"),
        tr("Could see"),
    )
    rows = []
    for found in result.comparisons:
        exact, p_values = found.mcnemar[0], (found.mcnemar[0].p, found.p, found.p_holm)
        alone = f"{exact.level_alone} : {exact.base_alone}"
        tested = (points(found.difference), alone, *map(written_p, p_values), size(found.detectable))
        rows.append((found.name, *tested))
    note = tr(
        "“Right alone”: drawings that one names right and the other wrong, its own first. “Could see”: the "
        "smallest difference, in points, found in 80 of 100 cases. Verdicts rest on the paired test over "
        "groups; McNemar’s takes every drawing for independent."
    )
    against = tr("Against {base}", base=result.runs[0].name)
    return Table(columns((against,), titles), tuple(rows), note, "tests")


def _next(result: RunComparison) -> Iterator[Step]:
    best = max(result.runs, key=lambda run: run.accuracy.value)
    why = tr("See what {name}, which has most right here, gets wrong.", name=best.name)
    yield Step(why, shlex.join(["dessin", "mistakes", best.path, "--out", "mistakes"]))
    together = ["dessin", "ensemble", *(run.path for run in result.runs), "--out", "together"]
    yield Step(tr("Whether they are better together than alone."), shlex.join(together))
    why = tr("Whether a recipe is better, not only these trainings, a study says; these come with dessin.")
    yield Step(why, "dessin recipes")


def comparison_lines(result: RunComparison, width: int | None) -> list[str]:
    """Accuracies, differences, verdicts, and what differs, as lines for a terminal."""
    rows = tuple((run.name, str(run.accuracy)) for run in result.runs)
    accuracies = Table(columns((tr("Model"), tr("Accuracy"))), rows)
    differing = [_differing(result)] if result.differences else []
    said = [f"{each.name}: {retold(each.verdict_text)}." for each in result.comparisons]
    said += [
        tr(
            "On damaged drawings, {name}: {verdict}.",
            name=pair.first,
            verdict=retold(pair.robust.verdict_text),
        )
        for pair in result.robustness
    ]
    tables = (accuracies, _tests(result), _beyond(result, brief=True), *differing)
    return as_lines(tables, [*said, *([] if differing else [_alike()])], result.cautions, width)
