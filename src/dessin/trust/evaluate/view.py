"""The page of an evaluation: the number, what is taken for what, and each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dessin.language import retold, tr, translated
from dessin.page.blocks import Block, Headline, Page, Section, Sentence, Table
from dessin.page.numbers import capital, listed, number, percent, times
from dessin.page.parts import further, long_table, measured, named_right, paragraphs, what_next, written_by
from dessin.runs.subject import Subject
from dessin.statistics.headline import metric_notes
from dessin.statistics.metrics import Confusion, Metrics
from dessin.trust.evaluate.result import Evaluation

_CLASSES, _PAIRS, _ABSENT = 12, 12, 12


def evaluation_page(subject: Subject, found: Evaluation) -> Page:
    """How many are named right, and which are not; what the figures are made of comes last."""
    metrics, committee = found.metrics, subject.loaded.committee
    names = {label: label for label in committee.classes} | dict(committee.names)
    title = tr("How well does it name the drawings of {name} that it had not seen?", name=subject.collection)
    lead = tr("Each was named by models that had not learnt from it (validation).")
    if found.set_name == "holdout":
        title = tr(
            "How well does it name the drawings of {name} that were set aside?", name=subject.collection
        )
        opened = times(found.opened)
        lead = tr("They took no part in any choice (the holdout). Opened: {times}.", times=opened)
    too_few = f"{capital(retold(metrics.accuracy.method))}." if metrics.accuracy.too_few else ""
    gain = ""
    if views := found.views:
        said = {"n": len(views.views), "plain": views.plain, "gain": retold(views.gain.verdict_text)}
        gain = tr("{n} views against the plain one ({plain}): {gain}", **said)
    return Page(
        title,
        lead,
        (
            Headline.of(metrics.accuracy, tr("of the drawings that it had not seen are named right")),
            *paragraphs(too_few, kind="warning"),
            *paragraphs(gain),
            *absent_classes(metrics),
            _confused(metrics, names),
            class_by_class(metrics, names),
            _measured(metrics),
            *([what_next(*further(subject.given, "mistakes", "trust"))] if subject.home else ()),
        ),
        written_by(
            subject.given.resolve().name, "predictions.csv, per_class.csv, confusions.csv, metrics.json"
        ),
    )


def absent_classes(metrics: Metrics) -> Iterator[Sentence]:
    """Of which classes nothing is said."""
    if absent := metrics.absent:
        names = listed(absent, most=_ABSENT)
        said = tr("Nothing is said of classes without a drawing here: {names}.", names=names)
        yield Sentence(said, "notice")


def _confused(metrics: Metrics, names: Mapping[str, str]) -> Section:
    blocks: tuple[Block, ...] = (Sentence(tr("There is no mistake.")),)
    if metrics.confusions:
        found = confusions(metrics.confusions, names, "confusions")
        blocks = tuple(long_table(found.columns, found.rows, _PAIRS, found.file))
    return Section(tr("What is taken for what"), blocks, anchor="pairs")


def confusions(pairs: Sequence[Confusion], names: Mapping[str, str], file: str) -> Table:
    """Which class was taken for which, and how often."""
    titles = (tr("Class"), tr("Taken for")), (tr("Drawings"), tr("Share of the class"))
    rows = ((names[row.label], names[row.predicted], number(row.count), percent(row.share)) for row in pairs)
    return Table.of(*titles, rows, file=file)


def class_by_class(metrics: Metrics, names: Mapping[str, str]) -> Section:
    """Every class with its share named right, the least recognised first, and what it is taken for most."""
    rows = [(row, row.recall) for row in metrics.per_class if row.recall is not None]
    cells = []
    for row, recall in sorted(rows, key=lambda pair: (pair[1].value, -pair[0].n, names[pair[0].label])):
        other = f"{names[row.confused_with]} ({row.confused_count})" if row.confused_count else ""
        cells.append((names[row.label], recall, row.n, other))
    found = named_right((tr("Class"), tr("Most often taken for")), cells, _CLASSES, "classes")
    lead = tr("The least recognised first. Where the thin line, the 95% interval, is wide, bars say little.")
    return Section(tr("Class by class"), tuple(found), lead, "classes")


def _measured(metrics: Metrics) -> Section:
    shown = (pair for pair in metrics.items() if len(metrics.per_class) >= pair[0].least_classes)
    rows = ((translated(metric.title), metric.written(result)) for metric, result in shown)
    note = f"{capital(retold(metrics.accuracy.method))}. {metric_notes()}"
    titles = (tr("Measure, with 95% interval"),), (f"n = {number(metrics.n)}",)
    return measured(Table.of(*titles, rows, note, "results"))
