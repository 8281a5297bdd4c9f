"""The page of an evaluation: the number, what is taken for what, and each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dessin.language import retold, tr, translated
from dessin.page.blocks import Block, Headline, Page, Section, Sentence, Table
from dessin.page.numbers import capital, listed, number, percent, share, times
from dessin.page.parts import columns, further, long_table, measured, what_next, written_by
from dessin.page.words import Bar
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
    title = tr("How well does it name the drawings of {name} that it had not seen?", name=collection)
    lead = tr("Each was named by models that had not learnt from it (validation).")
    if found.set_name == "holdout":
        title = tr("How well does it name the drawings of {name} that were set aside?", name=collection)
        opened = times(found.opened)
        lead = tr("They took no part in any choice (the holdout). Opened: {times}.", times=opened)
    blocks: list[Block] = [
        Headline.of(metrics.accuracy, tr("of the drawings that it had not seen are named right"))
    ]
    if metrics.accuracy.too_few:
        blocks.append(Sentence(f"{capital(retold(metrics.accuracy.method))}.", "warning"))
    if found.views is not None:
        views, gain = found.views, retold(found.views.gain.verdict_text)
        said = {"n": len(views.views), "plain": views.plain, "gain": gain}
        blocks.append(Sentence(tr("{n} views against the plain one ({plain}): {gain}", **said)))
    blocks += [
        *absent_classes(metrics),
        _confused(metrics, names),
        class_by_class(metrics, names),
        _measured(metrics),
    ]
    if subject.home is not None:
        blocks.append(what_next(*further(subject.given, "mistakes", "trust")))
    files = "predictions.csv, per_class.csv, confusions.csv, metrics.json"
    return Page(title, lead, tuple(blocks), written_by(subject.given.resolve().name, files))


def absent_classes(metrics: Metrics) -> Iterator[Sentence]:
    """Of which classes nothing is said."""
    if absent := metrics.absent:
        names = listed(absent, most=_ABSENT)
        said = tr("Nothing is said of classes without a drawing here: {names}.", names=names)
        yield Sentence(said, "notice")


def _confused(metrics: Metrics, names: Mapping[str, str]) -> Section:
    title, found = tr("What is taken for what"), metrics.confusions
    if not found:
        return Section(title, (Sentence(tr("There is no mistake.")),), anchor="pairs")
    titles = columns((tr("Class"), tr("Taken for")), (tr("Drawings"), tr("Share of the class")))
    rows = tuple(
        (names[row.label], names[row.predicted], number(row.count), percent(row.share)) for row in found
    )
    return Section(title, tuple(long_table(titles, rows, _PAIRS, "confusions")), anchor="pairs")


def worst_first(metrics: Metrics, names: Mapping[str, str]) -> tuple[ClassResult, ...]:
    """The classes that have images in the set, the least recognised first."""
    rows = [(row, row.recall.value) for row in metrics.per_class if row.recall is not None]
    ordered = sorted(rows, key=lambda pair: (pair[1], -pair[0].n, names[pair[0].label]))
    return tuple(row for row, _ in ordered)


def class_by_class(metrics: Metrics, names: Mapping[str, str]) -> Section:
    """Every class with its share named right, and what it is taken for most often."""
    cells = []
    for row in worst_first(metrics, names):
        other = f"{names[row.confused_with]} ({row.confused_count})" if row.confused_count else ""
        if row.recall is not None:
            right = percent(row.recall.value)
            cells.append((names[row.label], share_bar(row.recall), other, right, number(row.n)))
    words = (tr("Class"), tr("Share named right"), tr("Most often taken for"))
    table = tuple(long_table(columns(words, (tr("Right"), tr("Drawings"))), cells, _CLASSES, "classes"))
    lead = tr("The least recognised first. Where the thin line, the 95% interval, is wide, bars say little.")
    return Section(tr("Class by class"), table, lead, "classes")


def share_bar(found: Estimate) -> Bar:
    """A share with its interval, as a cell."""
    return Bar.of(found, share(found, 0))


def _measured(metrics: Metrics) -> Section:
    shown = [pair for pair in metrics.items() if len(metrics.per_class) >= pair[0].least_classes]
    rows = tuple((translated(metric.title), metric.written(result)) for metric, result in shown)
    titles = columns((tr("Measure, with 95% interval"),), (f"n = {number(metrics.n)}",))
    note = f"{capital(retold(metrics.accuracy.method))}. {metric_notes()}"
    return measured(Table(titles, rows, note, file="results"))
