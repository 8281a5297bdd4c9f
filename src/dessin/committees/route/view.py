"""The report of a routed model: whether it pays, what its parts do, and what perfect ones would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dessin.committees.route.measure import MATTERS
from dessin.committees.route.parts import TrainedPart
from dessin.committees.route.result import RouteResults
from dessin.page.numbers import listed, plain, points, share, spent, written_p
from dessin.page.render import render_page
from dessin.runs.record import read_record
from dessin.statistics.forest import draw_forest

_CLASSES_NAMED = 8


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
        parts=[_part_row(part) for part in trained],
        share=share,
        points=points,
        plain=plain,
        written_p=written_p,
        gains={row.name: row for row in results.comparisons},
    )


def _part_row(part: TrainedPart) -> dict[str, object]:
    """A trained part as a row of the table, from its run's record."""
    record = read_record(part.folder)
    return {
        "what": f"expert for {part.part.family}" if part.part.family else "router",
        "fold": part.fold,
        "run": part.folder.name,
        "classes": record.counts.classes,
        "train": record.counts.train,
        "accuracy": record.results["validation"].accuracy,
        "backbone": record.recipe.model.backbone,
        "seconds": spent(sum(record.timings.values())),
    }
