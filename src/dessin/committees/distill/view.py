"""A distillation in words and as a page: what the student pays, what it gains, and what these numbers
cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.committees.distill.measure import BATCH
from dessin.committees.distill.result import (
    ALONE,
    COMMITTEE,
    STUDENT,
    WHOLE,
    DistillResults,
    Pace,
    Size,
)
from dessin.committees.part_runs import part_row
from dessin.committees.sides import Sides, sides_section
from dessin.committees.view import (
    as_lines,
    cannot_say,
    choices_table,
    collection_of,
    differences,
    files_beside,
    gain_facts,
    gain_in_words,
    headline,
    mistakes_step,
    next_section,
    parts_table,
    predict_step,
)
from dessin.language import tr, tr_n
from dessin.page.blocks import Block, Column, Fact, Page, Section, Sentence, Table
from dessin.page.numbers import listed, number, percent, plain, points, share, written_p
from dessin.page.words import Words
from dessin.studies.telling import verdict_tag

# A first choice with less than this share of what it should have tells little.
_FLAT = 0.5


def told(results: DistillResults, untaught: Sequence[int], provenance: Mapping[str, str]) -> DistillResults:
    """The results with their words; `untaught` are folds where no training was kept."""
    words = {
        "verdict": _verdict(results),
        "warnings": tuple(_warnings(results, untaught)),
        "cautions": tuple(_cautions(results, provenance)),
    }
    return results.model_copy(update=words)


def _name(answerer: str) -> str:
    names = {
        COMMITTEE: tr("the committee"),
        WHOLE: tr("the whole committee"),
        STUDENT: tr("the student"),
        ALONE: tr("the same student trained alone"),
    }
    return names[answerer]


def _verdict(results: DistillResults) -> tuple[str, ...]:
    """The price, what is had for it, and whether the teacher was needed: each by itself."""
    whole, part = (results.speed.gain(name, BATCH) for name in (WHOLE, COMMITTEE))
    price = {
        "worse": tr("The student pays."),
        "better": tr("The student pays nothing."),
        "no difference": tr("The student pays nothing that matters."),
    }
    teacher = {
        "better": tr("The teacher helps."),
        "worse": tr("The teacher harms."),
        "no difference": tr("The teacher was not needed."),
    }
    paid = gain_in_words(results.paid, _name(STUDENT), _name(COMMITTEE), judged=2)
    gained = gain_in_words(results.gained, _name(STUDENT), _name(ALONE), judged=2)
    speed = tr(
        "It answers {whole} times as many drawings a second as the whole committee, and {part} times as many "
        "as the part of it that was measured.",
        whole=times(whole.value),
        part=times(part.value),
    )
    # Where it cannot be told, the gain's own sentence says so.
    said = (f"{price.get(results.paid.verdict, '')} {paid}", speed)
    return tuple(text.lstrip() for text in (*said, f"{teacher.get(results.gained.verdict, '')} {gained}"))


def times(factor: float) -> str:
    """`3.21` → `3.2`; from 10 on without decimals."""
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def _warnings(results: DistillResults, untaught: Sequence[int]) -> Iterator[str]:
    """What went amiss, so that the figures say little."""
    if untaught:
        yield tr_n(
            "On fold {folds} the student and the one alone have the same weights: neither became better than "
            "the probe that both began from, so the teacher had no say there. Train longer, or with a lower "
            "rate.",
            "On folds {folds} the student and the one alone have the same weights: neither became better "
            "than the probe that both began from, so the teacher had no say there. Train longer, or with a "
            "lower rate.",
            len(untaught),
            folds=listed([*map(str, untaught)]),
        )
    right, _, soft = _of_measured(results)
    if soft < _FLAT * right:
        yield tr(
            "At temperature {temperature} the labels are nearly flat: the first choice has {soft}, and is "
            "the label of {right}. A lower temperature would say more.",
            temperature=f"{results.temperature:g}",
            soft=percent(soft),
            right=percent(right),
        )


def _cautions(results: DistillResults, provenance: Mapping[str, str]) -> Iterator[str]:
    """What a reader must know of how the labels and the figures came about."""
    yield _no_leak(results)
    models = results.named(COMMITTEE).size.models
    if models < results.whole.models:
        yield tr_n(
            "Here “the committee” means the {n} model that did not see a drawing’s fold. All {all} together "
            "cannot be measured on these drawings, for the others learnt from them.",
            "Here “the committee” means the {n} models that did not see a drawing’s fold. All {all} together "
            "cannot be measured on these drawings, for the others learnt from them.",
            models,
            all=results.whole.models,
        )
    if provenance.get("made_by") == "ensemble":
        yield tr(
            "The committee’s members and weights were chosen on drawings among these, so its own figure is a "
            "little too good and the price a little too high; its page has the figure on drawings that the "
            "choice did not see."
        )
    if results.paid.scope == "these runs":
        yield tr(
            "This is about these trained models: with so few trainings, the luck of a training is not in the "
            "intervals. Three folds or more put it there."
        )
    yield tr(
        "Student, lone student and the committee’s models each kept the epoch that did best on the very "
        "drawings that they are measured on, if their recipe says so; all figures are a little too good, "
        "for all of them alike."
    )
    if results.final:
        yield tr(
            "The student in bundle/ was trained on every fold, with labels of the whole committee. It has no "
            "figure of its own here; that of the measured students, trained on fewer drawings, stands for "
            "it. The holdout, which none of these models saw, can measure it once."
        )


def _no_leak(results: DistillResults) -> str:
    """Whose labels a measured student learns from, and what they are like."""
    right, largest, soft = _of_measured(results)
    leak = tr(
        "No leak: a student that is measured on a fold learns from labels of models that were trained "
        "without that fold. But those models have learnt the very drawings that they label, true labels "
        "included, so their labels are surer than their answers to new drawings: their first choice is the "
        "label of {right}, and has a share of {largest} on average.",
        right=percent(right, 1),
        largest=percent(largest),
    )
    views = tr_n(
        "That is why they are taken in one view.",
        "That is why they are taken as means over {n} views.",
        len(results.views),
    )
    if results.temperature == 1.0:
        return f"{leak} {views}"
    tempered = tr(
        "At temperature {temperature} the first choice has {soft}.",
        temperature=f"{results.temperature:g}",
        soft=percent(soft),
    )
    return f"{leak} {views} {tempered}"


def _of_measured(results: DistillResults) -> tuple[float, float, float]:
    """How right the measured folds' labels are, and the share of their first choice as it is and softened."""
    measured = [row for row in results.labels if row.fold != "none"]
    images = sum(row.images for row in measured)
    right, largest, soft = (
        sum(getattr(row, key) * row.images for row in measured) / images
        for key in ("right", "largest", "largest_tempered")
    )
    return right, largest, soft


