"""The page of a model's confidence: in sentences that a teacher can use, with charts, and all figures
below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, listed, points, share, size
from dessin.page.pictures import ACCENT, GRID, MUTED, SECOND, figure_data_uri, new_figure
from dessin.page.render import render_page
from dessin.statistics.intervals import Estimate
from dessin.trust.confidence.result import (
    Bin,
    Calibration,
    ConfidenceResult,
    RejectionResults,
    Selection,
    UnknownResults,
)

SCORES = {
    "energy": "energy",
    "max_probability": "largest probability",
    "negative_entropy": "entropy",
    "nearest": "nearest training drawings",
}
MEANINGS = {
    "energy": "how strongly any class responds, before probabilities are made of it",
    "max_probability": "the probability of the answer",
    "negative_entropy": "how evenly the probabilities are spread over classes",
    "nearest": "how near the drawing is to training drawings, as the network sees them",
}


def calibration_words(found: Calibration) -> list[str]:
    """What a confidence is worth before and after the temperature."""
    # The bin whose claim is nearest to 80%, which is what people take for sure.
    before, after = (
        min(bins, key=lambda b: abs(b.confidence - 0.8)) for bins in (found.bins_before, found.bins_after)
    )
    gap = found.overconfidence.before
    if gap.low > 0:
        tendency = f"On average it claims {_sizes(gap)} points more than it keeps"
    elif gap.high < 0:
        tendency = f"On average it is right {_sizes(-gap)} points more often than it claims"
    else:
        tendency = (
            "On average it claims neither more nor less than it keeps, as far as can be seen "
            f"({points(gap)} points)"
        )
    return [
        f"When it says {before.confidence:.0%}, it is right {share(before.accuracy, 0)} of the time; after "
        f"correction, when it says {after.confidence:.0%}, {share(after.accuracy, 0)}.",
        f"{tendency}. Its typical error in saying how sure it is, the expected calibration error, goes from "
        f"{share(found.ece.before, 0)} to {share(found.ece.after, 0)}.",
    ]


def selection_words(found: Selection) -> str:
    """What the target precision costs, or that it cannot be reached."""
    wanted = in_ten(found.target)
    if found.threshold is None:
        reach = (
            f"The most that can be vouched for is {found.reachable:.0%}, answering "
            f"{found.reachable_coverage:.0%} of drawings."
            if found.reachable > 0
            else "Nothing can be vouched for."
        )
        return (
            f"To be right {wanted} cannot be promised at any threshold with these "
            f"{counted(found.coverage.n, 'drawing')}, so no threshold is set. {reach}"
        )
    if found.precision is None:
        return (
            f"To be right {wanted} it must stay silent below a probability of {found.threshold:.0%}; with a "
            "part of the drawings kept away no threshold was found, so what it gives could not be checked."
        )
    answers = found.coverage
    rest = replace(answers, value=1 - answers.value, low=1 - answers.high, high=1 - answers.low)
    silent, precision = share(rest, 0), share(found.precision, 0)
    return (
        f"To be right {wanted} it must stay silent on {silent} of drawings; of those that it answers it is "
        f"then right on {precision}. If it always answers, it is right on {share(found.always, 0)}."
    )


def rejection_words(found: RejectionResults) -> list[str]:
    """How many drawings of no class are recognised, at what price."""
    score = found.chosen.score
    price = f"while it wrongly rejects {share(found.false_alarms, 0)} of drawings of its own classes"
    lines = []
    if found.folder is not None:
        seen = share(found.folder.of(score).detection, 0)
        foreign = f"{counted(found.folder.n, 'drawing')} of no class ({found.folder.place})"
        lines.append(f"Of {foreign} it recognises {seen}, {price}.")
    if found.held_out is not None:
        seen = share(found.held_out.of(score).detection, 0)
        hidden = f"drawings of classes that are hidden from its answers it recognises {seen}"
        lines.append(f"As a stand-in, of {hidden}." if lines else f"Of {hidden}, {price}.")
    if not lines:
        lines.append(
            "How it tells drawings of no class was not measured: with so few classes none can be hidden. "
            "--unknown FOLDER measures on other drawings."
        )
    return lines


def cautions(found: RejectionResults, *, is_committee: bool, parts: int) -> list[str]:
    """What the numbers cannot say."""
    lines = [
        "What is called after correction is measured on drawings that the correction was not fitted to: "
        f"they were dealt in {parts} parts that keep duplicates together, and each was measured with what "
        "the others gave. The correction that is written is fitted to all of them.",
        "All of it holds for drawings like these. Other hands, pens or scans may make the model surer than "
        "it is right.",
    ]
    if is_committee:
        lines.append(
            "Each drawing was answered only by models that were not trained on it. The whole committee, "
            "which answers new drawings, may be differently sharp than its parts: check it on the holdout."
        )
    if found.held_out is not None:
        lines.append(_optimistic(found.optimism))
    if found.folder is not None:
        lines.append(
            "Where the unknown drawings come from another source, paper, pen and hand may set them apart as "
            "much as what they show: with the same pen they may be harder to tell."
        )
    measured = found.folder or found.held_out
    scores = [row.score for row in measured.scores] if measured else [found.chosen.score]
    possible = listed([SCORES[score] for score in scores if score != "nearest"])
    lines.append(
        f"The threshold of rejection is set so that about {found.target_false_alarms:.0%} of own drawings "
        f"fall below it. The score was chosen among {possible} by its figures here, so the best of them is "
        "shown slightly too well."
    )
    return lines


def in_ten(target: float) -> str:
    """`0.9` → `9 times in 10`."""
    for whole in (10, 100):
        times = target * whole
        if abs(times - round(times)) < 1e-9:
            return f"{round(times)} times in {whole}"
    return f"{100 * target:g}% of the time"


def _sizes(gap: Estimate) -> str:
    """`10.7 [5.2, 16.8]`, of a difference that is above 0 for certain."""
    return f"{size(gap.value)} [{size(gap.low)}, {size(gap.high)}]"


def _optimistic(optimism: float | None) -> str:
    text = (
        "Hidden classes are an optimistic stand-in for real unknown drawings: the network saw drawings of "
        "them in training, and only its answers were made to forget them."
    )
    if optimism is None:
        return f"{text} --unknown FOLDER measures on drawings of other things."
    if abs(optimism) < 0.005:
        return f"{text} Here both agree: the AUROC is the same to half a point."
    how = "higher" if optimism > 0 else "lower"
    return f"{text} Here their AUROC is {100 * abs(optimism):.1f} points {how} than on the folder."


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
    axes.set_xlabel("how sure it says it is, %")
    axes.set_ylabel("how often it is right, %")
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
        f"asked for: {selection.target:.0%}",
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
    axes.set_xlabel("drawings that are answered, %")
    axes.set_ylabel("right among the answers, %")
    return figure_data_uri(figure)


def confidence_page(outcome: ConfidenceResult) -> str:
    """`confidence.html`, whole: nothing is loaded from outside and every name is escaped."""
    rejection = outcome.rejection
    measured = [found for found in (rejection.folder, rejection.held_out) if found is not None]
    calibration = outcome.calibration
    return render_page(
        "dessin.trust.confidence",
        "confidence.html",
        title=f"{outcome.name}: how sure it may be",
        outcome=outcome,
        before=_reliability_chart(calibration.bins_before, SECOND),
        after=_reliability_chart(calibration.bins_after, ACCENT),
        curve=_coverage_chart(outcome.selection),
        plots=[(found, _score_plot(found, rejection.chosen.score)) for found in measured],
        rows=[
            ("Expected calibration error", calibration.ece, True),
            ("Confidence minus accuracy", calibration.overconfidence, True),
            ("Brier score", calibration.brier, False),
            ("Log loss", calibration.log_loss, False),
        ],
        with_nearest=any(row.score == "nearest" for found in measured for row in found.scores),
        scores=SCORES,
        meanings=MEANINGS,
        in_ten=in_ten,
    )


def _score_plot(found: UnknownResults, chosen: str) -> DotPlot:
    """The AUROC of every score; the line is what guessing gives."""
    dots = [
        Dot.of(
            SCORES[row.score],
            row.auroc,
            share(row.auroc),
            label=f"{SCORES[row.score]}: AUROC {share(row.auroc)}",
            tone="" if row.score == chosen else "cannot-tell",
            note="used" if row.score == chosen else "",
        )
        for row in found.scores
    ]
    return dot_plot(dots, line=0.5, reach=(1.0,))
