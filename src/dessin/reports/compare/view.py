"""A comparison of runs as a page and as lines for a terminal, in the order in which it is read."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.language import retold, tr, tr_n
from dessin.page.blocks import (
    Block,
    Column,
    Dots,
    Grid,
    Key,
    Next,
    Notes,
    Page,
    Section,
    Sentence,
    Step,
    Table,
)
from dessin.page.numbers import listed, number, points, short, size, written_p
from dessin.page.tables import aligned, printable
from dessin.page.words import Code, Note, Strong, Words
from dessin.reports.compare.measure import ClassChange, ClassChanges, class_changes
from dessin.reports.compare.result import RunComparison
from dessin.reports.run.made import class_names
from dessin.runs.joined import Joined
from dessin.statistics.comparison import Comparison, draw_forest
from dessin.studies.telling import verdict_tag
from dessin.trust.robustness.compare import RobustComparison
from dessin.trust.robustness.suite import SUITE


def comparison_page(result: RunComparison, joined: Joined) -> Page:
    """The whole page: which is better, by how much, where, and what differs between them."""
    base, data = joined.runs[0], joined.runs[0].record.recipe.data.path
    where = Path(data).name if data else tr("this collection")
    title = tr("Which of {n} models names the drawings in {name} best?", n=len(result.runs), name=where)
    if len(result.runs) == 2:
        title = tr(
            "Does {other} name the drawings in {name} better than {base}?",
            other=result.runs[1].name,
            name=where,
            base=base.name,
        )
    return Page(
        title=title,
        lead=_lead(result.comparisons, base.name),
        blocks=(
            *_differences(result),
            Notes(tuple(map(retold, result.cautions)), tr("What this cannot say")),
            *_classes(result, joined),
            _what_differs(result),
            _beyond_accuracy(result),
            *_corrupted(result),
            _figures(result, joined),
            Section(tr("What to do next"), (Next(tuple(_next(result))),), anchor="next"),
        ),
    )


def _differences(result: RunComparison) -> Iterator[Block]:
    measured = tr(
        "Asked about the same {n} drawings in {groups} groups, from which none of them had learnt.",
        n=number(result.images),
        groups=number(result.groups),
    )
    if result.set_name == "holdout":
        measured = tr(
            "Asked about the same {n} drawings in {groups} groups, which had been set aside (the holdout).",
            n=number(result.images),
            groups=number(result.groups),
        )
    lead = tr(
        "Points of accuracy above or below {base}, with 95% intervals from whole groups of drawings.",
        base=result.runs[0].name,
    )
    said = tuple(
        (Strong(c.name), " ", verdict_tag(c.verdict), f" {retold(c.verdict_text)}.")
        for c in result.comparisons
    )
    yield Section(
        tr("How much better or worse"),
        (*_forest(result.comparisons, result.matters), *([Notes(said)] if len(said) > 1 else [])),
        f"{measured} {lead}",
        anchor="differences",
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


def _forest(comparisons: Sequence[Comparison], matters: float) -> Iterator[Dots]:
    forest = draw_forest(comparisons, matters)
    if forest is not None:
        band = tr("the ±{points} points that were said not to matter", points=short(100 * matters))
        yield Dots(forest.plot, (Key("line", tr("no difference")), Key("band", band)))


def _classes(result: RunComparison, joined: Joined) -> Iterator[Section]:
    base, names = joined.runs[0], class_names(joined.runs[0].folder, joined.labels)
    lead = tr(
        "How many drawings of a class {base} and the other name right. With few drawings of a class, changes "
        "of a few come by chance.",
        base=base.name,
    )
    blocks: list[Block] = []
    for comparison, correct in zip(result.comparisons, joined.correct[1:], strict=True):
        changes = class_changes(joined.correct[0], correct, joined.labels)
        told = (Sentence(_changes_in_words(changes, names)), _changed(changes, names))
        several = len(result.comparisons) > 1
        blocks += [Section(comparison.name, told, folded=bool(blocks))] if several else told
    yield Section(tr("Class by class"), tuple(blocks), lead, anchor="classes")


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
        columns = (Column(tr("Class")), Column(tr("Right"), number=True), Column(tr("Change"), number=True))
        return Section(title, (Table(columns, cells) if cells else Sentence(tr("No class.")),))

    return Grid((table(tr("Gained most"), changes.gained), table(tr("Lost most"), changes.lost)))


def _what_differs(result: RunComparison) -> Section:
    title = tr("What differs between them")
    if not result.differences:
        nothing = Sentence(tr("Nothing differs in recipe, data, weights, versions or hardware."))
        return Section(title, (nothing,), anchor="differs")
    lead = tr(
        "Recipe, data, weights, versions and hardware; what is equal is left out. Of a list, what a run adds "
        "to that of {base} and what it lacks.",
        base=result.runs[0].name,
    )
    columns = (Column(tr("Key")), *(Column(run.name) for run in result.runs))
    rows: list[tuple[Words, ...]] = [(Code(found.key), *found.texts) for found in result.differences]
    return Section(title, (Table(columns, tuple(rows), file="differences"),), lead, anchor="differs")


def _beyond_accuracy(result: RunComparison) -> Section:
    """The trust cards beside each other."""
    lead = tr("What is known of each beside its accuracy, and the command that measures what is not.")
    columns = (Column(tr("What")), *(Column(card.name) for card in result.cards))
    rows: list[tuple[Words, ...]] = [
        (
            alike[0].title,
            *((Strong(fact.value or tr("not measured")), Note(fact.detail)) for fact in alike),
        )
        for alike in zip(*(card.facts for card in result.cards), strict=True)
    ]
    rows.append((tr("Not tested on"), *(" ".join(card.untested) for card in result.cards)))
    return Section(tr("Beyond accuracy"), (Table(columns, tuple(rows)),), lead, anchor="beyond")


def _corrupted(result: RunComparison) -> Iterator[Section]:
    if not result.robustness:
        return
    lead = tr(
        "All answered the same damaged drawings. Each row is the mean over five strengths of one kind of "
        "damage, in points of accuracy, corrected for looking at all of them (Holm)."
    )
    blocks: list[Block] = []
    for pair in result.robustness:
        words = tr(
            "Over all kinds of damage, on {n} drawings: {verdict}.",
            n=number(pair.n),
            verdict=retold(pair.robust.verdict_text),
        )
        title = tr("{other} against {base}", other=pair.first, base=pair.second)
        inside: tuple[Block, ...] = (Sentence(words), *_forest(_titled(pair), result.matters))
        blocks.append(Section(title, inside, tags=(verdict_tag(pair.robust.verdict),)))
    yield Section(tr("On damaged drawings"), tuple(blocks), lead, anchor="damaged")


def _titled(pair: RobustComparison) -> list[Comparison]:
    """The corruptions of a comparison under their names for people."""
    titles = {corruption.name: corruption.title for corruption in SUITE}
    return [row.model_copy(update={"name": titles[row.name]}) for row in pair.corruptions]


def _figures(result: RunComparison, joined: Joined) -> Section:
    """Every measure of every run, and the tests, for who wants to check."""
    measured = [run.record.results[result.set_name].written(run.record.counts.classes) for run in joined.runs]
    columns = [
        Column(tr("Model")),
        *(Column(title, number=True) for title in measured[0]),
        Column(tr("Drawings"), number=True),
        Column(tr("Seed"), number=True),
        Column(tr("Fold"), number=True),
    ]
    rows: list[tuple[Words, ...]] = [
        (run.name, *written.values(), number(run.accuracy.n), str(run.seed), str(run.fold))
        for run, written in zip(result.runs, measured, strict=True)
    ]
    if result.set_name == "holdout":
        columns.append(Column(tr("Holdout opened"), number=True))
        rows = [(*row, f"{run.opened} ×") for row, run in zip(rows, result.runs, strict=True)]
    titles = [
        tr("Against {base}", base=result.runs[0].name),
        *(tr("Points"), tr("Right alone"), tr("McNemar, exact p"), tr("p, paired"), tr("p after Holm")),
        tr("Could see"),
    ]
    tests = tuple((*_cells(c)[:4], written_p(c.p), *_cells(c)[4:]) for c in result.comparisons)
    note = tr_n(
        "“Right alone” counts the drawings that one of the two named right and the other wrong, its own "
        "first. “Could see” is the smallest difference, in points, that such a comparison finds in 80 of 100 "
        "cases. McNemar’s test takes every drawing for independent; the verdict rests on the paired test "
        "over groups.",
        "“Right alone” counts the drawings that one of the two named right and the other wrong, its own "
        "first. “Could see” is the smallest difference, in points, that such a comparison finds in 80 of 100 "
        "cases. McNemar’s test takes every drawing for independent; the verdicts rest on the paired test "
        "over groups, after Holm’s correction for {n} comparisons.",
        len(result.comparisons),
    )
    return Section(
        tr("How this was measured"),
        (
            Table(tuple(columns), tuple(rows), file="accuracy"),
            Table(tuple(Column(title, number=n > 0) for n, title in enumerate(titles)), tests, note, "tests"),
        ),
        anchor="measured",
        folded=True,
    )


def _next(result: RunComparison) -> Iterator[Step]:
    best = max(result.runs, key=lambda run: run.accuracy.value)
    path = shlex.quote(best.path)
    yield Step(
        tr(
            "See what {name}, which has most right here, gets wrong, and what such drawings have in common.",
            name=best.name,
        ),
        f"dessin mistakes {path} --out mistakes",
    )
    runs = " ".join(shlex.quote(run.path) for run in result.runs)
    yield Step(tr("Whether they are better together than alone."), f"dessin ensemble {runs} --out together")
    yield Step(
        tr("Whether a recipe is better, not only these trainings, a study says; these come with dessin."),
        "dessin recipes",
    )


def comparison_lines(result: RunComparison, width: int | None) -> list[str]:
    """Accuracies, differences, verdicts, and what differs, as lines for a terminal."""
    accuracies = [[run.name, str(run.accuracy)] for run in result.runs]
    accuracy = f"accuracy ({result.set_name})"
    lines = aligned(["run", accuracy], accuracies, width, whole={accuracy})
    titles = ["against " + result.runs[0].name, "points", "alone right", "McNemar p", "p (Holm)", "could see"]
    lines += ["", *aligned(titles, list(map(_cells, result.comparisons)), width, whole=titles[1:]), ""]
    lines += [printable(f"{c.name}: {retold(c.verdict_text)}.") for c in result.comparisons]
    facts = [
        [alike[0].title, *(fact.value or "not measured" for fact in alike)]
        for alike in zip(*(card.facts for card in result.cards), strict=True)
    ]
    lines += ["", *aligned(["beyond accuracy", *(card.name for card in result.cards)], facts, width)]
    lines += [
        printable(f"{pair.first}, robust accuracy: {retold(pair.robust.verdict_text)}.")
        for pair in result.robustness
    ]
    differing = [[found.key, *found.texts] for found in result.differences]
    titles = ["what differs", *(run.name for run in result.runs)]
    nothing = ["Nothing differs in recipe, data, weights, versions or hardware."]
    lines += ["", *(aligned(titles, differing, width) if differing else nothing)]
    return [*lines, *(printable(f"Note: {caution}") for caution in result.cautions)]


def _cells(comparison: Comparison) -> list[str]:
    exact = comparison.mcnemar[0]
    return [
        comparison.name,
        points(comparison.difference),
        f"{exact.level_alone} : {exact.base_alone}",
        written_p(exact.p),
        written_p(comparison.p_holm),
        size(comparison.detectable),
    ]
