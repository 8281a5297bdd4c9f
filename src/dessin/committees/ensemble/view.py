"""An ensemble in words, as a page and in pictures: what it gains on unseen drawings, how members differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow, RuleRow, ViewsGain
from dessin.committees.gains import TONES, Way, for_terminal, gain_in_words, way_lines, way_plot
from dessin.page.dots import DotPlot
from dessin.page.numbers import capital, counted, listed, p_value, points, share, size
from dessin.page.pictures import ACCENT, GRID, INK, MUTED, figure_data_uri, new_figure
from dessin.page.render import render_page

# Above so many members a cell is too small for a figure, and a drawn picture takes the table's place.
MOST_CELLS = 12
_PAPER = "#ffffff"
_MOST_TICKS = 20
_HARD = ", hard vote"
# What a rule gives, as part of a sentence, and how it chooses.
_RULES = {
    BASE_RULE: ("the best single member", "the most accurate member, alone"),
    "all soft": (
        "the soft vote of all members",
        "the mean of all members’ probabilities; nothing is chosen",
    ),
    "all hard": ("the hard vote of all members", "each member has one vote; nothing is chosen"),
    "accuracy": (
        "the soft vote of the most accurate members",
        "the most accurate members, as many as do best together",
    ),
    "diversity": (
        "the soft vote of diverse members",
        "from the best member on, always the one that errs least together with those before",
    ),
    "weighted soft": ("the weighted soft vote", "a mean with weights that are fitted"),
    "greedy": (
        "the greedily chosen soft vote",
        "members added one at a time, each time the one that helps most",
    ),
}


def rule_in_words(name: str) -> str:
    """`greedy` → `the greedily chosen soft vote`; a rule of another's members with votes says so."""
    if name in _RULES:
        return _RULES[name][0]
    return _RULES[_found_by(name)][0].replace("soft vote", "hard vote")


def rule_meaning(name: str) -> str:
    """What a rule does, for people; a hard vote of chosen members names the rule that chose them."""
    if name in _RULES:
        return _RULES[name][1]
    return f"members and weights of “{_found_by(name)}”, with votes in place of probabilities"


def _found_by(name: str) -> str:
    """The rule that finds the members of a hard vote."""
    base = name.removesuffix(_HARD)
    return base if base in _RULES else f"{base} soft"


def told(results: EnsembleResults) -> EnsembleResults:
    """The results with their summary and cautions."""
    return results.model_copy(update={"summary": summary(results), "cautions": _cautions(results)})


def summary(results: EnsembleResults) -> tuple[str, ...]:
    """What the ensemble gives on drawings that its choice did not see, and what the naive figure claims."""
    chosen, base, views = results.chosen_rule, results.rule_named(BASE_RULE), results.views
    who = rule_in_words(chosen.name)
    found = f"On drawings that the choice did not see ({counted(chosen.nested.n, 'drawing')}), {who} "
    if chosen.gain is None:
        found += (
            f"names {share(chosen.nested)} right. It is what the ensembles are held against, so nothing is "
            "gained."
        )
    else:
        found += (
            f"({counted(len(chosen.members), 'member')} of {len(results.members)}) names "
            f"{share(chosen.nested)} right, and {rule_in_words(BASE_RULE)}, chosen in the same way, "
            f"{share(base.nested)}: {gain_in_words(chosen.gain)}"
        )
    return (found, _naive(chosen), *([] if views is None else [_views(views, who)]))


def _naive(chosen: RuleRow) -> str:
    optimism = chosen.optimism
    claim = (
        "The naive figure, from the very drawings that the choice was made on, would have claimed "
        f"{share(chosen.naive)}"
    )
    if optimism.low == optimism.high == 0.0:
        return "The rule chooses nothing by these drawings, so a naive look claims the same."
    if optimism.low > 0:
        return f"{claim}: {points(optimism)} points too much."
    if optimism.high < 0:
        return f"{claim}: {points(optimism)} points, so here the choice made without a part did better on it."
    return f"{claim}; that it is too high cannot be told here ({points(optimism)} points)."


def _views(views: ViewsGain, who: str) -> str:
    gain, looks = views.gain, f"Looking in {len(views.views)} views ({', '.join(views.views)})"
    by = size(gain.difference.value)
    said = {
        "better": f" gains {who} {by} points",
        "worse": f" costs {who} {by} points",
        "no difference": f" gains {who} none that matters",
        "cannot tell": ": no gain was found",
    }
    numbers = f"{points(gain.difference)} points, p\u00a0{p_value(gain.p)}"
    unknown = f" {capital(gain.verdict_text)}." if gain.verdict == "cannot tell" else ""
    base = f"against {share(views.plain)} in one view, same rule, nested"
    return f"{looks}{said[gain.verdict]} ({numbers}; {base}).{unknown}"


