"""A forest picture of differences, as places in per cent of its width; the template draws it with boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dessin.experiments.study.records import Comparison, Verdict
from dessin.experiments.wrapup.words import points, signed

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MOST_TICKS = 6


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class ForestRow:
    """A difference `at` its place, its interval from `start` over `width`; `words` say the same."""

    name: str
    against: str
    verdict: Verdict
    words: str
    at: float
    start: float
    width: float


@dataclass(frozen=True)
class Forest:
    """Rows on one scale; `zero` is no difference, and from `band` over `band_width` it is too little."""

    rows: tuple[ForestRow, ...]
    ticks: tuple[Tick, ...]
    zero: float
    band: float
    band_width: float


def draw_forest(comparisons: Sequence[Comparison], matters: float) -> Forest | None:
    """The differences with the band of those too small to matter (±`matters`, 0..1); None without any."""
    if not comparisons:
        return None
    lows = [comparison.difference.low for comparison in comparisons]
    highs = [comparison.difference.high for comparison in comparisons]
    low, high = min(*lows, -1.2 * matters, -0.005), max(*highs, 1.2 * matters, 0.005)
    margin = 0.04 * (high - low)
    low, span = low - margin, high - low + 2 * margin

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 3)

    def row(comparison: Comparison) -> ForestRow:
        difference = comparison.difference
        return ForestRow(
            name=comparison.name,
            against=comparison.against,
            verdict=comparison.verdict,
            words=points(difference),
            at=place(difference.value),
            start=place(difference.low),
            width=round(place(difference.high) - place(difference.low), 3),
        )

    return Forest(
        rows=tuple(row(comparison) for comparison in comparisons),
        ticks=tuple(Tick(place(value), signed(value)) for value in _ticks(low, low + span)),
        zero=place(0.0),
        band=place(-matters),
        band_width=round(place(matters) - place(-matters), 3),
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values within the scale, zero among them."""
    step = next((step for step in _STEPS if (high - low) / step <= _MOST_TICKS), _STEPS[-1])
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
