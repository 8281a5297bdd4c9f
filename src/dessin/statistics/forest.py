"""A forest picture of differences: a dot with its interval for each, and the band of those too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import points, signed
from dessin.statistics.comparison import Comparison


@dataclass(frozen=True)
class Forest:
    """The picture; `against` is what all rows are compared with, or empty where that differs."""

    plot: DotPlot
    against: str


def draw_forest(comparisons: Sequence[Comparison], matters: float) -> Forest | None:
    """The differences with the band of those too small to matter (±`matters`, 0..1); None without any."""
    if not comparisons:
        return None
    several = len({comparison.against for comparison in comparisons}) > 1
    plot = dot_plot(
        [_dot(comparison, several=several) for comparison in comparisons],
        signed,
        line=0.0,
        band=(-matters, matters),
        reach=(-1.2 * matters, 1.2 * matters, -0.005, 0.005),
    )
    return Forest(plot, "" if several else comparisons[0].against)


def _dot(comparison: Comparison, *, several: bool) -> Dot:
    difference, words = comparison.difference, points(comparison.difference)
    whole = f"{comparison.name} against {comparison.against}: {words} points, {comparison.verdict}"
    return Dot(
        name=comparison.name,
        words=words,
        label=whole,
        value=difference.value,
        low=difference.low,
        high=difference.high,
        tone=comparison.verdict.replace(" ", "-"),
        note=f"against {comparison.against}" if several else "",
    )
