"""A soup in words and as a page: what it gives on drawings that it was not chosen by, and what went in."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.committees.gains import TONES, Way, for_terminal, gain_in_words, way_lines, way_plot
from dessin.committees.soup.result import (
    BEST,
    BETWEEN,
    GREEDY,
    PROBE,
    TUNED,
    UNIFORM,
    CurvePoint,
    SoupMember,
    SoupResults,
    SoupRow,
)
from dessin.page.numbers import capital, counted, listed, plain, points, share, size
from dessin.page.pictures import ACCENT, MUTED, SECOND, figure_data_uri, new_figure
from dessin.page.render import render_page
from dessin.page.tables import aligned
from dessin.statistics.intervals import Estimate

# What a way gives, as part of a sentence, and how it chooses.
_WAYS = {
    BEST: ("the best single run", "the most accurate run, alone"),
    UNIFORM: ("the uniform soup", "the mean of all runs’ weights; nothing is chosen"),
    GREEDY: ("the greedy soup", "the best run, then each next one that does not make the mean worse"),
    TUNED: ("the fine-tuned model", "the weights that the run ended with"),
    PROBE: ("the probe", "the pretrained body with the probe that the run began at"),
    BETWEEN: ("the step that was chosen", "the best of the steps from the probe to the fine-tuned weights"),
}


def way_in_words(name: str) -> str:
    """`greedy soup` → `the greedy soup`."""
    return _WAYS[name][0]


def told(results: SoupResults) -> SoupResults:
    """The results with their summary and cautions."""
    chosen, base = results.chosen_way, results.way(results.base)
    summary = (
        _found(chosen, base),
        _made_of(chosen, results.members),
        *_loss(chosen, results.curve),
        _naive(chosen, base),
    )
    return results.model_copy(update={"summary": summary, "cautions": _cautions(results)})


def _found(chosen: SoupRow, base: SoupRow) -> str:
    n, who = counted(chosen.accuracy.n, "drawing"), way_in_words(chosen.name)
    also = ", chosen in the same way," if base.name == BEST else ""
    assert chosen.gain is not None, "only the base has no gain"
    gain = "nothing is gained; they name the very same drawings right."
    if chosen.won or chosen.lost:
        gain = gain_in_words(chosen.gain, f"{counted(chosen.won, 'drawing')} won and {chosen.lost} lost, ")
    return (
        f"On drawings that the choice did not see ({n}), {who} names {share(chosen.accuracy)} right, and "
        f"{way_in_words(base.name)}{also} {share(base.accuracy)}: {gain}"
    )


def _made_of(chosen: SoupRow, members: Sequence[SoupMember]) -> str:
    """What lies in the bundle, where that is not what was asked for: a single member's own weights."""
    names = list(chosen.shares)
    if chosen.name == BETWEEN:
        alpha = step_of(chosen.shares)
        if alpha in (0.0, 1.0):
            end = way_in_words(TUNED if alpha else PROBE)
            return f"On all drawings no step is better than {end} itself, so the bundle is {end}."
        return (
            f"On all drawings the step {alpha:g} of the way from the probe (0) to the fine-tuned weights (1) "
            "is the best, and lies in the bundle."
        )
    if len(names) == 1:
        return (
            f"No other run made {names[0]} better, so the soup is that run alone, and the bundle has its "
            "very weights."
        )
    return f"The bundle is the mean of {len(names)} of {counted(len(members), 'run')}: {listed(names)}."


def step_of(shares: dict[str, float]) -> float:
    """How far from the probe shares of the two ends are: 0 is the probe, 1 the fine-tuned weights."""
    return round(1.0 - shares.get(PROBE, 0.0), 6)


def _loss(chosen: SoupRow, curve: Sequence[CurvePoint]) -> tuple[str, ...]:
    """Where the loss is smallest, which is often elsewhere than where most drawings are right."""
    if not curve:
        return ()
    best = min(curve, key=lambda point: point.loss.value)
    if best.alpha == step_of(chosen.shares):
        return (f"The log loss is smallest at this step, too ({plain(best.loss)}).",)
    return (
        f"The log loss is smallest at the step {best.alpha:g} ({plain(best.loss)}; at the end "
        f"{plain(curve[-1].loss)}), but steps are chosen by accuracy.",
    )


