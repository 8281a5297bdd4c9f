"""A soup in words and as a page: what it gives on drawings that it was not chosen by, and what went in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.committees.choices import (
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
    CurvePoint,
    SoupMember,
    SoupResults,
    SoupRow,
)
from dessin.committees.view import (
    as_lines,
    collection_of,
    files_beside,
    mistakes_step,
    predict_step,
    vote_share,
)
from dessin.language import tr
from dessin.page.blocks import Column, Grid, Page, Picture, Section, Sentence, Table
from dessin.page.numbers import listed, number, plain, share
from dessin.page.pictures import ACCENT, MUTED, SECOND, figure_data_uri, new_figure
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.intervals import Estimate


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
    summary = (
        f"{found} {ways.gain()} {_changed(chosen)}",
        _made_of(chosen, results.members),
        *_loss(chosen, results.curve),
        naive_in_words(chosen.naive, chosen.optimism),
    )
    return results.model_copy(update={"summary": summary, "cautions": tuple(choice_cautions(ways))})


def _changed(chosen: SoupRow) -> str:
    if not chosen.won and not chosen.lost:
        return tr("Both name the very same drawings right.")
    return tr("It wins {won} drawings, and loses {lost}.", won=chosen.won, lost=chosen.lost)


def _made_of(chosen: SoupRow, members: Sequence[SoupMember]) -> str:
    """What lies in the bundle, where that is not what was asked for: a single member's own weights."""
    names = list(chosen.shares)
    if chosen.name == BETWEEN:
        alpha = step_of(chosen.shares)
        if alpha in (0.0, 1.0):
            end = way_in_words(TUNED if alpha else PROBE)[0]
            return tr("On all drawings no step is better than {end} itself, so the bundle is {end}.", end=end)
        return tr(
            "On all drawings the step {step} of the way from the probe (0) to the fine-tuned weights (1) is "
            "the best, and lies in the bundle.",
            step=f"{alpha:g}",
        )
    if len(names) == 1:
        return tr(
            "No other run made {name} better, so the soup is that run alone, and the bundle has its very "
            "weights.",
            name=names[0],
        )
    return tr(
        "The bundle is the mean of {n} of {all} runs: {names}.",
        n=len(names),
        all=len(members),
        names=listed(names),
    )


def step_of(shares: dict[str, float]) -> float:
    """How far from the probe shares of the two ends are: 0 is the probe, 1 the fine-tuned weights."""
    return round(1.0 - shares.get(PROBE, 0.0), 6)


def _loss(chosen: SoupRow, curve: Sequence[CurvePoint]) -> tuple[str, ...]:
    """Where the loss is smallest, which is often elsewhere than where most drawings are right."""
    if not curve:
        return ()
    best = min(curve, key=lambda point: point.loss.value)
    if best.alpha == step_of(chosen.shares):
        return (tr("The log loss is smallest at this step, too ({loss}).", loss=plain(best.loss)),)
    return (
        tr(
            "The log loss is smallest at the step {step} ({loss}; at the end {end}), but steps are chosen by "
            "accuracy.",
            step=f"{best.alpha:g}",
            loss=plain(best.loss),
            end=plain(curve[-1].loss),
        ),
    )


def soup_lines(results: SoupResults, width: int | None) -> list[str]:
    """The curve, if there is one, the table of ways and the sentences, as lines for a terminal."""
    curve = [_curve_table(results)] if results.curve else []
    tables = [*curve, _ways(results).table(brief=True)]
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
    collection = collection_of(results.data)
    title = tr("{collection}: is the mean of several trainings better than one?", collection=collection)
    if results.soup == "wise":
        title = tr("{collection}: does it help to stop between probe and fine-tuned?", collection=collection)
    use = tr("Name new drawings with it: it is as large and as fast as one of the runs.")
    picks = (
        f"{step_of(each):g}" if results.curve else str(len(each)) for each in results.chosen_way.part_shares
    )
    chosen = tr("Chosen without each part: {picks}.", picks=", ".join(picks))
    return choice_page(
        results,
        _ways(results),
        title=title,
        blocks=(*([_curve(results)] if results.curve else []), _members(results)),
        measured=(Sentence(chosen, "note"), *([_curve_table(results)] if results.curve else [])),
        steps=(
            predict_step(out, use),
            mistakes_step(out, out, "--data", results.data, "--split", str(out / SPLIT_FILE)),
        ),
        footer=files_beside(
            "results.json", "soup.csv", *(["curve.csv"] if results.curve else []), "validation/"
        ),
        sides=sides,
    )


def _members(results: SoupResults) -> Section:
    parts = results.chosen_way.part_shares
    rows = [
        (
            member.name,
            *vote_share(member.share),
            share(member.accuracy),
            plain(member.loss),
            tr("{n} of {all}", n=sum(member.name in each for each in parts), all=results.parts),
        )
        for member in results.members
    ]
    table = members_table(rows, tr("Weights"), tr("Share of the mean"), results.parts)
    lead = tr(
        "Weights of {backbone}. Their mean, {name}, lies in bundle/ beside this page and is used like any "
        "model.",
        name=results.name,
        backbone=results.backbone,
    )
    return Section(tr("What went in"), (table,), lead, "members")


def _curve_table(results: SoupResults) -> Table:
    rows = tuple((f"{p.alpha:.1f}", share(p.accuracy), plain(p.loss)) for p in results.curve)
    columns = (Column(tr("Step")), Column(tr("Accuracy"), number=True), Column(tr("Log loss"), number=True))
    return Table(columns, rows)


def _curve(results: SoupResults) -> Section:
    """Accuracy with its band, and the loss, over the way from the probe to the fine-tuned weights."""
    accuracies, losses = [p.accuracy for p in results.curve], [p.loss for p in results.curve]
    charts = (
        Section("", (_chart(tr("Accuracy, %"), results, accuracies, 100, ACCENT),)),
        Section("", (_chart(tr("Log loss"), results, losses, 1, SECOND),)),
    )
    lead = tr(
        "Each point is a model of its own, whose every weight lies that far between the two ends, asked "
        "about the same drawings. The band is the 95% interval of each point by itself; a difference between "
        "two points is known better than that, for they share their drawings."
    )
    return Section(tr("From the probe to the fine-tuned weights"), (Grid(charts),), lead, "curve")


def _chart(title: str, results: SoupResults, found: Sequence[Estimate], times: int, colour: str) -> Picture:
    steps, chosen = [point.alpha for point in results.curve], step_of(results.chosen_way.shares)
    middle, low, high = ([times * getattr(each, part) for each in found] for part in ("value", "low", "high"))
    figure, axes = new_figure(5.4, 3.2)
    axes.fill_between(steps, low, high, color=colour, alpha=0.13, linewidth=0)
    label = tr("chosen: {step}", step=f"{chosen:g}")
    axes.axvline(chosen, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label=label)
    axes.plot(steps, middle, color=colour, linewidth=2, marker="o", markersize=4.5)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(tr("0: the probe … 1: the fine-tuned weights"))
    axes.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    axes.margins(x=0.03)
    axes.legend(loc="best", fontsize=10, frameon=False)
    alt = tr(
        "{title} at each step, {first} at the probe and {last} at the fine-tuned weights; the chosen step is "
        "{step}",
        title=title,
        first=f"{middle[0]:.3g}",
        last=f"{middle[-1]:.3g}",
        step=f"{chosen:g}",
    )
    return Picture(figure_data_uri(figure), alt, kind="chart")
