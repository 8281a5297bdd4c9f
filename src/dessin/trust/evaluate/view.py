"""The page of an evaluation: the number, what is taken for what, and each class."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from dessin.language import retold, tr, tr_n, translated
from dessin.page.blocks import Block, Column, Headline, Next, Page, Section, Sentence, Step, Table
from dessin.page.numbers import capital, listed, number, percent, times
from dessin.page.words import Bar, Code, told
from dessin.runs.subject import Subject
from dessin.statistics.headline import metric_notes
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import ClassResult, Metrics
from dessin.trust.evaluate.result import Evaluation

_CLASSES, _PAIRS, _ABSENT = 12, 12, 12


def evaluation_page(subject: Subject, found: Evaluation) -> Page:
    """How many are named right, and which are not; what the figures are made of comes last."""
    metrics, committee = found.metrics, subject.loaded.committee
    names = {label: label for label in committee.classes} | dict(committee.names)
    collection = subject.inputs.manifest.root.resolve().name
    if found.set_name == "holdout":
        title = tr("How well does it name the drawings of {name} that were set aside?", name=collection)
        lead = tr(
            "They took no part in any choice (the holdout). Opened: {times}.", times=times(found.opened)
        )
    else:
        title = tr("How well does it name the drawings of {name} that it had not seen?", name=collection)
        lead = tr("Each was named by models that had not learnt from it (validation).")
    blocks: list[Block] = [
        Headline.of(metrics.accuracy, tr("of the drawings that it had not seen are named right")),
        *absent_classes(metrics),
        _confused(metrics, names),
        class_by_class(metrics, names),
        _measured(metrics),
    ]
    if found.views is not None:
        views, gain = found.views, retold(found.views.gain.verdict_text)
        said = tr(
            "{n} views against the plain one ({plain}): {gain}",
            n=len(views.views),
            plain=views.plain,
            gain=gain,
        )
        blocks.insert(1, Sentence(said))
    if metrics.accuracy.too_few:
        blocks.insert(1, Sentence(f"{capital(retold(metrics.accuracy.method))}.", "warning"))
    if subject.home is not None:
        blocks.append(Section(tr("What to do next"), (Next(tuple(_steps(subject))),), anchor="next"))
    files = Code("predictions.csv, per_class.csv, confusions.csv, metrics.json")
    return Page(
        title,
        lead,
        tuple(blocks),
        told(
            "Written by dessin about {model}. The numbers are in {files} beside this page.",
            model=subject.given.resolve().name,
            files=files,
        ),
    )


def absent_classes(metrics: Metrics) -> Iterator[Sentence]:
    """Of which classes nothing is said."""
    if absent := metrics.absent:
        said = tr_n(
            "{n} class has no drawing in this set, so nothing is said of it: {names}.",
            "{n} classes have no drawing in this set, so nothing is said of them: {names}.",
            len(absent),
            names=listed(absent, most=_ABSENT),
        )
        yield Sentence(said, "notice")


def _confused(metrics: Metrics, names: Mapping[str, str]) -> Section:
    title, found = tr("What is taken for what"), metrics.confusions
    if not found:
        return Section(title, (Sentence(tr("There is no mistake.")),), anchor="pairs")
    columns = (
        *(Column(tr("Class")), Column(tr("Taken for")), Column(tr("Drawings"), number=True)),
        Column(tr("Share of the class"), number=True),
    )
    rows = tuple(
        (names[row.label], names[row.predicted], number(row.count), percent(row.share)) for row in found
    )
    blocks: list[Block] = [Table(columns, rows[:_PAIRS], file="" if rows[_PAIRS:] else "confusions")]
    if rest := rows[_PAIRS:]:
        more = tr_n("{n} pair that is rarer", "{n} pairs that are rarer", len(rest))
        blocks.append(Section(more, (Table(columns, rest, file="confusions"),), folded=True))
    return Section(title, tuple(blocks), anchor="pairs")


def worst_first(metrics: Metrics, names: Mapping[str, str]) -> tuple[ClassResult, ...]:
    """The classes that have images in the set, the least recognised first."""
    rows = [(row, row.recall.value) for row in metrics.per_class if row.recall is not None]
    ordered = sorted(rows, key=lambda pair: (pair[1], -pair[0].n, names[pair[0].label]))
    return tuple(row for row, _ in ordered)


def class_by_class(metrics: Metrics, names: Mapping[str, str]) -> Section:
    """Every class with its share named right, and what it is taken for most often."""
    rows = worst_first(metrics, names)
    lead = tr(
        "The least recognised first. The thin line is the 95% interval: with few drawings of a class it is "
        "wide, and classes should not be compared by their bars alone."
    )
    blocks: list[Block] = [_class_table(rows[:_CLASSES], names, "")]
    if rest := rows[_CLASSES:]:
        title = tr_n("The other class", "The other {n} classes", len(rest))
        blocks.append(Section(title, (_class_table(rest, names, "classes"),), folded=True))
    return Section(tr("Class by class"), tuple(blocks), lead, anchor="classes")


def _class_table(rows: tuple[ClassResult, ...], names: Mapping[str, str], file: str) -> Table:
    columns = (
        *(Column(tr("Class")), Column(tr("Share named right"))),
        *(Column(tr("Right"), number=True), Column(tr("Drawings"), number=True)),
        Column(tr("Most often taken for")),
    )
    cells = []
    for row in rows:
        other = f"{names[row.confused_with]} ({row.confused_count})" if row.confused_count else ""
        if row.recall is not None:
            right = (share_bar(row.recall), percent(row.recall.value))
            cells.append((names[row.label], *right, number(row.n), other))
    return Table(columns, tuple(cells), file=file)


def share_bar(found: Estimate) -> Bar:
    """A share with its interval, as a cell."""
    said = {"value": percent(found.value), "low": percent(found.low), "high": percent(found.high)}
    words = tr("{value}, 95% interval {low} to {high}", **said)
    return Bar(found.value, words, found.low, found.high)


def _measured(metrics: Metrics) -> Section:
    shown = [pair for pair in metrics.items() if len(metrics.per_class) >= pair[0].least_classes]
    rows = tuple((translated(metric.title), metric.written(result)) for metric, result in shown)
    columns = (Column(tr("Measure, with 95% interval")), Column(f"n = {number(metrics.n)}", number=True))
    note = f"{capital(retold(metrics.accuracy.method))}. {metric_notes()}"
    table = Table(columns, rows, note, file="results")
    return Section(tr("How this was measured"), (table,), anchor="measured", folded=True)


def _steps(subject: Subject) -> Iterator[Step]:
    model = shlex.quote(subject.given.as_posix())
    why = tr("See every mistake on a map, and what drawings that fail have in common.")
    yield Step(why, f"dessin mistakes {model} --out mistakes")
    why = tr("What it may be trusted with, on one page: damaged drawings, confidences, its worst class.")
    yield Step(why, f"dessin trust {model} --out trust")
