"""A comparison of runs as a page and as lines for a terminal, in the order in which it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.committees.view import as_lines, cannot_say
from dessin.language import retold, tr
from dessin.page.blocks import Block, Grid, Notes, Page, Section, Sentence, Step, Table
from dessin.page.numbers import listed, number, points, size, written_p
from dessin.page.parts import measured, step, what_next
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
    verdicts = tuple(
        (Strong(c.name), " ", verdict_tag(c.verdict), f" {retold(c.verdict_text)}.")
        for c in result.comparisons
    )
    several = [Notes(verdicts)] if len(verdicts) > 1 else []
    much: tuple[Block, ...] = (*forest(result.comparisons, result.matters), *several)
    equal = tr("What is equal is left out; of a list, only what a run adds and lacks.")
    first, *cards = (card.untested for card in result.cards)
    of_all = tuple(text for text in first if all(text in others for others in cards))
    untested = [Notes(of_all, tr("Not tested on"))] if of_all else []
    blocks: tuple[Block, ...] = (
        Section(tr("How much better or worse"), much, lead, "differences"),
        cannot_say(result.cautions),
        _classes(result, joined),
        Section(tr("What differs between them"), (_differing(result),), equal, "differs"),
        Section(tr("Beyond accuracy"), (_beyond(result), *untested), anchor="beyond"),
        *_corrupted(result),
        measured(_figures(result, joined), _tests(result)),
        what_next(*_next(result)),
    )
    return Page(title, _lead(result.comparisons, base.name), blocks)


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
        most = {tr("Gained most"): changes.gained, tr("Lost most"): changes.lost}
        grid = Grid(tuple(_changed(title, rows, names) for title, rows in most.items()))
        told = (Sentence(_changes_in_words(changes, names)), grid)
        several = len(result.comparisons) > 1
        blocks += [Section(comparison.name, told, folded=bool(blocks))] if several else told
    return Section(tr("Class by class"), tuple(blocks), lead, "classes")


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


def _changed(title: str, changes: Sequence[ClassChange], names: Mapping[str, str]) -> Section:
    if not changes:
        return Section(title, (Sentence(tr("No class.")),))
    rows = (
        (
            names[row.label],
            tr("{base} → {other} of {n}", base=row.base, other=row.level, n=row.n),
            Strong(number(row.change, sign=True)),
        )
        for row in changes
    )
    return Section(title, (Table.of((tr("Class"),), (tr("Right"), tr("Change")), rows),))


def _differing(result: RunComparison) -> Table | Sentence:
    if not result.differences:
        return Sentence(tr("Nothing differs in recipe, data, weights, versions or hardware."))
    rows: list[tuple[Words, ...]] = [(Code(found.key), *found.texts) for found in result.differences]
    return Table.of((tr("Key"), *(run.name for run in result.runs)), (), rows, file="differences")


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
    return Table.of((tr("What"), *(card.name for card in result.cards)), (), rows, note)


def _corrupted(result: RunComparison) -> Iterator[Section]:
    titles = {corruption.name: corruption.title for corruption in SUITE}
    blocks = []
    for pair in result.robustness:
        verdict = retold(pair.robust.verdict_text)
        words = tr("Over all kinds of damage, on {n} drawings: {verdict}.", n=number(pair.n), verdict=verdict)
        title = tr("{other} against {base}", other=pair.first, base=pair.second)
        rows = [row.model_copy(update={"name": titles[row.name]}) for row in pair.corruptions]
        inside: tuple[Block, ...] = (Sentence(words), *forest(rows, result.matters))
        blocks.append(Section(title, inside, tags=(verdict_tag(pair.robust.verdict),)))
    if blocks:
        lead = tr("Each row is the mean over five strengths of one kind of damage, in points of accuracy.")
        yield Section(tr("On damaged drawings"), tuple(blocks), lead, "damaged")


def _figures(result: RunComparison, joined: Joined) -> Table:
    """Every measure of every run, for who wants to check."""
    written = [run.record.results[result.set_name].written(run.record.counts.classes) for run in joined.runs]
    opened = [tr("Holdout opened")] if result.set_name == "holdout" else []
    rows = (
        (
            run.name,
            *own.values(),
            number(run.accuracy.n),
            str(run.seed),
            str(run.fold),
            *(f"{run.opened} ×" for _ in opened),
        )
        for run, own in zip(result.runs, written, strict=True)
    )
    titles = (*written[0], tr("Drawings"), tr("Seed"), tr("Fold"), *opened)
    return Table.of((tr("Model"),), titles, rows, file="accuracy")


def _tests(result: RunComparison) -> Table:
    rows = []
    for found in result.comparisons:
        exact = found.mcnemar[0]
        alone, p_values = f"{exact.level_alone} : {exact.base_alone}", (exact.p, found.p, found.p_holm)
        tested = (points(found.difference), alone, *map(written_p, p_values), size(found.detectable))
        rows.append((found.name, *tested))
    note = tr(
        "“Right alone”: drawings that one names right and the other wrong, its own first. “Could see”: the "
        "smallest difference, in points, found in 80 of 100 cases. Verdicts rest on the paired test over "
        "groups; McNemar’s takes every drawing for independent."
    )
    against = tr("Against {base}", base=result.runs[0].name)
    tests = (tr("McNemar, exact p"), tr("p, paired"), tr("p after Holm"))
    titles = (tr("Points"), tr("Right alone"), *tests, tr("Could see"))
    return Table.of((against,), titles, rows, note, "tests")


def _next(result: RunComparison) -> Iterator[Step]:
    best = max(result.runs, key=lambda run: run.accuracy.value)
    why = tr("See what {name}, which has most right here, gets wrong.", name=best.name)
    yield step(why, "mistakes", best.path, "--out", "mistakes")
    together, runs = tr("Whether they are better together than alone."), (run.path for run in result.runs)
    yield step(together, "ensemble", *runs, "--out", "together")
    why = tr("Whether a recipe is better, not only these trainings, a study says; these come with dessin.")
    yield step(why, "recipes")


def comparison_lines(result: RunComparison, width: int | None) -> list[str]:
    """Accuracies, differences, verdicts, and what differs, as lines for a terminal."""
    accuracies = Table.of(
        (tr("Model"), tr("Accuracy")), (), ((run.name, str(run.accuracy)) for run in result.runs)
    )
    said = [f"{each.name}: {retold(each.verdict_text)}." for each in result.comparisons]
    for pair in result.robustness:
        verdict = retold(pair.robust.verdict_text)
        said.append(tr("On damaged drawings, {name}: {verdict}.", name=pair.first, verdict=verdict))
    blocks = (accuracies, _tests(result), _beyond(result, brief=True), _differing(result))
    return as_lines(blocks, said, result.cautions, width)
