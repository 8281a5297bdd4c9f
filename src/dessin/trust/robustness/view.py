"""The page of the suite: what a model keeps in each corruption, in sentences and with a drawing in all of
them."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, listed, points, share, size, spent, written_p
from dessin.page.pictures import ACCENT, MUTED, figure_data_uri, image_data_uri, new_figure
from dessin.page.render import render_page
from dessin.statistics.intervals import Estimate
from dessin.trust.robustness.contact_sheet import Tiles
from dessin.trust.robustness.result import CorruptionResult, RobustnessOutcome
from dessin.trust.robustness.sketch import Pixels
from dessin.trust.robustness.suite import SUITE

MATTERS = 0.02


def sentences(outcome: RobustnessOutcome) -> list[str]:
    """The findings, the most important one first."""
    worst = outcome.corruption(outcome.worst)
    found = [
        f"On {counted(outcome.n, 'drawing')} as they are the accuracy is {share(outcome.clean)}; over 16 "
        f"corruptions in five strengths it is {share(outcome.robust)} in the mean "
        f"({points(outcome.cost)} points).",
        f"Worst is {worst.title}: {share(worst.mean)} in the mean of its strengths, and "
        f"{worst.strengths[-1].value:.1%} in the strongest ({points(worst.cost)} points).",
        _costly(outcome),
    ]
    harmless = [row.title for row in outcome.corruptions if row.cost.low >= -MATTERS]
    if harmless:
        verb = "costs" if len(harmless) == 1 else "cost"
        most = f"no more than {size(MATTERS)} points in the mean"
        found.append(f"For certain {listed(harmless, most=16)} {verb} {most}.")
    return found


def _costly(outcome: RobustnessOutcome) -> str:
    rows = sorted((row for row in outcome.corruptions if is_costly(row.cost)), key=lambda row: row.cost.value)
    if not rows:
        return f"No corruption costs more than {size(MATTERS)} points for certain."
    named = listed([f"{row.title} ({points(row.cost)})" for row in rows])
    verb = "One corruption costs" if len(rows) == 1 else f"{len(rows)} corruptions cost"
    return f"{verb} more than {size(MATTERS)} points for certain: {named}."


def is_costly(cost: Estimate) -> bool:
    """Whether the whole interval of a cost lies beyond what matters."""
    return cost.high < -MATTERS


@dataclass(frozen=True)
class Tile:
    """A corrupted drawing, what level it has, and what all drawings came to at it."""

    picture: str
    level: str
    accuracy: str
    correct: bool


@dataclass(frozen=True)
class Panel:
    """One corruption: its numbers, its curve over strengths, and its pictures."""

    row: CorruptionResult
    curve: str
    alt: str
    tiles: tuple[Tile, ...]


def robustness_page(name: str, outcome: RobustnessOutcome, tiles: Tiles) -> str:
    """`robustness.html`, whole: nothing is loaded from outside and every name is escaped."""
    return render_page(
        "dessin.trust.robustness",
        "robustness.html",
        title=f"{name}: robustness",
        name=name,
        outcome=outcome,
        sentences=sentences(outcome),
        plot=cost_plot(outcome),
        rows=_by_cost(outcome),
        panels=_panels(outcome, tiles),
        tiles=tiles,
        plain=image_data_uri(tiles.plain),
        counted=counted,
        points=points,
        share=share,
        spent=spent,
        written_p=written_p,
        is_costly=is_costly,
    )


def cost_plot(outcome: RobustnessOutcome) -> DotPlot:
    """The mean accuracy in each corruption, the worst first, against the clean one as a line.

    A ring is the accuracy in the strongest.
    """
    return dot_plot(
        [_dot(row) for row in _by_cost(outcome)],
        lambda value: f"{100 * value:.0f}%",
        line=outcome.clean.value,
        band=(outcome.clean.low, outcome.clean.high),
        reach=(0.0,),
    )


def _by_cost(outcome: RobustnessOutcome) -> list[CorruptionResult]:
    return sorted(outcome.corruptions, key=lambda row: row.mean.value)


def _dot(row: CorruptionResult) -> Dot:
    strongest = row.strengths[-1].value
    return Dot(
        name=row.title,
        words=share(row.mean),
        label=f"{row.title}: mean accuracy {share(row.mean)}, in the strongest {strongest:.1%}",
        value=row.mean.value,
        low=row.mean.low,
        high=row.mean.high,
        tone="worse" if is_costly(row.cost) else "cannot-tell",
        hollow=strongest,
    )


def _panels(outcome: RobustnessOutcome, tiles: Tiles) -> list[Panel]:
    most = max(outcome.clean.high, max(part.high for row in outcome.corruptions for part in row.strengths))
    places = {corruption.name: place for place, corruption in enumerate(SUITE)}
    return [
        Panel(
            row=row,
            curve=_curve(row, outcome.clean, most),
            alt=f"Accuracy in {row.title} from weak to strong: "
            + ", ".join(f"{part.value:.1%}" for part in row.strengths),
            tiles=_tiles(row, tiles.corrupted[places[row.name]], [*tiles.correct[places[row.name]]]),
        )
        for row in _by_cost(outcome)
    ]


def _tiles(row: CorruptionResult, pictures: Pixels, correct: list[bool]) -> tuple[Tile, ...]:
    return tuple(
        Tile(image_data_uri(picture, kind="webp", quality=85), f"{level:g}", f"{part.value:.1%}", bool(right))
        for picture, level, part, right in zip(pictures, row.levels, row.strengths, correct, strict=True)
    )


def _curve(row: CorruptionResult, clean: Estimate, most: float) -> str:
    """Accuracy over strengths with its intervals, the clean one as a line, on the scale of all panels."""
    figure, axes = new_figure(4.6, 1.7)
    strengths = list(range(1, len(row.strengths) + 1))
    axes.axhline(100 * clean.value, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    low, high = ([100 * getattr(part, end) for part in row.strengths] for end in ("low", "high"))
    axes.fill_between(strengths, low, high, color=ACCENT, alpha=0.13, linewidth=0)
    axes.plot(strengths, [100 * part.value for part in row.strengths], color=ACCENT, marker="o", markersize=4)
    axes.set_ylim(0, 100 * most * 1.04)
    axes.set_xticks(strengths)
    axes.set_ylabel("accuracy, %")
    return figure_data_uri(figure)
