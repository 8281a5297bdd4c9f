"""A distillation in words and as a page: what the student pays, what it gains, and what cannot be said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.committees.distill.measure import BATCH
from dessin.committees.distill.result import ALONE, COMMITTEE, STUDENT, WHOLE, DistillResults, Size
from dessin.committees.sides import Sides, sides_section
from dessin.committees.view import (
    as_lines,
    cautions_of_all,
    closing,
    committee_page,
    gain_in_words,
    how_made,
    opening,
    use_steps,
)
from dessin.language import tr, tr_n
from dessin.page.blocks import Block, Fact, Page, Section, Sentence, Table
from dessin.page.numbers import Interval, listed, number, percent, plain, points, share, written_p
from dessin.page.parts import columns
from dessin.page.words import Words
from dessin.studies.telling import verdict_tag
from dessin.studies.view import forest

# A first choice with less than this share of what it should have tells little.
_FLAT = 0.5


def _name(answerer: str) -> str:
    names = {
        COMMITTEE: tr("the committee"),
        WHOLE: tr("the whole committee"),
        STUDENT: tr("the student"),
        ALONE: tr("the same student trained alone"),
    }
    return names[answerer]


def told(results: DistillResults, untaught: Sequence[int], provenance: Mapping[str, str]) -> DistillResults:
    """The results with their words: the price, what is had for it, and whether the teacher was needed.

    `untaught` are folds where no training was kept.
    """
    paid, gained = (
        gain_in_words(row, _name(STUDENT), _name(row.against), judged=2)
        for row in (results.paid, results.gained)
    )
    speed = tr(
        "It answers {whole} times as many drawings a second as the whole committee, and {part} times as many "
        "as the part of it that was measured.",
        whole=number(results.speed.gain(WHOLE, BATCH).value, 1),
        part=number(results.speed.gain(COMMITTEE, BATCH).value, 1),
    )
    words = {
        "verdict": (paid, speed, gained),
        "warnings": tuple(_warnings(results, untaught)),
        "cautions": tuple(_cautions(results, provenance)),
    }
    return results.model_copy(update=words)


def _warnings(results: DistillResults, untaught: Sequence[int]) -> Iterator[str]:
    """What went amiss, so that the figures say little."""
    if untaught:
        yield tr_n(
            "On fold {folds} the student and the one alone have the same weights: neither became better than "
            "the probe, so the teacher had no say there. Train longer, or with a lower rate.",
            "On folds {folds} the student and the one alone have the same weights: neither became better "
            "than the probe, so the teacher had no say there. Train longer, or with a lower rate.",
            len(untaught),
            folds=listed([*map(str, untaught)]),
        )
    right, soft = _of_labels(results)
    if soft < _FLAT * right:
        yield tr(
            "At temperature {temperature} the labels are nearly flat: the first choice has {soft}, and is "
            "the label of {right}. A lower temperature would say more.",
            temperature=f"{results.temperature:g}",
            soft=percent(soft),
            right=percent(right),
        )


def _of_labels(results: DistillResults) -> tuple[float, float]:
    """How right the measured folds' soft labels are, and the share that their first choice has."""
    measured = [row for row in results.labels if row.fold != "none"]
    images = sum(row.images for row in measured)
    right, soft = (
        sum(getattr(row, key) * row.images for row in measured) / images
        for key in ("right", "largest_tempered")
    )
    return right, soft


def _cautions(results: DistillResults, provenance: Mapping[str, str]) -> Iterator[str]:
    """What a reader must know of how the labels and the figures came about."""
    models = results.named(COMMITTEE).size.models
    if models < results.whole.models:
        yield tr_n(
            "“The committee” is the {n} model that did not see a drawing’s fold: the other models of all "
            "{all} learnt from it.",
            "“The committee” is the {n} models that did not see a drawing’s fold: the other models of all "
            "{all} learnt from it.",
            models,
            all=results.whole.models,
        )
    if provenance.get("made_by") == "ensemble":
        yield tr(
            "Its members were chosen by drawings among these, so its figure is a little too good, and the "
            "price a little too high."
        )
    yield from cautions_of_all(luck=results.paid.scope == "these runs")
    if results.final:
        yield tr(
            "The student in bundle/ learnt from every fold; the figure of the measured students, of fewer "
            "drawings, stands for it."
        )


