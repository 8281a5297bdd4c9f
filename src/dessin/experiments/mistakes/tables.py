"""The CSV files beside an atlas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dessin.experiments.mistakes.measures import PROPERTIES
from dessin.experiments.mistakes.outcome import Atlas, PropertyRow
from dessin.files import write_csv
from dessin.runs.record import Result

_CLASSES = (
    "label",
    "n",
    "groups",
    "right",
    "recall",
    "recall_low",
    "recall_high",
    "p",
    "p_holm",
    "worse",
    "taken_for",
)
_PAIRS = ("label", "predicted", "count", "share")
_CLUSTERS = ("cluster", "label", "mistakes", "inside", "share", "expected")
_PROPERTIES = (
    "property",
    "part",
    "from",
    "to",
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "difference",
    "difference_low",
    "difference_high",
    "within",
    "within_low",
    "within_high",
    "p_overall_holm",
    "p_within_holm",
    "finding",
)
_MISTAKES = ("image_id", "label", "predicted", "probability", "rank")


def write_tables(atlas: Atlas, out: Path) -> None:
    """Write `classes.csv`, `pairs.csv`, `clusters.csv`, `properties.csv` and `mistakes.csv` into `out`.

    In `clusters.csv` a row is a class of a cluster, in `properties.csv` a part of a property's drawings.
    What cannot be said is an empty field.
    """
    write_csv(out / "classes.csv", _CLASSES, _class_rows(atlas))
    write_csv(
        out / "pairs.csv",
        _PAIRS,
        ([row.label, row.predicted, row.count, f"{row.share:.4f}"] for row in atlas.pairs),
    )
    write_csv(out / "clusters.csv", _CLUSTERS, _cluster_rows(atlas))
    write_csv(
        out / "properties.csv", _PROPERTIES, (row for one in atlas.properties for row in _part_rows(one))
    )
    write_csv(out / "mistakes.csv", [*_MISTAKES, *PROPERTIES], _mistake_rows(atlas))


def _class_rows(atlas: Atlas) -> Iterator[list[object]]:
    for row in atlas.classes:
        taken = "; ".join(f"{taken.label} {taken.count}" for taken in row.taken_for)
        numbers = [*_numbers(row.recall), f"{row.p:.5f}", f"{row.p_holm:.5f}"]
        yield [row.label, row.n, row.groups, row.right, *numbers, int(row.worse), taken]


def _cluster_rows(atlas: Atlas) -> Iterator[list[object]]:
    for row in atlas.clusters:
        for label in row.labels:
            yield [row.name, label, row.mistakes, row.inside, f"{row.share:.4f}", f"{row.expected:.4f}"]


def _part_rows(one: PropertyRow) -> Iterator[list[object]]:
    whole = [*_numbers(one.difference), *_numbers(one.within)]
    tests = [f"{one.p_overall_holm:.5f}", f"{one.p_within_holm:.5f}", one.finding]
    for number, part in enumerate(one.parts, start=1):
        own = [f"{part.low:.6g}", f"{part.high:.6g}", part.accuracy.n, *_numbers(part.accuracy)]
        yield [one.name, number, *own, *whole, *tests]


def _mistake_rows(atlas: Atlas) -> Iterator[list[object]]:
    for row in atlas.drawings:
        measured = (row.properties[name] for name in PROPERTIES)
        values = ["" if value is None else f"{value:.6g}" for value in measured]
        yield [row.image_id, row.label, row.predicted, f"{row.probability:.6f}", row.rank, *values]


def _numbers(result: Result | None) -> list[str]:
    if result is None:
        return ["", "", ""]
    return [f"{value:.4f}" for value in (result.value, result.low, result.high)]
