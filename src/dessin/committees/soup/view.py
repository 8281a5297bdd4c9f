"""A soup in words and as a page: what it gives on drawings that it was not chosen by, and what went in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.committees.choices import (
    Ingredient,
    Way,
    Ways,
    choice_cautions,
    choice_page,
    members_table,
    naive_in_words,
)
from dessin.committees.sides import Sides
from dessin.committees.soup.result import (
    BEST,
    BETWEEN,
    GREEDY,
    PROBE,
    TUNED,
    UNIFORM,
    SoupMember,
    SoupResults,
    SoupRow,
)
from dessin.committees.view import as_lines, mistakes_step, predict_step
from dessin.language import tr
from dessin.page.blocks import Grid, Page, Picture, Section, Table
from dessin.page.numbers import listed, number, plain, share
from dessin.page.parts import columns
from dessin.page.pictures import ACCENT, MUTED, Line, chart
from dessin.runs.record import SPLIT_FILE


def way_in_words(name: str) -> tuple[str, str]:
    """What a way gives, as part of a sentence, and how it chooses."""
    ways = {
        BEST: (tr("the best single run"), tr("the most accurate run, alone")),
        UNIFORM: (tr("the uniform soup"), tr("the mean of all runs’ weights; nothing is chosen")),
        GREEDY: (
            tr("the greedy soup"),
            tr("the best run, then each next one that does not make the mean worse"),
        ),
        TUNED: (tr("the fine-tuned model"), tr("the weights that the run ended with")),
        PROBE: (tr("the probe"), tr("the pretrained body with the probe that the run began at")),
        BETWEEN: (
            tr("the step that was chosen"),
            tr("the best of the steps from the probe to the fine-tuned weights"),
        ),
    }
    return ways[name]


def told(results: SoupResults) -> SoupResults:
    """The results with their summary and cautions."""
    chosen, ways = results.chosen_way, _ways(results)
    found = tr(
        "On {n} drawings that the choice did not see, {who} names {found} right, and {base} {other}.",
        n=number(chosen.accuracy.n),
        who=ways.found.words,
        found=share(chosen.accuracy),
        base=ways.base.words,
        other=share(ways.base.accuracy),
    )
    changed = tr("It wins {won} drawings, and loses {lost}.", won=chosen.won, lost=chosen.lost)
    if not chosen.won and not chosen.lost:
        changed = tr("Both name the very same drawings right.")
    summary = (
        f"{found} {ways.gain()} {changed}",
        _made_of(chosen, results.members),
        naive_in_words(chosen.naive, chosen.optimism),
    )
    return results.model_copy(update={"summary": summary, "cautions": choice_cautions(ways)})


def _made_of(chosen: SoupRow, members: Sequence[SoupMember]) -> str:
    """What lies in the bundle, where that is not what was asked for: a single member's own weights."""
    names = list(chosen.shares)
    if chosen.name == BETWEEN:
        alpha = step_of(chosen.shares)
        if alpha in (0.0, 1.0):
            end = way_in_words(TUNED if alpha else PROBE)[0]
            return tr("No step is better than {end} itself, so the bundle is {end}.", end=end)
        return tr(
            "The bundle lies at {step} of the way from the probe (0) to the fine-tuned weights (1).",
            step=f"{alpha:g}",
        )
    if len(names) == 1:
        return tr("No other run made {name} better, so the bundle is that run alone.", name=names[0])
    return tr(
        "The bundle is the mean of {n} of {all} runs: {names}.",
        n=len(names),
        all=len(members),
        names=listed(names),
    )


def step_of(shares: dict[str, float]) -> float:
    """How far from the probe shares of the two ends are: 0 is the probe, 1 the fine-tuned weights."""
    return round(1.0 - shares.get(PROBE, 0.0), 6)