def distill_page(results: DistillResults, runs: Mapping[str, Path], out: Path, sides: Sides) -> Page:
    """The page of the distillation in `out`; `runs` are the trained parts by what they are."""
    student, committee = results.named(STUDENT), results.named(COMMITTEE)
    whole = results.speed.gain(WHOLE, BATCH)
    right = tr(
        "named right by the student ({backbone}), of {n} drawings that neither it nor its teachers saw",
        backbone=results.student,
        n=number(results.images),
    )
    facts = (
        Fact(
            tr("Speed, times"),
            times(whole.value),
            tr("against the whole committee of {n} models", n=results.whole.models),
        ),
        Fact(
            tr("Size"),
            _megabytes(student.size),
            tr("the whole committee: {size}", size=_megabytes(results.whole)),
        ),
    )
    taught = tr(
        "The student learnt from the soft labels of {committee}: how sure it is of each class.",
        committee=results.committee,
    )
    use = tr("Name new drawings with the student.")
    # The final student learnt from every fold, so mistakes are those of one that was measured.
    first = out / "runs" / f"student-fold-{results.folds[0]}"
    steps = [predict_step(out, use)] if results.final else []
    return Page(
        title=tr(
            "{collection}: can one small model stand in for the committee?",
            collection=collection_of(sides.data),
        ),
        lead=results.verdict[0],
        blocks=(
            headline(student.accuracy, right, committee.accuracy),
            gain_facts(committee.accuracy, _name(COMMITTEE), results.paid, facts),
            *map(Sentence, (*results.verdict[1:], taught)),
            *(Sentence(warning, "warning") for warning in results.warnings),
            sides_section(sides, _name(STUDENT), _name(COMMITTEE)),
            _paid(results),
            _speed(results),
            cannot_say(results.cautions),
            _measured(results, runs),
            next_section((*steps, mistakes_step(first, out))),
        ),
        footer=files_beside("results.json", "distill.csv", "speed.json", "labels/", "runs/"),
    )


def _megabytes(size: Size) -> str:
    return tr("{size} MB", size=number(size.bytes / 1e6, 1))