def _cautions(results: EnsembleResults) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    chosen, rules = results.chosen_rule, results.rules
    found = [
        "This is about these trained models: how much the luck of a training matters is not in the numbers."
    ]
    best = max(rules, key=lambda row: row.nested.value)
    if best.nested.value > chosen.nested.value:
        found.append(
            f"{capital(rule_in_words(best.name))} has a higher nested figure ({share(best.nested)}) than "
            f"what was asked for ({share(chosen.nested)}). To take it because of this table would be one "
            f"more choice, among {len(rules)}, made on these drawings, and its figure would be too high in "
            "turn."
        )
    found.append(
        "Each run has validated on these drawings, and may have chosen its epoch by them, so all figures are "
        "a little high; a holdout that nothing was chosen on is the last word, and it was not looked at here."
    )
    if any(len(member.folds) > 1 for member in results.members if member.name in chosen.members):
        found.append(
            "For each drawing, a member of several folds was asked through its one model that was not "
            "trained on it. In the committee all its models vote, which is usually a little better; that is "
            "not measured here."
        )
    if len(results.folds) < 3:
        found.append(
            f"The members share {counted(len(results.folds), 'fold')} only, so the drawings were dealt into "
            f"{results.parts} parts of whole groups for the nested figures; in all parts a member is the "
            "same trained model."
        )
    return tuple(found)


def ensemble_lines(results: EnsembleResults, width: int | None) -> list[str]:
    """The table of rules and the sentences, as lines for a terminal."""
    table = way_lines(_ways(results), "rule", "nested", results.chosen, width)
    notes = [f"Note: {caution}" for caution in results.cautions]
    return [*table, "", *for_terminal((*results.summary, *notes))]


def _ways(results: EnsembleResults) -> list[Way]:
    return [Way(row.name, len(row.members), row.nested, row.naive, row.gain) for row in results.rules]


@dataclass(frozen=True)
class ChosenMember:
    """A member of the committee: its place in the table of members, and its share of the vote (0..1)."""

    number: int
    member: MemberRow
    weight: float
    parts: int


def ensemble_page(results: EnsembleResults) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    members = chosen_members(results)
    return render_page(
        "dessin.committees.ensemble",
        "ensemble.html",
        title=f"{results.name}: an ensemble",
        results=results,
        chosen=results.chosen_rule,
        base=results.rule_named(BASE_RULE),
        base_rule=BASE_RULE,
        chosen_members=members,
        models=sum(len(row.member.runs) for row in members),
        meanings={rule.name: rule_meaning(rule.name) for rule in results.rules},
        plot=rules_plot(results),
        times_chosen={rule.name: times_chosen(rule) for rule in results.rules},
        part_names=part_names(results),
        maps=heat_maps(results),
        scatter=scatter(results),
        made_of=made_of,
        tones=TONES,
    )


def chosen_members(results: EnsembleResults) -> list[ChosenMember]:
    """The members of the committee, the heaviest first."""
    chosen = results.chosen_rule
    parts = times_chosen(chosen)
    found = [
        ChosenMember(number, member, member.weights[chosen.name], parts.get(member.name, 0))
        for number, member in enumerate(results.members, start=1)
        if member.weights[chosen.name] > 0
    ]
    return sorted(found, key=lambda row: (-row.weight, row.number))


def rules_plot(results: EnsembleResults) -> DotPlot:
    """Nested accuracies with the naive ones as rings; the line is the best single member's."""
    return way_plot(_ways(results), "nested", results.chosen, "the committee")


def times_chosen(rule: RuleRow) -> Mapping[str, int]:
    """For each member that was chosen in some outer part: in how many of them."""
    return Counter(name for weights in rule.part_weights for name in weights)


def part_names(results: EnsembleResults) -> list[str]:
    """What each outer part is; where folds were too few, parts were dealt and have numbers only."""
    if results.parts == len(results.folds):
        return [f"fold {fold}" for fold in results.folds]
    return [f"part {number}" for number in range(1, results.parts + 1)]


def made_of(member: MemberRow) -> str:
    """`1 run on fold 0`, or `2 runs on folds 0 and 1`."""
    folds = "fold" if len(member.folds) == 1 else "folds"
    return f"{counted(len(member.runs), 'run')} on {folds} {listed([str(fold) for fold in member.folds])}"


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
            "{:.1f}".format,
        ),
        _heat_map(
            results,
            "Double fault, %",
            "The share of drawings that both name wrong, where no vote of the two can be right. Low is good.",
            [100 * pair.double_fault for pair in results.pairs],
            "{:.1f}".format,
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
