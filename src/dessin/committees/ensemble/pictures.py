"""How differently the members of an ensemble err, in pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.ensemble.result import EnsembleResults
from dessin.language import tr
from dessin.page.blocks import Picture
from dessin.page.pictures import ACCENT, GRID, INK, MUTED, figure_data_uri, new_figure

# Above so many members a cell is too small for a figure.
_MOST_CELLS = 12
_PAPER = "#ffffff"
_MOST_TICKS = 20


def heat_maps(results: EnsembleResults) -> tuple[tuple[str, Picture], ...]:
    """Disagreement, double fault and Q over all pairs of members, each with its title."""
    pairs = results.pairs
    return (
        _heat_map(
            results,
            tr("Disagreement, %"),
            tr(
                "The share of drawings that one of the two names right and the other wrong. Members that "
                "never disagree cannot help one another."
            ),
            [100 * pair.disagreement for pair in pairs],
            "{:.1f}".format,
        ),
        _heat_map(
            results,
            tr("Double fault, %"),
            tr(
                "The share of drawings that both name wrong, where no vote of the two can be right. Low is "
                "good."
            ),
            [100 * pair.double_fault for pair in pairs],
            "{:.1f}".format,
        ),
        _heat_map(
            results,
            tr("Yule’s Q"),
            tr(
                "1: always right and wrong together; 0: as if they knew nothing of one another; below 0: "
                "each is right where the other is wrong."
            ),
            [pair.q for pair in pairs],
            _short,
        ),
    )


def _short(value: float) -> str:
    """`−.23`: without the 0, so that it fits a cell."""
    return f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1).replace("-", "−")


def _heat_map(
    results: EnsembleResults, title: str, meaning: str, values: list[float], text: Callable[[float], str]
) -> tuple[str, Picture]:
    names = [member.name for member in results.members]
    table = np.full((len(names), len(names)), np.nan)
    for pair, value in zip(results.pairs, values, strict=True):
        i, j = names.index(pair.first), names.index(pair.second)
        table[i, j] = table[j, i] = value
    alt = tr(
        "{title} of {n} pairs of members, from {low} to {high}",
        title=title,
        n=len(values),
        low=text(min(values)),
        high=text(max(values)),
    )
    return title, Picture(_drawn(table, text), alt, meaning, "chart")


def _drawn(table: NDArray[np.float64], text: Callable[[float], str]) -> str:
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = new_figure(5.6, 4.8)
    # A page's own font may be wider than the one that the layout was measured with.
    figure.get_layout_engine().set(w_pad=0.12)
    colours = LinearSegmentedColormap.from_list("accent", [_PAPER, ACCENT]).with_extremes(bad=GRID)
    picture = axes.imshow(np.ma.masked_invalid(table), cmap=colours, interpolation="nearest")
    axes.grid(visible=False)
    step = max(1, -(-len(table) // _MOST_TICKS))
    ticks = list(range(0, len(table), step))
    names = [str(tick + 1) for tick in ticks]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.tick_params(labelsize=9)
    if len(table) <= _MOST_CELLS:
        dark = np.nanmin(table) + 0.6 * (np.nanmax(table) - np.nanmin(table))
        for i, j in zip(*np.nonzero(~np.isnan(table)), strict=True):
            colour = _PAPER if table[i, j] > dark else INK
            axes.text(j, i, text(table[i, j]), ha="center", va="center", fontsize=9, color=colour)
    bar = figure.colorbar(picture, ax=axes, shrink=0.8)
    bar.outline.set_visible(False)
    return figure_data_uri(figure)


def scatter(results: EnsembleResults) -> tuple[str, Picture]:
    """Each pair: the mean accuracy of the two against how often they disagree; chosen pairs filled."""
    accuracy = {member.name: member.accuracy.value for member in results.members}
    chosen = set(results.chosen_rule.members)
    figure, axes = new_figure(5.6, 4.8)
    kinds: tuple[tuple[bool, dict[str, Any]], ...] = (
        (False, {"facecolors": _PAPER, "edgecolors": MUTED, "linewidths": 1.2}),
        (True, {"facecolors": ACCENT, "edgecolors": ACCENT, "linewidths": 1.2}),
    )
    for inside, style in kinds:
        pairs = [pair for pair in results.pairs if ({pair.first, pair.second} <= chosen) == inside]
        across = [100 * pair.disagreement for pair in pairs]
        up = [50 * (accuracy[pair.first] + accuracy[pair.second]) for pair in pairs]
        axes.scatter(across, up, s=34, zorder=3, clip_on=False, **style)
    axes.set_xlabel(tr("disagreement, % of drawings"))
    axes.set_ylabel(tr("mean accuracy of the two, %"))
    axes.tick_params(colors=MUTED)
    axes.yaxis.label.set_color(INK)
    axes.xaxis.label.set_color(INK)
    axes.margins(0.06)
    both = sum({pair.first, pair.second} <= chosen for pair in results.pairs)
    alt = tr(
        "{n} pairs of members by disagreement and mean accuracy; {both} of chosen ones",
        n=len(results.pairs),
        both=both,
    )
    meaning = tr(
        "Each circle is a pair: the further up, the better the two are alone; the further right, the more "
        "often one of them is right where the other is wrong. Filled: both are in the committee."
    )
    return tr("Good and different: all pairs of members"), Picture(
        figure_data_uri(figure), alt, meaning, "chart"
    )
