"""The page of a model's confidence: what it is worth, what silence buys, and drawings of no class."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from dessin.language import tr
from dessin.page.blocks import Grid, Headline, Notes, Page, Picture, Section, Sentence, Step, Table
from dessin.page.numbers import change, counted, number, percent, plain, points, share, size
from dessin.page.parts import columns, measured, what_next, written_by
from dessin.page.pictures import MUTED, SECOND, Line, chart
from dessin.page.words import Bar, Code, Note, Tag, Words, told
from dessin.runs.subject import Subject
from dessin.trust.confidence.result import (
    Calibration,
    ConfidenceResult,
    RejectionResults,
    Selection,
    UnknownResults,
)

_PER_CENT = (-2, 102)


def calibration_words(found: Calibration) -> list[str]:
    """What a confidence is worth before and after the temperature."""
    # The bin whose claim is nearest to 80%, which is what people take for sure.
    before, after = (
        min(bins, key=lambda b: abs(b.confidence - 0.8)) for bins in (found.bins_before, found.bins_after)
    )
    return [
        tr(
            "When it says {claim}, it is right {right} of the time; after correction, when it says {later}, "
            "{kept}.",
            claim=percent(before.confidence),
            right=share(before.accuracy, 0),
            later=percent(after.confidence),
            kept=share(after.accuracy, 0),
        ),
        tr(
            "What it claims minus what it keeps is {gap} points on average; its typical error in that goes "
            "from {before} to {after}.",
            gap=points(found.overconfidence.before),
            before=share(found.ece.before, 0),
            after=share(found.ece.after, 0),
        ),
    ]


def selection_words(found: Selection) -> str:
    """What the target precision costs, or that it cannot be reached."""
    wanted = in_ten(found.target)
    if found.threshold is None:
        return tr(
            "To be right {wanted} cannot be promised with these {n} drawings, so no threshold is set. The "
            "most that can be vouched for is {reachable}, answering {answered} of drawings.",
            wanted=wanted,
            n=number(found.coverage.n),
            reachable=percent(found.reachable),
            answered=percent(found.reachable_coverage),
        )
    if found.precision is None:
        return tr(
            "To be right {wanted} it must stay silent below {threshold}; what that gives could not be "
            "checked on other drawings.",
            wanted=wanted,
            threshold=percent(found.threshold),
        )
    answers = found.coverage
    rest = replace(answers, value=1 - answers.value, low=1 - answers.high, high=1 - answers.low)
    return tr(
        "To be right {wanted} it must stay silent on {silent} of drawings; of the others it is then right on "
        "{precision}. If it always answers, it is right on {always}.",
        wanted=wanted,
        silent=share(rest, 0),
        precision=share(found.precision, 0),
        always=share(found.always, 0),
    )


def rejection_words(found: RejectionResults) -> list[str]:
    """How many drawings of no class are recognised, at what price."""
    lines = [
        tr(
            "Of {n} drawings {source} it recognises {seen} as of no class, while it wrongly rejects {price} "
            "of its own.",
            n=number(unknown.n),
            source=tr("in {place}", place=unknown.place) if unknown.source == "folder" else _hidden(),
            seen=share(unknown.of(found.chosen.score).detection, 0),
            price=share(found.false_alarms, 0),
        )
        for unknown in (found.folder, found.held_out)
        if unknown is not None
    ]
    return lines or [
        tr("How it tells drawings of no class was not measured. --unknown FOLDER measures it on others.")
    ]


def _hidden() -> str:
    return tr("of classes that were hidden from its answers")


def cautions(found: RejectionResults, *, is_committee: bool) -> list[str]:
    """What the numbers cannot say."""
    lines = [tr("It holds for drawings like these. Other hands, pens or scans may make it too sure.")]
    if is_committee:
        lines.append(
            tr(
                "The whole committee, which answers new drawings, may be surer or less sure than its parts, "
                "which answered these: check it on the holdout."
            )
        )
    if found.held_out is not None:
        hidden = tr("Hidden classes are an easy stand-in for unknown drawings: it was trained on them.")
        if found.optimism is not None:
            higher = tr("Their AUROC is {n} points higher than on the folder.", n=size(found.optimism))
            lower = tr("Their AUROC is {n} points lower than on the folder.", n=size(found.optimism))
            hidden += f" {higher if found.optimism > 0 else lower}"
        lines.append(hidden)
    if found.folder is not None:
        lines.append(tr("Unknown drawings with the same pen and paper may be harder to tell."))
    return lines


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
    rejection, chosen = outcome.rejection, outcome.selection
    collection = subject.inputs.manifest.root.resolve().name
    if outcome.written:
        state = told("This is written in the model’s card, and {do} heeds it.", do=Code("dessin predict"))
    else:
        state = told("Nothing was changed in the model; {do} does that.", do=Code("--write"))
    wanted = in_ten(chosen.target)
    headline = Headline.of(chosen.coverage, tr("of drawings it answers, to be right {wanted}", wanted=wanted))
    if chosen.threshold is None:
        always = tr("right if it always answers; to be right {wanted} cannot be promised", wanted=wanted)
        headline = Headline.of(chosen.always, always)
    return Page(
        tr("How sure may it be about drawings of {collection}?", collection=collection),
        first,
        (
            headline,
            *(Sentence(sentence) for sentence in others),
            Sentence(state, "note"),
            Grid((_kept(outcome.calibration), _silence(chosen))),
            Section(
                tr("Drawings of no class"),
                tuple(_foreign(each, rejection) for each in (rejection.folder, rejection.held_out) if each),
                tr("A drawing that is less familiar than the threshold gets the answer: none of these."),
                "foreign",
            ),
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
    curve = [(100 * point.coverage, 100 * point.precision) for point in found.curve]
    x, y = zip(*curve, strict=True)
    target = 100 * found.target
    lines = [Line(x, y), Line((0, 100), (target, target), tr("asked for"), MUTED, "--")]
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


def _foreign(found: UnknownResults, rejection: RejectionResults) -> Section:
    rows = tuple(
        (
            (_score(row.score), *((" ", Tag(tr("used"))) if row.score == rejection.chosen.score else ())),
            Bar.of(row.auroc, share(row.auroc)),
            share(row.auroc),
            share(row.detection),
        )
        for row in found.scores
    )
    said = {"n": number(found.n), "classes": counted(found.classes, "class", "classes")}
    title = tr("Hidden classes, a stand-in: {n} drawings, {classes} hidden in turn", **said)
    if found.source == "folder":
        title = tr("{place}: {n} drawings of {classes}", place=found.place, **said)
    titles = columns((tr("Score"), tr("AUROC")), (tr("its 95% interval"), tr("Recognised as of no class")))
    note = tr("AUROC: how often an own drawing is more familiar than one of no class; guessing gives 50%.")
    return Section(title, (Table(titles, rows, note),), card=True)


def _score(name: str) -> str:
    return {
        "energy": tr("energy"),
        "max_probability": tr("largest probability"),
        "negative_entropy": tr("entropy"),
        "nearest": tr("nearest training drawings (for comparison)"),
    }[name]


def _steps(outcome: ConfidenceResult, subject: Subject) -> Iterator[Step]:
    model, chosen = shlex.quote(str(subject.given)), outcome.selection
    if outcome.written:
        why, command = tr("Name new drawings."), f"predict {model} DRAWINGS --out predictions.csv"
    else:
        why = tr("Put this into the model’s card: it then says when it is unsure.")
        command = f"calibrate {model} --write --out confidence-written"
    yield Step(why, f"dessin {command}")
    if chosen.threshold is None and chosen.reachable > 0.5:
        asked = f"{int(100 * chosen.reachable) / 100:g}"
        command = f"dessin calibrate {model} --precision {asked} --out confidence-{asked}"
        yield Step(tr("Ask for what can be promised."), command)
    if outcome.rejection.folder is None:
        why = tr("Measure on drawings of other things, such as what pupils draw beside the task.")
        yield Step(why, f"dessin calibrate {model} --unknown FOLDER --out confidence-unknown")


def _measured(outcome: ConfidenceResult) -> Section:
    found, gap, smaller = outcome.calibration, outcome.calibration.overconfidence, tr("smaller is better")
    usual = zip(found.binned_ece, found.binned_ece_if_perfect, strict=True)
    error, bins = tr("Expected calibration error"), tr("The usual error over 15 bins")
    ece = (share(found.ece.before), share(found.ece.after), points(found.ece.difference))
    overconfidence = (points(one) for one in (gap.before, gap.after, gap.difference))
    rows: list[tuple[Words, ...]] = [
        ((error, Note(smaller)), *ece),
        ((tr("Confidence minus accuracy"), Note(tr("in points; above 0 it is too sure"))), *overconfidence),
    ]
    for name, of in ((tr("Brier score"), found.brier), (tr("Log loss"), found.log_loss)):
        rows.append(((name, Note(smaller)), plain(of.before), plain(of.after), change(of.difference)))
    perfect = Note(tr("in brackets what a perfect model would show"))
    rows.append(((bins, perfect), *(f"{percent(one, 1)} ({percent(least, 1)})" for one, least in usual), ""))
    titles = columns((tr("Measure"),), (tr("As it is"), tr("After correction"), tr("Change")))
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
    return measured(Sentence(how), Table(titles, tuple(rows), file="calibration"))