def distill_page(results: DistillResults, runs: Mapping[str, Path], out: Path, sides: Sides) -> Page:
    """The page of the distillation in `out`; `runs` are the trained parts by what they are."""
    student, committee, speed = results.named(STUDENT), results.named(COMMITTEE), results.speed
    who, other, models = _name(STUDENT), _name(COMMITTEE), results.whole.models
    named = [
        row.model_copy(update={"name": who, "against": _name(row.against)})
        for row in (results.paid, results.gained)
    ]
    factor, whole = number(speed.gain(WHOLE, BATCH).value, 1), _megabytes(results.whole)
    facts = (
        Fact(tr("Speed, times"), factor, tr("against the whole committee of {n} models", n=models)),
        Fact(tr("Size"), _megabytes(student.size), tr("the whole committee: {size}", size=whole)),
    )
    taught = tr(
        "{student} learnt from how sure “{committee}” is of each class; the committee’s first choice is the "
        "label of {right}. What taught a student that is measured on a fold were models that were trained "
        "without that fold.",
        student=results.student,
        committee=results.committee,
        right=percent(_of_labels(results)[0], 1),
    )
    timed = tr(
        "Images a second on {hardware} ({threads} threads), from memory; the median of {rounds} rounds, the "
        "slowest and the fastest.",
        hardware=speed.hardware.gpu if speed.device == "cuda" else speed.hardware.cpu,
        threads=speed.hardware.threads,
        rounds=speed.rounds,
    )
    use = tr("Name new drawings with the student.") if results.final else ""
    # The final student learnt from every fold, so mistakes are those of one that was measured.
    tested = out / "runs" / f"student-fold-{results.folds[0]}"
    paid = tr("What is paid, and what the teacher gives")
    how = (_accuracies(results), *how_made(runs, results.decisions))
    blocks: tuple[Block, ...] = (
        *opening((who, student.accuracy), (other, committee.accuracy), results.paid, *facts),
        *map(Sentence, (*results.verdict[1:], taught)),
        *(Sentence(warning, "warning") for warning in results.warnings),
        sides_section(sides, who, other),
        Section(paid, tuple(forest(named, results.matters)), anchor="paid"),
        Section(tr("Speed and size"), (_speeds(results),), timed, "speed"),
        *closing(results, how, use_steps(out, use, tested)),
    )
    question = tr("can one small model stand in for the committee?")
    files = "results.json, distill.csv, speed.json, labels/, runs/"
    return committee_page(sides.data, question, results.verdict[0], blocks, files)


def _megabytes(size: Size) -> str:
    return tr("{size} MB", size=number(size.bytes / 1e6, 1))


def _accuracies(results: DistillResults) -> Table:
    """Who answered, and how the student differs from each."""
    against = {row.against: row for row in (results.paid, results.gained)}
    rows: list[tuple[Words, ...]] = []
    for row in results.answerers:
        own = ("", "", "")
        if found := against.get(row.name):
            own = (points(found.difference), written_p(found.p_holm), verdict_tag(found.verdict).text)
        rows.append((_name(row.name), share(row.accuracy), plain(row.loss), *own))
    titles = (tr("Accuracy"), tr("Log loss"), tr("The student’s points"), tr("p (Holm)"))
    return Table((*columns((tr("Who answers"),), titles), *columns((tr("Verdict"),))), tuple(rows))


def _speeds(results: DistillResults) -> Table:
    speed, titles = results.speed, []
    rows = {name: [_name(name)] for name in (WHOLE, COMMITTEE, STUDENT)}
    for batch in speed.batches:
        many = tr("Batches of {n}, a second", n=batch)
        titles += [tr("Single images, a second") if batch == 1 else many, tr("The student, times")]
        for name, cells in rows.items():
            gain = "" if name == STUDENT else _median(speed.gain(name, batch))
            cells += [_median(speed.pace(name, batch)), gain]
    for name, cells in rows.items():
        size = results.whole if name == WHOLE else results.named(name).size
        cells += [number(size.models), _megabytes(size)]
    return Table.of((tr("Who answers"),), (*titles, tr("Models"), tr("On disk")), map(tuple, rows.values()))


def _median(found: Interval) -> str:
    value, low, high = (number(each, 1 if each < 100 else 0) for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def result_lines(results: DistillResults, width: int | None) -> list[str]:
    """Accuracies, differences, speeds and the verdict, as lines for a terminal."""
    notes = (*results.warnings, *results.cautions)
    return as_lines((_accuracies(results), _speeds(results)), results.verdict, notes, width)
