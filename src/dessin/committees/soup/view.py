"""The page of a soup: what it gives on drawings that it was not chosen by, and what went into it."""

from __future__ import annotations

from collections.abc import Mapping

from dessin.committees.soup.result import BEST, BETWEEN, GREEDY, PROBE, TUNED, UNIFORM, SoupResults, SoupRow
from dessin.committees.soup.words import step_of, way_in_words
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, plain, points, share, written_p
from dessin.page.pictures import ACCENT, MUTED, SECOND, figure_data_uri, new_figure
from dessin.page.render import render_page

_MEANING = {
    BEST: "the most accurate run, alone",
    UNIFORM: "the mean of all runs’ weights; nothing is chosen",
    GREEDY: "the best run, then each next one that does not make the mean worse",
    TUNED: "the weights that the run ended with",
    PROBE: "the pretrained body with the probe that the run began at",
    BETWEEN: "the best of the steps from the probe to the fine-tuned weights",
}


def soup_page(results: SoupResults) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    return render_page(
        "dessin.committees.soup",
        "soup.html",
        title=f"{results.name}: a soup of weights",
        results=results,
        chosen=results.chosen_way,
        base=results.way(results.base),
        between=results.soup == "wise",
        curves=curve_charts(results),
        meanings=_MEANING,
        plot=ways_plot(results),
        made_of={row.name: made_of(results, row) for row in results.ways},
        picks={row.name: part_picks(results, row) for row in results.ways},
        in_parts=in_parts(results),
        tones={"better": " good", "worse": " warn"},
        base_words=way_in_words(results.base),
        step=step_of(results.chosen_way.shares) if results.curve else None,
        counted=counted,
        plain=plain,
        points=points,
        share=share,
        written_p=written_p,
    )


def ways_plot(results: SoupResults) -> DotPlot:
    """Cross-fitted accuracies with the naive ones as rings; the line is the base's."""
    return dot_plot(
        [_dot(row, is_chosen=row.name == results.chosen) for row in results.ways],
        lambda value: f"{100 * value:g}%",
        line=results.way(results.base).accuracy.value,
    )


def _dot(row: SoupRow, *, is_chosen: bool) -> Dot:
    words = share(row.accuracy)
    return Dot(
        name=row.name,
        words=words,
        label=f"{row.name}: cross-fitted accuracy {words}, naive {row.naive.value:.1%}",
        value=row.accuracy.value,
        low=row.accuracy.low,
        high=row.accuracy.high,
        tone="" if is_chosen else "cannot-tell",
        note="the bundle" if is_chosen else "",
        hollow=row.naive.value,
    )


def curve_charts(results: SoupResults) -> tuple[str, ...]:
    """Accuracy with its band, and the loss, over the way from the probe to the fine-tuned weights."""
    if not results.curve:
        return ()
    steps = [point.alpha for point in results.curve]
    chosen = step_of(results.chosen_way.shares)
    accuracy = [
        [100 * value for value in (point.accuracy.value, point.accuracy.low, point.accuracy.high)]
        for point in results.curve
    ]
    loss = [[point.loss.value, point.loss.low, point.loss.high] for point in results.curve]
    return (
        _chart("Accuracy, %", steps, accuracy, chosen, ACCENT),
        _chart("Log loss", steps, loss, chosen, SECOND),
    )


def _chart(title: str, steps: list[float], values: list[list[float]], chosen: float, colour: str) -> str:
    middle, low, high = zip(*values, strict=True)
    figure, axes = new_figure(5.4, 3.2)
    axes.fill_between(steps, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.axvline(chosen, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label=f"chosen: {chosen:g}")
    axes.plot(steps, middle, color=colour, linewidth=2, marker="o", markersize=4.5)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("0: the probe … 1: the fine-tuned weights")
    axes.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    axes.margins(x=0.03)
    axes.legend(loc="best", fontsize=10, frameon=False)
    return figure_data_uri(figure)


def made_of(results: SoupResults, row: SoupRow) -> str:
    """What a way chose on all drawings: `2 of 3 runs`, or a step."""
    if results.curve:
        return f"step {step_of(row.shares):g}"
    return f"{len(row.shares)} of {counted(len(results.members), 'run')}"


def part_picks(results: SoupResults, row: SoupRow) -> str:
    """What a way chose without each part, shortly: `0.7, 0.7, 1, 0.6, 0.7`, or how many runs."""
    if results.curve:
        return ", ".join(f"{step_of(shares):g}" for shares in row.part_shares)
    return ", ".join(str(len(shares)) for shares in row.part_shares)


def in_parts(results: SoupResults) -> Mapping[str, int]:
    """For each member: without how many of the parts it was chosen."""
    chosen = results.chosen_way.part_shares
    return {member.name: sum(member.name in shares for shares in chosen) for member in results.members}
