"""A routed model in words and as a page: whether it pays, what its parts do, and what perfect ones would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dessin.committees.gains import verdict_text
from dessin.committees.part_runs import part_row
from dessin.committees.route.measure import GENERALIST, MATTERS
from dessin.committees.route.parts import TrainedPart
from dessin.committees.route.result import RouteResults
from dessin.page.numbers import counted, listed, points
from dessin.page.render import render_page
from dessin.statistics.comparison import draw_forest

_CLASSES_NAMED = 8


def told(results: RouteResults) -> RouteResults:
    """The results with their verdict and cautions."""
    return results.model_copy(update={"verdict": _verdict(results), "cautions": _cautions(results)})


def _verdict(results: RouteResults) -> str:
    """Whether the committee pays, in plain words."""
    main, folds = results.main, len(results.folds)
    cost = f"an answer takes {results.asked * folds} models instead of {folds if folds > 1 else 'one'}"
    return {
        "better": f"It pays: {main.name} is {main.verdict_text}. The price: {cost}.",
        "worse": f"It does not pay: {main.name} is {main.verdict_text}, and {cost}.",
        "no difference": f"It does not pay: {main.name} makes {main.verdict_text}, and {cost}.",
        "cannot tell": f"It cannot be seen to pay: {main.name} brings {verdict_text(main)}. And {cost}.",
    }[main.verdict]


def _cautions(results: RouteResults) -> tuple[str, ...]:
    lines, main = [], results.main
    if main.scope == "these runs":
        lines.append(
            "This is about these trained models: with one training each, the luck of a training is not in "
            "the numbers. A fold group of three folds or more has them."
        )
    else:
        lines.append(f"Each difference is over {counted(main.cells, 'training', 'trainings')} a side.")
    reached = results.named(results.committee).accuracy.value
    better = [row.name for row in results.variants if row.name != GENERALIST and row.accuracy.value > reached]
    if better:
        lines.append(
            f"Higher than {results.committee} on these images scored: {listed(better)}. Who takes it for "
            "that has chosen on the images that it was measured on, and its figure is then too good."
        )
    if results.experts:
        lines.append(
            "Which families got an expert, or what the families are, may have been read off these same "
            "images; that flatters the routed models a little."
        )
    return tuple(lines)


def route_page(results: RouteResults, names: Mapping[str, str], trained: Sequence[TrainedPart]) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    return render_page(
        "dessin.committees.route",
        "route.html",
        title=f"{results.generalist}, routed",
        results=results,
        forest=draw_forest(results.comparisons, MATTERS),
        matters=100 * MATTERS,
        families={
            family: listed([names[label] for label in labels], most=_CLASSES_NAMED)
            for family, labels in results.families.items()
        },
        parts=[part_row(part.folder, part.part.what) for part in trained],
        gains={row.name: row for row in results.comparisons},
    )


def result_lines(results: RouteResults) -> list[str]:
    """Accuracies, differences, bounds and the verdict, as lines for a terminal."""
    gains = {row.name: f", {points(row.difference)} points" for row in results.comparisons}
    lines = [
        f"{variant.name}: {variant.accuracy}{gains.get(variant.name, '')}; "
        f"family right {variant.family.value:.1%}"
        for variant in results.variants
    ]
    lines += [
        f"inside {row.family}: generalist {row.generalist.value:.1%}, expert {row.expert.value:.1%}, "
        f"{points(row.gain.difference)} points, n = {row.expert.n:,}"
        for row in results.experts
    ]
    lines += [
        f"bound, {bound.name}: {bound.accuracy}, {points(bound.gain)} points" for bound in results.bounds
    ]
    return [*lines, results.verdict, *(f"Note: {caution}" for caution in results.cautions)]
