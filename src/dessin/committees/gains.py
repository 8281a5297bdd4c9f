"""Gains over a base: paired over folds, told in words, as cells of a table and as dots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import p_value, points, share, size, written_p
from dessin.page.tables import aligned, printable, spread
from dessin.statistics.comparison import Comparison
from dessin.statistics.contrasts import Contrast, two_models
from dessin.statistics.intervals import Estimate

Bools = NDArray[np.bool_]
TONES = {"better": " good", "worse": " warn"}
# Two differences say next to nothing of how differences vary.
_FOLDS_TOLD_APART = 3


def check_matters(matters: float) -> None:
    """Refuse a smallest difference of accuracy that cannot be one."""
    if not 0.0 < matters < 1.0:
        raise DessinError(f"A difference of {matters:g} was to matter.", allowed="It lies between 0 and 1.")


def over_folds(
    first: Bools, second: Bools, folds: NDArray[np.int64], groups: NDArray[Any], split_folds: int
) -> Contrast:
    """`first` minus `second`, what each has right, (N,): of three folds or more, each is a pair of trainings.

    `split_folds` is how many folds the split has, of which `folds` (N,) are some.
    """
    if len(np.unique(folds)) < _FOLDS_TOLD_APART:
        folds = np.zeros_like(folds)
    return two_models(first, second, groups, folds=folds, split_folds=split_folds)


def gain_in_words(gain: Comparison, also: str = "") -> str:
    """The end of a sentence about what is compared: `it gains 2.1 points (+2.1 [..] points, p = ..)`."""
    numbers = f"{points(gain.difference)} points, {also}p\u00a0{p_value(gain.p_holm)} after Holm"
    by = size(gain.difference.value)
    said = {
        "better": f"it gains {by} points",
        "worse": f"it loses {by} points",
        "no difference": "it gains nothing that matters",
        "cannot tell": "whether it gains anything cannot be told",
    }
    return f"{said[gain.verdict]} ({numbers})."


def verdict_text(comparison: Comparison) -> str:
    """The sentence of a verdict, to be put after a "cannot be told"."""
    return comparison.verdict_text.removeprefix("cannot tell: ")


def gain_row(gain: Comparison | None) -> dict[str, object]:
    """A gain as cells of a CSV; empty for the base itself."""
    if gain is None:
        return {**spread("gain", None, ends="gain_"), "p_holm": "", "verdict": ""}
    found = spread("gain", gain.difference, ends="gain_")
    return {**found, "p_holm": gain.p_holm, "verdict": gain.verdict}


class Way(NamedTuple):
    """A way to choose: `accuracy` where it did not choose, `naive` where it did, `gain` over the base."""

    name: str
    members: int
    accuracy: Estimate
    naive: Estimate
    gain: Comparison | None


def way_lines(ways: Sequence[Way], first: str, what: str, chosen: str, width: int | None) -> list[str]:
    """Ways as a table for a terminal, the `chosen` one with a star; `what` the accuracy is in words."""
    titles = [first, "members", f"{what} accuracy", "naive", "gain, points", "p (Holm)", "verdict"]
    rows = []
    for way in ways:
        gain = ["–", "–", "base"]
        if way.gain is not None:
            gain = [points(way.gain.difference), written_p(way.gain.p_holm), way.gain.verdict]
        name = f"{way.name} *" if way.name == chosen else way.name
        rows.append([name, str(way.members), share(way.accuracy), f"{way.naive.value:.1%}", *gain])
    return aligned(titles, rows, width, whole=titles[1:])


def way_plot(ways: Sequence[Way], what: str, chosen: str, note: str) -> DotPlot:
    """Accuracies on one scale, the naive ones as rings; the line is the base's, `note` marks the `chosen`."""
    dots = [
        Dot.of(
            way.name,
            way.accuracy,
            share(way.accuracy),
            label=f"{way.name}: {what} accuracy {share(way.accuracy)}, naive {way.naive.value:.1%}",
            tone="" if way.name == chosen else "cannot-tell",
            note=note if way.name == chosen else "",
            hollow=way.naive.value,
        )
        for way in ways
    ]
    base = next(way.accuracy.value for way in ways if way.gain is None)
    return dot_plot(dots, lambda value: f"{100 * value:g}%", line=base)


def for_terminal(sentences: Iterable[str]) -> list[str]:
    """Sentences with plain spaces, safe to print."""
    return [printable(text.replace("\u00a0", " ").replace("\u202f", " ")) for text in sentences]
