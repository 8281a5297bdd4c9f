"""Pictures of how members differ: heat maps of pairs, and a scatter of accuracy against disagreement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.ensemble.result import EnsembleResults
from dessin.page.pictures import ACCENT, GRID, INK, MUTED, figure_data_uri, new_figure

# Above so many members a cell is too small for a figure, and a drawn picture takes the table's place.
MOST_CELLS = 12
_PAPER = "#ffffff"
_MOST_TICKS = 20


@dataclass(frozen=True)
class Cell:
    """`shade` is 0..1 between the smallest and the largest value; the words are for who cannot see it."""

    text: str
    shade: float
    words: str


@dataclass(frozen=True)
class HeatMap:
    """One measure over all pairs: rows of cells (None on the diagonal), or for many members a picture."""

    title: str
    meaning: str
    cells: tuple[tuple[Cell | None, ...], ...]
    picture: str
    low: str
    high: str


def _tenths(value: float) -> str:
    return f"{value:.1f}"


def _plain(value: float) -> str:
    """`−.23`: without the 0, so that it fits a cell."""
    return f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1).replace("-", "−")


def heat_maps(results: EnsembleResults) -> tuple[HeatMap, ...]:
    """Disagreement, double fault and Q over all pairs of members."""
    return (
        _heat_map(
            results,
            "Disagreement, %",
            "The share of drawings that one of the two names right and the other wrong. Members that never "
            "disagree cannot help one another.",
            [100 * pair.disagreement for pair in results.pairs],
            _tenths,
        ),
        _heat_map(
            results,
            "Double fault, %",
            "The share of drawings that both name wrong, where no vote of the two can be right. Low is good.",
            [100 * pair.double_fault for pair in results.pairs],
            _tenths,
        ),
        _heat_map(
            results,
            "Yule’s Q",
            "1: always right and wrong together; 0: as if they knew nothing of one another; below 0: each is "
            "right where the other is wrong.",
            [pair.q for pair in results.pairs],
            _plain,
        ),
    )


def _heat_map(
    results: EnsembleResults, title: str, meaning: str, values: list[float], text: Callable[[float], str]
) -> HeatMap:
    names = [member.name for member in results.members]
    low, high = min(values), max(values)
    table = np.full((len(names), len(names)), np.nan)
    for pair, value in zip(results.pairs, values, strict=True):
        i, j = names.index(pair.first), names.index(pair.second)
        table[i, j] = table[j, i] = value

    def cell(i: int, j: int) -> Cell | None:
        if i == j:
            return None
        value = float(table[i, j])
        shade = round((value - low) / (high - low or 1.0), 3)
        return Cell(text(value), shade, f"{names[i]} and {names[j]}: {text(value)}")

    every = range(len(names))
    small = len(names) <= MOST_CELLS
    cells = tuple(tuple(cell(i, j) for j in every) for i in every) if small else ()
    return HeatMap(title, meaning, cells, "" if small else _drawn(table), text(low), text(high))


def _drawn(table: NDArray[np.float64]) -> str:
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = new_figure(5.6, 4.8)
    # A page's own font may be wider than the one that the layout was measured with.
    figure.get_layout_engine().set(w_pad=0.12)
    colours = LinearSegmentedColormap.from_list("accent", [_PAPER, ACCENT]).with_extremes(bad=GRID)
    picture = axes.imshow(np.ma.masked_invalid(table), cmap=colours, interpolation="nearest")
    axes.grid(visible=False)
    step = max(1, -(-len(table) // _MOST_TICKS))
    ticks = list(range(0, len(table), step))
    numbers = [str(tick + 1) for tick in ticks]
    axes.set_xticks(ticks, numbers)
    axes.set_yticks(ticks, numbers)
    axes.tick_params(labelsize=9)
    bar = figure.colorbar(picture, ax=axes, shrink=0.8)
    bar.outline.set_visible(False)
    return figure_data_uri(figure)


@dataclass(frozen=True)
class Scatter:
    picture: str
    alt: str


def scatter(results: EnsembleResults) -> Scatter:
    """Each pair: the mean accuracy of the two against how often they disagree; chosen pairs filled."""
    accuracy = {member.name: member.accuracy.value for member in results.members}
    chosen = set(results.chosen_rule.members)
    figure, axes = new_figure(6.4, 3.6)
    kinds: tuple[tuple[bool, dict[str, Any]], ...] = (
        (False, {"facecolors": _PAPER, "edgecolors": MUTED, "linewidths": 1.2}),
        (True, {"facecolors": ACCENT, "edgecolors": ACCENT, "linewidths": 1.2}),
    )
    for inside, style in kinds:
        pairs = [pair for pair in results.pairs if ({pair.first, pair.second} <= chosen) == inside]
        across = [100 * pair.disagreement for pair in pairs]
        up = [50 * (accuracy[pair.first] + accuracy[pair.second]) for pair in pairs]
        axes.scatter(across, up, s=34, zorder=3, clip_on=False, **style)
    axes.set_xlabel("disagreement, % of drawings")
    axes.set_ylabel("mean accuracy of the two, %")
    axes.tick_params(colors=MUTED)
    axes.yaxis.label.set_color(INK)
    axes.xaxis.label.set_color(INK)
    axes.margins(0.06)
    both = sum({pair.first, pair.second} <= chosen for pair in results.pairs)
    return Scatter(
        figure_data_uri(figure),
        f"{len(results.pairs)} pairs of members by disagreement and mean accuracy; {both} of chosen ones.",
    )
