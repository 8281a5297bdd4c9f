"""A soup in words and as a page: what it gives on drawings that it was not chosen by, and what went in."""

from __future__ import annotations

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
from dessin.committees.soup.result import BEST, BETWEEN, GREEDY, PROBE, TUNED, UNIFORM, SoupResults, SoupRow
from dessin.committees.view import as_lines, use_steps
from dessin.language import tr
from dessin.page.blocks import Block, Grid, Page, Picture, Section, Table
from dessin.page.numbers import listed, plain, share
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
    changed = tr("It wins {won} drawings, and loses {lost}.", won=chosen.won, lost=chosen.lost)
    if not chosen.won and not chosen.lost:
        changed = tr("Both name the very same drawings right.")
    naive = naive_in_words(chosen.naive, chosen.optimism)
    summary = (f"{ways.in_words()} {changed}", _made_of(chosen, len(results.members)), naive)
    return results.model_copy(update={"summary": summary, "cautions": choice_cautions(ways)})


def _made_of(chosen: SoupRow, members: int) -> str:
    """What lies in the bundle, where that is not what was asked for: a single member's own weights."""
    names, alpha = list(chosen.shares), step_of(chosen.shares)
    if chosen.name != BETWEEN and len(names) > 1:
        values = {"n": len(names), "all": members, "names": listed(names)}
        return tr("The bundle is the mean of {n} of {all} runs: {names}.", **values)
    if chosen.name != BETWEEN:
        return tr("No other run made {name} better, so the bundle is that run alone.", name=names[0])
    if alpha in (0.0, 1.0):
        end = way_in_words(TUNED if alpha else PROBE)[0]
        return tr("No step is better than {end} itself, so the bundle is {end}.", end=end)
    step = f"{alpha:g}"
    return tr(
        "The bundle lies at {step} of the way from the probe (0) to the fine-tuned weights (1).", step=step
    )


def step_of(shares: dict[str, float]) -> float:
    """How far from the probe shares of the two ends are: 0 is the probe, 1 the fine-tuned weights."""
    return round(1.0 - shares.get(PROBE, 0.0), 6)


def _ways(results: SoupResults) -> Ways:
    rows = []
    for row in results.ways:
        words, meaning = way_in_words(row.name)
        made_of = tr("{n} of {all} runs", n=len(row.shares), all=len(results.members))
        if results.curve:
            made_of = tr("step {step}", step=f"{step_of(row.shares):g}")
        cells = (made_of, f"{row.loss.value:.3f}")
        rows.append(Way(row.name, words, row.accuracy, row.gain, cells, meaning, row.naive))
    titles = (tr("Way"), tr("Accuracy"), tr("Chosen"), tr("Log loss"))
    return Ways(tuple(rows), titles, results.chosen, tr("bundle"))


def soup_lines(results: SoupResults, width: int | None) -> list[str]:
    """The curve, the table of ways and the sentences, as lines for a terminal."""
    tables = [*([_steps(results)] if results.curve else []), _ways(results).table(brief=True)]
    return as_lines(tables, results.summary, (*results.notes, *results.cautions), width)


def soup_page(results: SoupResults, out: Path, sides: Sides | None = None) -> Page:
    """The page of the soup in `out`; `sides` are the bundle and the base."""
    question = tr("is the mean of several trainings better than one?")
    if results.soup == "wise":
        question = tr("does it help to stop between probe and fine-tuned?")
    parts = results.chosen_way.part_shares
    rows = [
        Ingredient(row.name, row.share, row.accuracy, row.loss, sum(row.name in part for part in parts))
        for row in results.members
    ]
    members = members_table(rows, tr("Weights"), tr("Share of the mean"), results.parts)
    backbone, name = results.backbone, results.name
    lead = tr("Weights of {backbone}; their mean, {name}, lies in bundle/.", backbone=backbone, name=name)
    use = tr("Name new drawings with it: it is as large and as fast as one of the runs.")
    steps = use_steps(out, use, out, "--data", results.data, "--split", str(out / SPLIT_FILE))
    curve = [_curve(results)] if results.curve else []
    blocks = (*curve, Section(tr("What went in"), (members,), lead, "members"))
    files = f"results.json, soup.csv, {'curve.csv, ' if curve else ''}validation/"
    return choice_page(results, _ways(results), question, blocks, steps, files, sides)


def _steps(results: SoupResults) -> Table:
    rows = ((f"{p.alpha:.1f}", share(p.accuracy), plain(p.loss)) for p in results.curve)
    return Table.of((tr("Step"),), (tr("Accuracy"), tr("Log loss")), rows)


def _curve(results: SoupResults) -> Section:
    """Accuracy with its intervals over the way from the probe to the fine-tuned weights."""
    found, chosen = [p.accuracy for p in results.curve], 100 * step_of(results.chosen_way.shares)
    reach = [100 * min(each.low for each in found), 100 * max(each.high for each in found)]
    step = f"{chosen:g}%"
    lines = (
        Line([chosen, chosen], reach, tr("chosen: {step}", step=step), MUTED, "--"),
        Line.of([p.alpha for p in results.curve], found, "", ACCENT),
    )
    source = chart(lines, tr("% of the way from the probe to the fine-tuned weights"), tr("Accuracy, %"))
    alt = tr(
        "Accuracy at each step, {first} at the probe and {last} at the fine-tuned weights; chosen is {step}",
        first=share(found[0]),
        last=share(found[-1]),
        step=step,
    )
    lead = tr(
        "Each point is a model whose every weight lies that far between the two ends. Two points share their "
        "drawings, so their difference is known better than their intervals say."
    )
    beside: tuple[Block, ...] = (Picture(source, alt, kind="chart"), _steps(results))
    grid = Grid(tuple(Section("", (block,)) for block in beside))
    return Section(tr("From the probe to the fine-tuned weights"), (grid,), lead, "curve")
