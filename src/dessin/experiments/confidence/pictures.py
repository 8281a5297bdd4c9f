"""The charts of confidence: claimed against kept, and what silence buys."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.experiments.confidence.outcome import Bin, Selection
from dessin.page.pictures import ACCENT, GRID, MUTED, SECOND, figure_data_uri, new_figure

_LIMITS = (-2, 102)


def reliability_chart(bins: Sequence[Bin], *, colour: str = ACCENT) -> str:
    """How often answers are right over what they claim, in per cent; below, how wide each bin is.

    Bins hold equally many images, so narrow bars of the histogram are where the confidences crowd.
    """
    figure, axes = new_figure(5.0, 4.4)
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    _histogram(axes, bins, colour)
    claimed = [100 * b.confidence for b in bins]
    kept = [100 * b.accuracy.value for b in bins]
    below = [100 * (b.accuracy.value - b.accuracy.low) for b in bins]
    above = [100 * (b.accuracy.high - b.accuracy.value) for b in bins]
    axes.errorbar(
        claimed,
        kept,
        yerr=[below, above],
        fmt="o-",
        color=colour,
        linewidth=1.5,
        markersize=5,
        elinewidth=1.2,
    )
    axes.set_xlim(*_LIMITS)
    axes.set_ylim(*_LIMITS)
    axes.set_xlabel("how sure it says it is, %")
    axes.set_ylabel("how often it is right, %")
    return figure_data_uri(figure)


def _histogram(axes: object, bins: Sequence[Bin], colour: str) -> None:
    """The density of confidences in the lowest part of the chart; the tallest bar is an eighth of it."""
    total = sum(b.accuracy.n for b in bins)
    widths = [max(b.high - b.low, 0.005) for b in bins]
    density = [b.accuracy.n / total / width for b, width in zip(bins, widths, strict=True)]
    heights = [12.5 * value / max(density) for value in density]
    axes.bar(  # type: ignore[attr-defined]
        [100 * b.low for b in bins],
        heights,
        width=[100 * width for width in widths],
        bottom=_LIMITS[0],
        align="edge",
        color=colour,
        alpha=0.18,
        edgecolor=GRID,
        linewidth=0.6,
    )


def coverage_chart(selection: Selection) -> str:
    """The share right among the answers given, over the share of drawings answered, in per cent."""
    figure, axes = new_figure(5.6, 4.0)
    axes.plot(
        [100 * point.coverage for point in selection.curve],
        [100 * point.precision for point in selection.curve],
        color=ACCENT,
        linewidth=2,
    )
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
        precision, coverage = selection.precision, selection.coverage
        axes.errorbar(
            [100 * coverage.value],
            [100 * precision.value],
            xerr=[[100 * (coverage.value - coverage.low)], [100 * (coverage.high - coverage.value)]],
            yerr=[[100 * (precision.value - precision.low)], [100 * (precision.high - precision.value)]],
            fmt="o",
            color=SECOND,
            markersize=7,
            elinewidth=1.4,
            zorder=3,
        )
    axes.set_xlim(*_LIMITS)
    lowest = min(point.precision for point in selection.curve)
    axes.set_ylim(max(-2, 100 * lowest - 6), _LIMITS[1])
    axes.set_xlabel("drawings that are answered, %")
    axes.set_ylabel("right among the answers, %")
    return figure_data_uri(figure)