def soup_lines(results: SoupResults, width: int | None) -> list[str]:
    """The curve, the table of ways and the sentences, as lines for a terminal."""
    tables = [*_curve_tables(results), _ways(results).table(brief=True)]
    return as_lines(tables, results.summary, (*results.notes, *results.cautions), width)


def _ways(results: SoupResults) -> Ways:
    def made_of(row: SoupRow) -> str:
        if results.curve:
            return tr("step {step}", step=f"{step_of(row.shares):g}")
        return tr("{n} of {all} runs", n=len(row.shares), all=len(results.members))

    rows = []
    for row in results.ways:
        words, meaning = way_in_words(row.name)
        cells = (made_of(row), f"{row.loss.value:.3f}")
        rows.append(Way(row.name, words, row.accuracy, row.gain, cells, meaning, row.naive))
    titles = (tr("Way"), tr("Accuracy"), tr("Chosen"), tr("Log loss"))
    return Ways(tuple(rows), titles, results.chosen, tr("bundle"))


def soup_page(results: SoupResults, out: Path, sides: Sides | None = None) -> Page:
    """The page of the soup in `out`; `sides` are the bundle and the base."""
    question = tr("is the mean of several trainings better than one?")
    if results.soup == "wise":
        question = tr("does it help to stop between probe and fine-tuned?")
    use = tr("Name new drawings with it: it is as large and as fast as one of the runs.")
    return choice_page(
        results,
        _ways(results),
        question=question,
        blocks=(*([_curve(results)] if results.curve else []), _members(results)),
        steps=(
            predict_step(out, use),
            mistakes_step(out, out, "--data", results.data, "--split", str(out / SPLIT_FILE)),
        ),
        files=("results.json", "soup.csv", *(["curve.csv"] if results.curve else []), "validation/"),
        sides=sides,
    )


def _members(results: SoupResults) -> Section:
    parts = results.chosen_way.part_shares
    rows = [
        Ingredient(each.name, each.share, each.accuracy, each.loss, sum(each.name in part for part in parts))
        for each in results.members
    ]
    table = members_table(rows, tr("Weights"), tr("Share of the mean"), results.parts)
    lead = tr(
        "Weights of {backbone}; their mean, {name}, lies in bundle/.",
        backbone=results.backbone,
        name=results.name,
    )
    return Section(tr("What went in"), (table,), lead, "members")


def _curve_tables(results: SoupResults) -> tuple[Table, ...]:
    rows = tuple((f"{p.alpha:.1f}", share(p.accuracy), plain(p.loss)) for p in results.curve)
    table = Table(columns((tr("Step"),), (tr("Accuracy"), tr("Log loss"))), rows)
    return (table,) if rows else ()


def _curve(results: SoupResults) -> Section:
    """Accuracy with its intervals over the way from the probe to the fine-tuned weights."""
    steps, found = [p.alpha for p in results.curve], [p.accuracy for p in results.curve]
    chosen, ends = 100 * step_of(results.chosen_way.shares), [found[0], found[-1]]
    reach = [100 * min(each.low for each in found), 100 * max(each.high for each in found)]
    lines = (
        Line([chosen, chosen], reach, tr("chosen: {step}", step=f"{chosen:g}%"), MUTED, "--"),
        Line.of(steps, found, "", ACCENT),
    )
    source = chart(lines, tr("% of the way from the probe to the fine-tuned weights"), tr("Accuracy, %"))
    alt = tr(
        "Accuracy at each step, {first} at the probe and {last} at the fine-tuned weights; chosen is {step}",
        first=share(ends[0]),
        last=share(ends[1]),
        step=f"{chosen:g}%",
    )
    lead = tr(
        "Each point is a model whose every weight lies that far between the two ends. Two points share their "
        "drawings, so their difference is known better than their intervals say."
    )
    sides = Grid((Section("", (Picture(source, alt, kind="chart"),)), Section("", _curve_tables(results))))
    return Section(tr("From the probe to the fine-tuned weights"), (sides,), lead, "curve")