def _naive(chosen: SoupRow, base: SoupRow) -> str:
    claim = chosen.naive.value - base.naive.value
    against = f"against {base.naive.value:.1%}"
    if chosen.optimism.low == chosen.optimism.high == 0.0:
        return "It chooses nothing by these drawings, so a naive look claims the same of it."
    gained = f"a {'gain' if claim > 0 else 'loss'} of {size(claim)} points"
    figure = (
        f"A naive look, at the very drawings that were chosen by, claims {share(chosen.naive)} {against}, "
        f"{gained if abs(claim) >= 5e-4 else 'a gain of nothing'}"
    )
    optimism = chosen.optimism
    if optimism.low > 0:
        return f"{figure}: {points(optimism)} points too much."
    if optimism.value == 0.0:
        return f"{figure}. Chosen without a part it did as well on it, so here that figure is not too high."
    return f"{figure}; that its figure is too high cannot be told here ({points(optimism)} points)."


def _cautions(results: SoupResults) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    one = len({member.run for member in results.members}) == 1
    models, runs = ("this trained model", "The run") if one else ("these trained models", "Each run")
    found = [
        f"This is about {models}: how much the luck of a training matters is not in the numbers.",
        f"{runs} has validated on these drawings, and may have chosen its epoch by them, so all figures are "
        "a little high; a holdout that nothing was chosen on is the last word, and it was not looked at "
        "here.",
    ]
    least = results.chosen_way.accuracy
    better = [row for row in results.ways if row.gain and row.accuracy.value > least.value]
    if better:
        best = max(better, key=lambda row: row.accuracy.value)
        found.append(
            f"{capital(way_in_words(best.name))} has a higher figure ({share(best.accuracy)}) than what was "
            f"asked for ({share(least)}). To take it because of this table would be one more choice made on "
            "these drawings, and its figure would be a little high in turn."
        )
    return tuple(found)


def soup_lines(results: SoupResults, width: int | None) -> list[str]:
    """The curve, if there is one, the table of ways and the sentences, as lines for a terminal."""
    lines = []
    if results.curve:
        titles = ["alpha", "accuracy", "log loss"]
        rows = [[f"{p.alpha:.1f}", share(p.accuracy), plain(p.loss)] for p in results.curve]
        lines += [*aligned(titles, rows, width, whole=titles), ""]
    table = way_lines(_ways(results), "way", "cross-fitted", results.chosen, width)
    notes = [f"Note: {text}" for text in (*results.notes, *results.cautions)]
    return [*lines, *table, "", *for_terminal((*results.summary, *notes))]


def _ways(results: SoupResults) -> list[Way]:
    return [Way(row.name, len(row.shares), row.accuracy, row.naive, row.gain) for row in results.ways]


def soup_page(results: SoupResults) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    parts, runs = results.chosen_way.part_shares, counted(len(results.members), "run")
    return render_page(
        "dessin.committees.soup",
        "soup.html",
        title=f"{results.name}: a soup of weights",
        results=results,
        chosen=results.chosen_way,
        base=results.way(results.base),
        between=results.soup == "wise",
        curves=_curve_charts(results),
        meanings={name: meaning for name, (_, meaning) in _WAYS.items()},
        plot=way_plot(_ways(results), "cross-fitted", results.chosen, "the bundle"),
        made_of={
            row.name: f"step {step_of(row.shares):g}" if results.curve else f"{len(row.shares)} of {runs}"
            for row in results.ways
        },
        picks=", ".join(f"{step_of(each):g}" if results.curve else str(len(each)) for each in parts),
        in_parts={member.name: sum(member.name in each for each in parts) for member in results.members},
        tones=TONES,
        base_words=way_in_words(results.base),
        step=step_of(results.chosen_way.shares) if results.curve else None,
    )


def _curve_charts(results: SoupResults) -> tuple[str, ...]:
    """Accuracy with its band, and the loss, over the way from the probe to the fine-tuned weights."""
    if not results.curve:
        return ()
    steps = [point.alpha for point in results.curve]
    chosen = step_of(results.chosen_way.shares)
    accuracies, losses = [p.accuracy for p in results.curve], [p.loss for p in results.curve]
    return (
        _chart("Accuracy, %", steps, accuracies, 100, chosen, ACCENT),
        _chart("Log loss", steps, losses, 1, chosen, SECOND),
    )


def _chart(
    title: str, steps: list[float], found: list[Estimate], times: int, chosen: float, colour: str
) -> str:
    middle, low, high = ([times * getattr(each, part) for each in found] for part in ("value", "low", "high"))
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
