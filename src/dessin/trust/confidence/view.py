"""The page of a model's confidence: in sentences that a teacher can use, with charts, and all figures
below."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dessin.language import tr, tr_n
from dessin.page.blocks import (
    Column,
    Grid,
    Headline,
    Next,
    Notes,
    Page,
    Picture,
    Section,
    Sentence,
    Step,
    Table,
)
from dessin.page.numbers import change, listed, number, percent, plain, points, share, size
from dessin.page.pictures import ACCENT, GRID, MUTED, SECOND, figure_data_uri, new_figure
from dessin.page.words import Bar, Code, Note, Tag, Words, told
from dessin.runs.subject import Subject
from dessin.statistics.intervals import Estimate
from dessin.trust.confidence.result import (
    Bin,
    Calibration,
    Change,
    ConfidenceResult,
    RejectionResults,
    Selection,
    UnknownResults,
)


def _scores() -> dict[str, tuple[str, str]]:
    """What each score is called, and what it means."""
    return {
        "energy": (
            tr("energy"),
            tr("how strongly any class responds, before probabilities are made of it"),
        ),
        "max_probability": (tr("largest probability"), tr("the probability of the answer")),
        "negative_entropy": (tr("entropy"), tr("how evenly the probabilities are spread over classes")),
        "nearest": (
            tr("nearest training drawings"),
            tr("how near the drawing is to training drawings, as the network sees them"),
        ),
    }


def calibration_words(found: Calibration) -> list[str]:
    """What a confidence is worth before and after the temperature."""
    # The bin whose claim is nearest to 80%, which is what people take for sure.
    before, after = (
        min(bins, key=lambda b: abs(b.confidence - 0.8)) for bins in (found.bins_before, found.bins_after)
    )
    gap = found.overconfidence.before
    if gap.low > 0:
        tendency = tr("On average it claims {gap} points more than it keeps.", gap=_sizes(gap))
    elif gap.high < 0:
        tendency = tr("On average it is right {gap} points more often than it claims.", gap=_sizes(-gap))
    else:
        tendency = tr(
            "On average it claims neither more nor less than it keeps, as far as can be seen ({gap} points).",
            gap=points(gap),
        )
    error = tr(
        "Its typical error in saying how sure it is, the expected calibration error, goes from {before} to "
        "{after}.",
        before=share(found.ece.before, 0),
        after=share(found.ece.after, 0),
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
        f"{tendency} {error}",
    ]


def selection_words(found: Selection) -> str:
    """What the target precision costs, or that it cannot be reached."""
    wanted = in_ten(found.target)
    if found.threshold is None:
        reach = tr("Nothing can be vouched for.")
        if found.reachable > 0:
            reach = tr(
                "The most that can be vouched for is {reachable}, answering {answered} of drawings.",
                reachable=percent(found.reachable),
                answered=percent(found.reachable_coverage),
            )
        cannot = tr(
            "To be right {wanted} cannot be promised at any threshold with these {n} drawings, so no "
            "threshold is set.",
            wanted=wanted,
            n=number(found.coverage.n),
        )
        return f"{cannot} {reach}"
    if found.precision is None:
        return tr(
            "To be right {wanted} it must stay silent below a probability of {threshold}; with a part of the "
            "drawings kept away no threshold was found, so what it gives could not be checked.",
            wanted=wanted,
            threshold=percent(found.threshold),
        )
    answers = found.coverage
    rest = replace(answers, value=1 - answers.value, low=1 - answers.high, high=1 - answers.low)
    return tr(
        "To be right {wanted} it must stay silent on {silent} of drawings; of those that it answers it is "
        "then right on {precision}. If it always answers, it is right on {always}.",
        wanted=wanted,
        silent=share(rest, 0),
        precision=share(found.precision, 0),
        always=share(found.always, 0),
    )


def rejection_words(found: RejectionResults) -> list[str]:
    """How many drawings of no class are recognised, at what price."""
    score, price = found.chosen.score, share(found.false_alarms, 0)
    lines = []
    if found.folder is not None:
        lines.append(
            tr(
                "Of {n} drawings of no class ({place}) it recognises {seen}, while it wrongly rejects "
                "{price} of drawings of its own classes.",
                n=number(found.folder.n),
                place=found.folder.place,
                seen=share(found.folder.of(score).detection, 0),
                price=price,
            )
        )
    if found.held_out is not None:
        seen = share(found.held_out.of(score).detection, 0)
        if lines:
            lines.append(
                tr(
                    "As a stand-in, of drawings of classes that are hidden from its answers it recognises "
                    "{seen}.",
                    seen=seen,
                )
            )
        else:
            lines.append(
                tr(
                    "Of drawings of classes that are hidden from its answers it recognises {seen}, while it "
                    "wrongly rejects {price} of drawings of its own classes.",
                    seen=seen,
                    price=price,
                )
            )
    return lines or [
        tr(
            "How it tells drawings of no class was not measured: with so few classes none can be hidden. "
            "--unknown FOLDER measures on other drawings."
        )
    ]


def cautions(found: RejectionResults, *, is_committee: bool, parts: int) -> list[str]:
    """What the numbers cannot say."""
    lines = [
        tr(
            "What is called after correction is measured on drawings that the correction was not fitted to: "
            "they were dealt in {parts} parts that keep duplicates together, and each was measured with what "
            "the others gave. The correction that is written is fitted to all of them.",
            parts=parts,
        ),
        tr(
            "All of it holds for drawings like these. Other hands, pens or scans may make the model surer "
            "than it is right."
        ),
    ]
    if is_committee:
        lines.append(
            tr(
                "Each drawing was answered only by models that were not trained on it. The whole committee, "
                "which answers new drawings, may be differently sharp than its parts: check it on the "
                "holdout."
            )
        )
    if found.held_out is not None:
        lines.append(_optimistic(found.optimism))
    if found.folder is not None:
        lines.append(
            tr(
                "Where the unknown drawings come from another source, paper, pen and hand may set them apart "
                "as much as what they show: with the same pen they may be harder to tell."
            )
        )
    measured = found.folder or found.held_out
    scores = [row.score for row in measured.scores] if measured else [found.chosen.score]
    lines.append(
        tr(
            "The threshold of rejection is set so that about {share} of own drawings fall below it. The "
            "score was chosen among {scores} by its figures here, so the best of them is shown slightly too "
            "well.",
            share=percent(found.target_false_alarms),
            scores=listed([_scores()[score][0] for score in scores if score != "nearest"]),
        )
    )
    return lines


def in_ten(target: float) -> str:
    """`0.9` → `9 times in 10`."""
    for whole in (10, 100):
        times = target * whole
        if abs(times - round(times)) < 1e-9:
            return tr("{times} times in {whole}", times=round(times), whole=whole)
    return tr("{share} of the time", share=f"{100 * target:g}%")


def _sizes(gap: Estimate) -> str:
    """`10.7 [5.2, 16.8]`, of a difference that is above 0 for certain."""
    return f"{size(gap.value)} [{size(gap.low)}, {size(gap.high)}]"


def _optimistic(optimism: float | None) -> str:
    text = tr(
        "Hidden classes are an optimistic stand-in for real unknown drawings: the network saw drawings of "
        "them in training, and only its answers were made to forget them."
    )
    if optimism is None:
        more = tr("--unknown FOLDER measures on drawings of other things.")
    elif abs(optimism) < 0.005:
        more = tr("Here both agree: the AUROC is the same to half a point.")
    elif optimism > 0:
        more = tr("Here their AUROC is {n} points higher than on the folder.", n=size(optimism))
    else:
        more = tr("Here their AUROC is {n} points lower than on the folder.", n=size(optimism))
    return f"{text} {more}"


_LIMITS = (-2, 102)


def _reliability_chart(bins: Sequence[Bin], colour: str) -> str:
    """How often answers are right over what they claim, in per cent; below, how wide each bin is.

    Bins hold equally many images, so narrow bars of the histogram are where the confidences crowd.
    """
    figure, axes = new_figure(5.0, 4.4)
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    # The density of confidences in the lowest part of the chart; the tallest bar is an eighth of it.
    total = sum(b.accuracy.n for b in bins)
    widths = [max(b.high - b.low, 0.005) for b in bins]
    density = [b.accuracy.n / total / width for b, width in zip(bins, widths, strict=True)]
    axes.bar(
        [100 * b.low for b in bins],
        [12.5 * value / max(density) for value in density],
        width=[100 * width for width in widths],
        bottom=_LIMITS[0],
        align="edge",
        color=colour,
        alpha=0.18,
        edgecolor=GRID,
        linewidth=0.6,
    )
    kept, reach = _in_per_cent([b.accuracy for b in bins])
    style = {"color": colour, "linewidth": 1.5, "markersize": 5, "elinewidth": 1.2}
    axes.errorbar([100 * b.confidence for b in bins], kept, yerr=reach, fmt="o-", **style)
    axes.set_xlim(*_LIMITS)
    axes.set_ylim(*_LIMITS)
    axes.set_xlabel(tr("how sure it says it is, %"))
    axes.set_ylabel(tr("how often it is right, %"))
    return figure_data_uri(figure)


def _in_per_cent(found: Sequence[Estimate]) -> tuple[list[float], list[list[float]]]:
    """Values, and how far their intervals reach below and above them."""
    below = [100 * (one.value - one.low) for one in found]
    above = [100 * (one.high - one.value) for one in found]
    return [100 * one.value for one in found], [below, above]


def _coverage_chart(selection: Selection) -> str:
    """The share right among the answers given, over the share of drawings answered, in per cent."""
    figure, axes = new_figure(5.6, 4.0)
    curve = [(100 * point.coverage, 100 * point.precision) for point in selection.curve]
    axes.plot(*zip(*curve, strict=True), color=ACCENT, linewidth=2)
    axes.axhline(100 * selection.target, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        tr("asked for: {target}", target=percent(selection.target)),
        (100, 100 * selection.target),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        color=MUTED,
    )
    if selection.precision is not None and selection.threshold is not None:
        (x, across), (y, up) = (_in_per_cent([one]) for one in (selection.coverage, selection.precision))
        style = {"color": SECOND, "markersize": 7, "elinewidth": 1.4, "zorder": 3}
        axes.errorbar(x, y, xerr=across, yerr=up, fmt="o", **style)
    axes.set_xlim(*_LIMITS)
    axes.set_ylim(max(-2, min(precision for _, precision in curve) - 6), _LIMITS[1])
    axes.set_xlabel(tr("drawings that are answered, %"))
    axes.set_ylabel(tr("right among the answers, %"))
    return figure_data_uri(figure)


def confidence_page(outcome: ConfidenceResult, subject: Subject) -> Page:
    """What its confidence is worth, what silence buys, and what it makes of drawings of no class."""
    first, *others = outcome.summary
    rejection = outcome.rejection
    measured = [found for found in (rejection.folder, rejection.held_out) if found is not None]
    if outcome.written:
        state = told(
            "Temperature, threshold and rejection were written into the model’s card, and {predict} heeds "
            "them.",
            predict=Code("dessin predict"),
        )
    else:
        state = told(
            "Nothing was changed in the model; {write} puts temperature, threshold and rejection into its "
            "card.",
            write=Code("--write"),
        )
    return Page(
        title=tr(
            "How sure may it be about drawings of {collection}?",
            collection=subject.inputs.manifest.root.resolve().name,
        ),
        lead=first,
        blocks=(
            _headline(outcome.selection),
            *(Sentence(sentence) for sentence in others),
            Sentence(state, "note"),
            _kept(outcome.calibration),
            _silence(outcome.selection),
            Section(
                tr("Drawings of no class"),
                tuple(_foreign(found, rejection) for found in measured),
                tr(
                    "A score tells how familiar a drawing is; below its threshold the answer is: none of "
                    "these."
                ),
                "foreign",
            ),
            Notes(outcome.cautions, tr("What to keep in mind")),
            _measured(outcome),
            Section(tr("What to do next"), (Next(tuple(_steps(outcome, subject))),), anchor="next"),
        ),
        footer=told(
            "Written by dessin about {model}. The numbers are in {files} beside this page.",
            model=outcome.name,
            files=Code(outcome.FILE),
        ),
    )


def _headline(found: Selection) -> Headline:
    if found.threshold is None:
        wanted, of = in_ten(found.target), found.always
        words = tr("right if it always answers; to be right {wanted} cannot be promised", wanted=wanted)
    else:
        of = found.coverage
        words = tr("of drawings it answers, to be right {wanted}", wanted=in_ten(found.target))
    return Headline.of(of, words)


def _kept(found: Calibration) -> Section:
    charts = (
        (tr("As it is"), found.bins_before, SECOND, ""),
        (
            tr("After correction"),
            found.bins_after,
            ACCENT,
            tr("Each drawing is corrected with a temperature that other drawings gave."),
        ),
    )
    alt = tr("How often it is right, against how sure it says it is")
    return Section(
        tr("Does it keep what it claims?"),
        (
            Grid(
                tuple(
                    Section(title, (Picture(_reliability_chart(bins, colour), alt, caption, "chart"),))
                    for title, bins, colour, caption in charts
                )
            ),
        ),
        tr(
            "Each dot is a tenth of the drawings, or more where they are few. On the dashed line, answers "
            "are right as often as they claim; below it the model is too sure. The shade at the bottom shows "
            "where its confidences crowd."
        ),
        "claims",
    )


def _silence(found: Selection) -> Section:
    caption = [tr("The line is what all drawings show.")]
    if found.threshold is not None:
        caption.append(tr("It is unsure below a probability of {share}.", share=percent(found.threshold, 1)))
        if found.precision:
            caption.append(tr("The dot is what thresholds give on drawings that they were not chosen on."))
    alt = tr("Share right among the answers, against the share of drawings answered")
    chart = Picture(_coverage_chart(found), alt, " ".join(caption), "chart")
    promise = tr(
        "A threshold is set only where it can be promised, with a confidence of 95%, that answers are right "
        "as often as was asked for (learn then test; one observation a group). That makes it careful: the "
        "precision reached is usually higher than asked for."
    )
    return Section(
        tr("What silence buys"),
        (Grid((Section("", (chart,)), Section("", (Sentence(promise),)))),),
        tr("The model answers only when it is sure enough. The further left, the more often it is silent."),
        "silence",
    )


def _foreign(found: UnknownResults, rejection: RejectionResults) -> Section:
    names, chosen = _scores(), rejection.chosen.score
    rows = tuple(
        (
            (
                names[row.score][0],
                *((" ", Tag(tr("used"))) if row.score == chosen else ()),
                Note(names[row.score][1]),
            ),
            Bar(row.auroc.value, share(row.auroc), row.auroc.low, row.auroc.high),
            share(row.auroc),
            share(row.detection),
        )
        for row in found.scores
    )
    classes = tr_n("{n} class", "{n} classes", found.classes)
    if found.source == "folder":
        title = tr(
            "{place}: {n} drawings of {classes}", place=found.place, n=number(found.n), classes=classes
        )
        note = tr(
            "Recognised at the threshold below which {share} of own drawings lie. Intervals resample own "
            "groups and folders of unknown drawings.",
            share=percent(rejection.target_false_alarms),
        )
    else:
        title = tr(
            "Hidden classes, a stand-in: {n} drawings, {classes} hidden in turn",
            n=number(found.n),
            classes=classes,
        )
        note = tr(
            "Classes are dealt in parts; each part in turn is taken out of the answers, and its drawings are "
            "the unknown ones. Intervals resample whole classes."
        )
    if any(row.score == "nearest" for row in found.scores):
        note += " " + tr(
            "The nearest training drawings are measured for comparison alone: a card holds no training "
            "drawings."
        )
    columns = (
        Column(tr("Score")),
        Column(tr("AUROC")),
        Column(tr("its 95% interval"), number=True),
        Column(tr("Recognised as of no class"), number=True),
    )
    lead = tr(
        "AUROC: how often a drawing of its classes is more familiar than one of no class; guessing gives 50%."
    )
    return Section(title, (Table(columns, rows, note),), lead, card=True)


def _steps(outcome: ConfidenceResult, subject: Subject) -> Iterator[Step]:
    model, chosen = shlex.quote(str(subject.given)), outcome.selection
    if outcome.written:
        yield Step(
            tr("Name new drawings; where it is unsure it says so."),
            f"dessin predict {model} DRAWINGS --out predictions.csv",
        )
    else:
        yield Step(
            tr(
                "Put the correction into the model’s card: it then says when it is unsure, and weights stay "
                "as they are."
            ),
            f"dessin calibrate {model} --write --out confidence-written",
        )
    if chosen.threshold is None and chosen.reachable > 0.5:
        asked = int(100 * chosen.reachable) / 100
        yield Step(
            tr("Ask for what can be promised."),
            f"dessin calibrate {model} --precision {asked:g} --out confidence-{asked:g}",
        )
    if outcome.rejection.folder is None:
        yield Step(
            tr("Measure on drawings of really other things, such as what pupils draw beside the task."),
            f"dessin calibrate {model} --unknown FOLDER --out confidence-unknown",
        )


def _measured(outcome: ConfidenceResult) -> Section:
    found = outcome.calibration

    def row(name: str, note: str, of: Change, *, shares: bool) -> tuple[Words, ...]:
        before, after = (share(one) if shares else plain(one) for one in (of.before, of.after))
        return ((name, Note(note)), before, after, (points if shares else change)(of.difference))

    gap = found.overconfidence
    usual = [
        f"{percent(value, 1)} ({percent(perfect, 1)})"
        for value, perfect in zip(found.binned_ece, found.binned_ece_if_perfect, strict=True)
    ]
    smaller = tr("smaller is better")
    rows: tuple[tuple[Words, ...], ...] = (
        row(tr("Expected calibration error"), tr("never too high on average"), found.ece, shares=True),
        (
            (tr("Confidence minus accuracy"), Note(tr("in points; above 0 it is too sure"))),
            *(points(one) for one in (gap.before, gap.after, gap.difference)),
        ),
        row(tr("Brier score"), smaller, found.brier, shares=False),
        row(tr("Log loss"), smaller, found.log_loss, shares=False),
        (
            (tr("The usual error over 15 bins"), Note(tr("in brackets what a perfect model would show"))),
            *usual,
            "",
        ),
    )
    columns = (
        Column(tr("Measure")),
        *(Column(title, number=True) for title in (tr("As it is"), tr("After correction"), tr("Change"))),
    )
    note = tr(
        "The usual error over bins is never 0 on few drawings, since chance makes every bin differ. The "
        "first row learns on other drawings in which direction a bin errs, and is 0 on average for a model "
        "that keeps what it claims. Of {drawings} in {groups}; intervals are 95% and resample whole groups "
        "of drawings.",
        drawings=tr_n("{n} drawing", "{n} drawings", outcome.n),
        groups=tr_n("{n} group", "{n} groups", outcome.groups),
    )
    how = tr(
        "Measured on {measured_on}, answered by no model that was trained on them. The temperature is "
        "{temperature}: above 1 the model was too sure. {rejected} of own drawings are rejected, by {score}.",
        measured_on=tr_n(
            "validation images of fold {folds}",
            "validation images of folds {folds}",
            len(outcome.folds),
            folds=", ".join(map(str, outcome.folds)),
        ),
        temperature=f"{found.temperature:.2f}",
        rejected=share(outcome.rejection.false_alarms),
        score=_scores()[outcome.rejection.chosen.score][0],
    )
    return Section(
        tr("How this was measured"),
        (Sentence(how), Table(columns, rows, note, file="calibration")),
        anchor="how",
        folded=True,
    )
