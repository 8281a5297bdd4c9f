"""The page of a model's confidence: what it is worth, what silence buys, and drawings of no class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from dessin.language import tr
from dessin.page.blocks import Grid, Headline, Notes, Page, Picture, Section, Sentence, Step, Table
from dessin.page.numbers import Interval, change, counted, number, percent, plain, points, share, size
from dessin.page.parts import measured, paragraphs, step, what_next, written_by
from dessin.page.pictures import MUTED, SECOND, Line, chart
from dessin.page.words import Bar, Code, Note, Tag, Words, told
from dessin.runs.subject import Subject
from dessin.trust.confidence.result import Calibration, Change, ConfidenceResult, RejectionResults, Selection

_PER_CENT = (-2, 102)
_Written: TypeAlias = Callable[[Interval], str]


def calibration_words(found: Calibration) -> list[str]:
    """What a confidence is worth before and after the temperature."""
    # The bin whose claim is nearest to 80%, which is what people take for sure.
    before, after = (
        min(bins, key=lambda b: abs(b.confidence - 0.8)) for bins in (found.bins_before, found.bins_after)
    )
    said = {"claim": percent(before.confidence), "right": share(before.accuracy, 0)}
    said |= {"later": percent(after.confidence), "kept": share(after.accuracy, 0)}
    errors = {"before": share(found.ece.before, 0), "after": share(found.ece.after, 0)}
    return [
        tr(
            "When it says {claim}, it is right {right} of the time; after correction, when it says {later}, "
            "{kept}.",
            **said,
        ),
        tr(
            "What it claims minus what it keeps is {gap} points on average; its typical error in that goes "
            "from {before} to {after}.",
            gap=points(found.overconfidence.before),
            **errors,
        ),
    ]


def selection_words(found: Selection) -> str:
    """What the target precision costs, or that it cannot be reached."""
    said = {"wanted": in_ten(found.target), "n": number(found.coverage.n)}
    if found.threshold is None:
        said |= {"reachable": percent(found.reachable), "answered": percent(found.reachable_coverage)}
        return tr(
            "To be right {wanted} cannot be promised with these {n} drawings, so no threshold is set. The "
            "most that can be vouched for is {reachable}, answering {answered} of drawings.",
            **said,
        )
    if found.precision is None:
        return tr(
            "To be right {wanted} it must stay silent below {threshold}; what that gives could not be "
            "checked on other drawings.",
            threshold=percent(found.threshold),
            **said,
        )
    answers = found.coverage
    silent = replace(answers, value=1 - answers.value, low=1 - answers.high, high=1 - answers.low)
    said |= {"silent": share(silent, 0), "precision": share(found.precision, 0)}
    return tr(
        "To be right {wanted} it must stay silent on {silent} of drawings; of the others it is then right on "
        "{precision}. If it always answers, it is right on {always}.",
        always=share(found.always, 0),
        **said,
    )


def rejection_words(found: RejectionResults) -> list[str]:
    """How many drawings of no class are recognised, at what price."""
    hidden = tr("of classes that were hidden from its answers")
    lines = [
        tr(
            "Of {n} drawings {source} it recognises {seen} as of no class, while it wrongly rejects {price} "
            "of its own.",
            n=number(unknown.n),
            source=tr("in {place}", place=unknown.place) if unknown.source == "folder" else hidden,
            seen=share(unknown.of(found.chosen.score).detection, 0),
            price=share(found.false_alarms, 0),
        )
        for unknown in (found.folder, found.held_out)
        if unknown is not None
    ]
    return lines or [
        tr("How it tells drawings of no class was not measured. --unknown FOLDER measures it on others.")
    ]


def cautions(found: RejectionResults, *, is_committee: bool) -> Iterator[str]:
    """What the numbers cannot say."""
    yield tr("It holds for drawings like these. Other hands, pens or scans may make it too sure.")
    if is_committee:
        yield tr(
            "The whole committee, which answers new drawings, may be surer or less sure than its parts, "
            "which answered these: check it on the holdout."
        )
    if found.held_out is not None:
        hidden = tr("Hidden classes are an easy stand-in for unknown drawings: it was trained on them.")
        if found.optimism is not None:
            higher = tr("Their AUROC is {n} points higher than on the folder.", n=size(found.optimism))
            lower = tr("Their AUROC is {n} points lower than on the folder.", n=size(found.optimism))
            hidden += f" {higher if found.optimism > 0 else lower}"
        yield hidden
    if found.folder is not None:
        yield tr("Unknown drawings with the same pen and paper may be harder to tell.")


def in_ten(target: float) -> str:
    """`0.9` → `9 times in 10`."""
    for whole in (10, 100):
        times = target * whole
        if abs(times - round(times)) < 1e-9:
            return tr("{times} times in {whole}", times=round(times), whole=whole)
    return tr("{share} of the time", share=f"{100 * target:g}%")


def confidence_page(outcome: ConfidenceResult, subject: Subject) -> Page:
    """What its confidence is worth, what silence buys, and what it makes of drawings of no class."""
    first, *others = outcome.summary
    chosen, wanted = outcome.selection, in_ten(outcome.selection.target)
    state = told("Nothing was changed in the model; {do} does that.", do=Code("--write"))
    if outcome.written:
        state = told("This is written in the model’s card, and {do} heeds it.", do=Code("dessin predict"))
    headline = Headline.of(chosen.coverage, tr("of drawings it answers, to be right {wanted}", wanted=wanted))
    if chosen.threshold is None:
        always = tr("right if it always answers; to be right {wanted} cannot be promised", wanted=wanted)
        headline = Headline.of(chosen.always, always)
    return Page(
        tr("How sure may it be about drawings of {collection}?", collection=subject.collection),
        first,
        (
            headline,
            *paragraphs(*others),
            *paragraphs(state, kind="note"),
            Grid((_kept(outcome.calibration), _silence(chosen))),
            _foreign(outcome.rejection),
            Notes(outcome.cautions, tr("What to keep in mind")),
            _measured(outcome),
            what_next(*_steps(outcome, subject)),
        ),
        written_by(outcome.name, outcome.FILE),
    )


def _kept(found: Calibration) -> Section:
    lines = [Line((0, 100), (0, 100), colour=MUTED, style="--")]
    for bins, label, colour in (
        (found.bins_before, tr("as it is"), SECOND),
        (found.bins_after, tr("after correction"), Line.colour),
    ):
        lines.append(Line.of([b.confidence for b in bins], [b.accuracy for b in bins], label, colour))
    axes = tr("how sure it says it is, %"), tr("how often it is right, %")
    picture = chart(lines, *axes, size=(5.6, 4.2), xlim=_PER_CENT, ylim=_PER_CENT)
    alt = tr("How often it is right, against how sure it says it is")
    caption = tr("Each dot is a tenth of the drawings or more; below the dashed line it is too sure.")
    return Section(tr("Does it keep what it claims?"), (Picture(picture, alt, caption, "chart"),))


def _silence(found: Selection) -> Section:
    x, y = zip(*((100 * point.coverage, 100 * point.precision) for point in found.curve), strict=True)
    lines = [Line(x, y), Line((0, 100), (100 * found.target,) * 2, tr("asked for"), MUTED, "--")]
    caption = tr("The further left, the more often it is silent.")
    if found.threshold is not None:
        caption += " " + tr("It is unsure below {share}.", share=percent(found.threshold, 1))
        if found.precision is not None:
            label = tr("on drawings that the threshold was not chosen on")
            lines.append(Line.of([found.coverage.value], [found.precision], label, SECOND, "o"))
    axes = tr("drawings that are answered, %"), tr("right among the answers, %")
    picture = chart(lines, *axes, size=(5.6, 4.2), xlim=_PER_CENT, ylim=(None, 102))
    alt = tr("Share right among the answers, against the share of drawings answered")
    return Section(tr("What silence buys"), (Picture(picture, alt, caption, "chart"),))


def _foreign(rejection: RejectionResults) -> Section:
    scores = {
        "energy": tr("energy"),
        "max_probability": tr("largest probability"),
        "negative_entropy": tr("entropy"),
        "nearest": tr("nearest training drawings (for comparison)"),
    }
    titles = (tr("Score"), tr("AUROC")), (tr("its 95% interval"), tr("Recognised as of no class"))
    note = tr("AUROC: how often an own drawing is more familiar than one of no class; guessing gives 50%.")
    cards = []
    for found in filter(None, (rejection.folder, rejection.held_out)):
        rows: list[tuple[Words, ...]] = []
        for row in found.scores:
            used = (" ", Tag(tr("used"))) if row.score == rejection.chosen.score else ()
            auroc, detection = share(row.auroc), share(row.detection)
            rows.append(((scores[row.score], *used), Bar.of(row.auroc, auroc), auroc, detection))
        said = {"n": number(found.n), "classes": counted(found.classes, "class", "classes")}
        title = tr("Hidden classes, a stand-in: {n} drawings, {classes} hidden in turn", **said)
        if found.source == "folder":
            title = tr("{place}: {n} drawings of {classes}", place=found.place, **said)
        cards.append(Section(title, (Table.of(*titles, rows, note),), card=True))
    lead = tr("A drawing that is less familiar than the threshold gets the answer: none of these.")
    return Section(tr("Drawings of no class"), tuple(cards), lead, "foreign")


def _steps(outcome: ConfidenceResult, subject: Subject) -> Iterator[Step]:
    model, chosen = subject.given, outcome.selection
    if outcome.written:
        yield step(tr("Name new drawings."), "predict", model, "DRAWINGS", "--out", "predictions.csv")
    else:
        why = tr("Put this into the model’s card: it then says when it is unsure.")
        yield step(why, "calibrate", model, "--write", "--out", "confidence-written")
    if chosen.threshold is None and chosen.reachable > 0.5:
        asked = f"{int(100 * chosen.reachable) / 100:g}"
        rest = ("--precision", asked, "--out", f"confidence-{asked}")
        yield step(tr("Ask for what can be promised."), "calibrate", model, *rest)
    if outcome.rejection.folder is None:
        yield ask_of_others(model)


def ask_of_others(model: Path) -> Step:
    """How to measure what a model makes of drawings of no class."""
    why = tr("Measure on drawings of other things, such as what pupils draw beside the task.")
    return step(why, "calibrate", model, "--unknown", "FOLDER", "--out", "confidence-unknown")


def _measured(outcome: ConfidenceResult) -> Section:
    found, smaller, usual = outcome.calibration, tr("smaller is better"), tr("The usual error over 15 bins")
    too_sure, perfect = (
        tr("in points; above 0 it is too sure"),
        tr("in brackets what a perfect model would show"),
    )
    binned = zip(found.binned_ece, found.binned_ece_if_perfect, strict=True)
    rows: tuple[tuple[Words, ...], ...] = (
        _row(tr("Expected calibration error"), smaller, found.ece, share, points),
        _row(tr("Confidence minus accuracy"), too_sure, found.overconfidence, points, points),
        _row(tr("Brier score"), smaller, found.brier),
        _row(tr("Log loss"), smaller, found.log_loss),
        ((usual, Note(perfect)), *(f"{percent(one, 1)} ({percent(least, 1)})" for one, least in binned), ""),
    )
    titles = (tr("Measure"),), (tr("As it is"), tr("After correction"), tr("Change"))
    how = tr(
        "{drawings} in {groups} of folds {folds}, answered by no model that was trained on them. The "
        "temperature is {temperature}: above 1 the model was too sure. What is called after correction is "
        "measured on drawings that neither it nor the threshold was fitted to. {rejected} of own drawings "
        "are rejected, by the best of the scores, which flatters it a little. A threshold is set only where "
        "it can be promised with a confidence of 95% (learn then test).",
        drawings=counted(outcome.n, "drawing"),
        groups=counted(outcome.groups, "group"),
        folds=", ".join(map(str, outcome.folds)),
        temperature=f"{found.temperature:.2f}",
        rejected=share(outcome.rejection.false_alarms),
    )
    return measured(Sentence(how), Table.of(*titles, rows, file="calibration"))


def _row(
    name: str, note: str, of: Change, written: _Written = plain, changed: _Written = change
) -> tuple[Words, ...]:
    return (name, Note(note)), written(of.before), written(of.after), changed(of.difference)