def _paid(results: DistillResults) -> Section:
    named = [
        row.model_copy(update={"name": _name(STUDENT), "against": _name(row.against)})
        for row in (results.paid, results.gained)
    ]
    lead = tr("Points of accuracy on the same drawings, with 95% intervals.")
    title = tr("What is paid, and what the teacher gives")
    return Section(title, (differences(named, results.matters),), lead, "paid")


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
    numbers = (Column(title, number=True) for title in titles)
    note = tr(
        "The points are the student’s accuracy minus that of the row. A student of softened labels is less "
        "sure of itself than one of hard labels, which shows in the loss, not in the accuracy."
    )
    return Table((Column(tr("Who answers")), *numbers, Column(tr("Verdict"))), tuple(rows), note)


def _speed(results: DistillResults) -> Section:
    speed = results.speed
    lead = tr(
        "Images a second on {device} ({hardware}, {threads} threads), of pixels that are in memory already; "
        "the committee looks in all of its views. All take turns, {rounds} rounds; in brackets the slowest "
        "and the fastest round, which hold the median in 98 of 100 cases.",
        device=speed.device,
        hardware=speed.hardware.gpu if speed.device == "cuda" else speed.hardware.cpu,
        threads=speed.hardware.threads,
        rounds=speed.rounds,
    )
    return Section(tr("Speed and size"), (_speeds(results),), lead, "speed")


def _speeds(results: DistillResults) -> Table:
    speed = results.speed
    sizes = {
        WHOLE: results.whole,
        COMMITTEE: results.named(COMMITTEE).size,
        STUDENT: results.named(STUDENT).size,
    }

    def asked(name: str, batch: int) -> tuple[Words, Words]:
        own = speed.pace(name, batch)
        if name == STUDENT:
            return _pace(own), ""
        gain = speed.gain(name, batch)
        return _pace(own), f"{gain.value:.1f} [{gain.low:.1f}, {gain.high:.1f}]"

    rows = tuple(
        (
            _name(name),
            *(cell for batch in speed.batches for cell in asked(name, batch)),
            number(size.models),
            tr("{n} M", n=number(size.parameters / 1e6, 1)),
            _megabytes(size),
        )
        for name, size in sizes.items()
    )
    titles: list[str] = []
    for batch in speed.batches:
        many = tr("Batches of {n}, a second", n=batch)
        titles += [tr("Single images, a second") if batch == 1 else many, tr("The student, times")]
    titles += [tr("Models"), tr("Parameters"), tr("On disk")]
    return Table((Column(tr("Who answers")), *(Column(title, number=True) for title in titles)), rows)


def _pace(found: Pace) -> str:
    return f"{pace(found.value)} [{pace(found.low)}, {pace(found.high)}]"


def pace(rate: float) -> str:
    """Images a second: `8.24` → `8.2`, `431.6` → `432`."""
    return number(rate, 1 if rate < 100 else 0)


def _measured(results: DistillResults, runs: Mapping[str, Path]) -> Section:
    note = tr(
        "All {n} drawings, in {groups} groups (folds {folds}), were answered by models that were not trained "
        "on them. p is corrected by Holm. “No difference”: any gain or loss is below {matters} points. 95% "
        "intervals resample whole groups of drawings.",
        n=number(results.images),
        groups=number(results.groups),
        folds=", ".join(map(str, results.folds)),
        matters=f"{100 * results.matters:g}",
    )
    blocks: tuple[Block, ...] = (
        _accuracies(results),
        Sentence(note, "note"),
        _labels(results),
        Section(tr("The runs"), (parts_table([part_row(folder, what) for what, folder in runs.items()]),)),
        Section(tr("Choices"), (choices_table(results.decisions),)),
    )
    return Section(tr("How this was measured"), blocks, folded=True)


def _labels(results: DistillResults) -> Section:
    rows = tuple(
        (
            tr("all folds") if row.fold == "none" else tr("fold {fold}", fold=row.fold),
            number(row.models),
            number(row.images),
            percent(row.right, 1),
            percent(row.largest, 1),
            percent(row.largest_tempered, 1),
        )
        for row in results.labels
    )
    titles = (
        tr("Teachers"),
        tr("Drawings"),
        tr("First choice is the label"),
        tr("Share of the first choice"),
        tr("At temperature {temperature}", temperature=f"{results.temperature:g}"),
    )
    table = Table((Column(tr("For the student of")), *(Column(title, number=True) for title in titles)), rows)
    lead = tr(
        "What the teachers say of the drawings that the student learns from: {weight}% of each target; the "
        "rest is the label. Views: {views}.",
        weight=f"{100 * results.weight:g}",
        views=", ".join(results.views),
    )
    return Section(tr("The soft labels"), (table,), lead)


def result_lines(results: DistillResults, width: int | None) -> list[str]:
    """Accuracies, differences, speeds and the verdict, as lines for a terminal."""
    notes = (*results.warnings, *results.cautions)
    return as_lines((_accuracies(results), _speeds(results)), results.verdict, notes, width)
