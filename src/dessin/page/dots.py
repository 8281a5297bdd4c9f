"""Dots with intervals on one scale, as places in per cent of its width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dessin.page.numbers import Interval

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MOST_TICKS = 6
_MARGIN = 0.04


@dataclass(frozen=True)
class Dot:
    """A value with its interval; `words` say the same in figures, and `label` the whole in a sentence.

    `note` is put small after the name, `tone` is a class of the stylesheet, and `hollow` a second value that
    is drawn as a ring.
    """

    name: str
    words: str
    label: str
    value: float
    low: float
    high: float
    tone: str = ""
    note: str = ""
    hollow: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        found: Interval,
        words: str,
        *,
        label: str = "",
        tone: str = "",
        note: str = "",
        hollow: float | None = None,
    ) -> Dot:
        """A dot of a value with its interval; its sentence is by default its name and its words."""
        label = label or f"{name}: {words}"
        return cls(name, words, label, found.value, found.low, found.high, tone, note, hollow)


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class DotRow:
    """A dot `at` its place, its interval from `start` over `width`, and its ring at `ring`, if it has one."""

    dot: Dot
    at: float
    start: float
    width: float
    ring: float | None


@dataclass(frozen=True)
class DotPlot:
    """Rows on one scale; a thin line at `line`, and a band from `band` over `band_width`."""

    rows: tuple[DotRow, ...]
    ticks: tuple[Tick, ...]
    line: float | None
    band: float | None
    band_width: float


def dot_plot(
    dots: Sequence[Dot],
    tick: Callable[[float], str] = lambda value: f"{100 * value:g}%",
    *,
    line: float | None = None,
    band: tuple[float, float] | None = None,
    reach: Sequence[float] = (),
) -> DotPlot:
    """Place `dots` on the smallest scale that holds them, `line`, `band` and `reach`; `tick` names values."""
    held = [*reach, *(band or ()), *([] if line is None else [line])]
    for dot in dots:
        held += [dot.low, dot.high, *([] if dot.hollow is None else [dot.hollow])]
    low, high = float(min(held)), float(max(held))
    margin = _MARGIN * (high - low)
    low, span = low - margin, high - low + 2 * margin

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 3)

    def between(start: float, end: float) -> float:
        return round(place(end) - place(start), 3)

    return DotPlot(
        rows=tuple(
            DotRow(
                dot,
                at=place(dot.value),
                start=place(dot.low),
                width=between(dot.low, dot.high),
                ring=None if dot.hollow is None else place(dot.hollow),
            )
            for dot in dots
        ),
        ticks=tuple(Tick(place(value), tick(value)) for value in _ticks(low, low + span)),
        line=None if line is None else place(line),
        band=None if band is None else place(band[0]),
        band_width=between(*band) if band else 0.0,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values within the scale."""
    step = next((step for step in _STEPS if (high - low) / step <= _MOST_TICKS), _STEPS[-1])
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
