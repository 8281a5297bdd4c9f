"""What an atlas of mistakes says: typed for `mistakes.json`, and as the CSV files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dessin.files import write_csv
from dessin.page.numbers import ALPHA
from dessin.page.tables import spread, write_table
from dessin.results import Result
from dessin.schema import Section
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import Confusion
from dessin.trust.mistakes.strokes import PROPERTIES

Finding = Literal["within classes", "between classes", "not seen", "cannot tell", "all alike"]


class Taken(Section):
    """`count` drawings were taken for the class `label`."""

    label: str
    count: int


class ClassRow(Section):
    """A class: how many of its `n` drawings are right, and whether it is worse than the rest.

    `recall` has Wilson's interval with as many observations as there are groups. `p` is one-sided, `p_holm`
    corrects for all classes with drawings; `worse` means that it is below 5%.
    """

    label: str
    name: str
    n: int
    groups: int
    right: int
    recall: Estimate
    p: float
    p_holm: float
    worse: bool
    taken_for: tuple[Taken, ...]


class ClusterRow(Section):
    """Classes confused with one another.

    `mistakes` counts wrong drawings of these classes; `inside` those taken for another class of the cluster,
    which are the `share` of all mistakes. `expected` is that share if wrong answers were dealt out at random.
    """

    name: str
    labels: tuple[str, ...]
    mistakes: int
    inside: int
    share: float
    expected: float


class Structure(Section):
    """Whether classes are confused in clusters at all.

    `modularity` is how far confusions keep within clusters; `by_chance` is its mean where it no longer
    matters whose drawings they are, and `p` how often chance does as well. None where nothing is confused.
    `agreement` is how far clusters from two halves of the drawings agree (adjusted Rand index), if that can
    be said.
    """

    modularity: float | None
    by_chance: float | None
    p: float | None
    agreement: float | None

    @property
    def beyond_chance(self) -> bool:
        return self.p is not None and self.p < ALPHA


class PartRow(Section):
    """Drawings whose property lies from `low` to `high`; `name` says so in words."""

    name: str
    low: float
    high: float
    accuracy: Estimate


class PropertyRow(Section):
    """How success goes with a property of drawings.

    `difference` is the accuracy of the highest part less that of the lowest. `overall` and `within` are the
    same difference as the trend gives it, over all drawings and among drawings of one class; None where
    it cannot be told. The p values are those of the trends; `_holm` corrects for both of every property.
    """

    name: str
    title: str
    unit: str
    parts: tuple[PartRow, ...]
    difference: Estimate | None
    overall: Estimate | None
    within: Estimate | None
    p_overall: float
    p_within: float
    p_overall_holm: float
    p_within_holm: float
    finding: Finding
    words: str = ""

    @property
    def failing(self) -> int | None:
        """The end that fails more within classes, 0 the lowest, -1 the highest; None where not found."""
        if self.finding != "within classes" or self.within is None:
            return None
        return 0 if self.within.value > 0 else -1


class Mistake(Section):
    """A wrong drawing; `rank` is the place of its true class among the answers, from 2 up."""

    image_id: str
    label: str
    predicted: str
    probability: float
    rank: int
    properties: dict[str, float | None]


class Atlas(Result):
    """Everything on the page but the pictures.

    `classes_differ` is the p of recalls so far apart if all classes were alike; None where it cannot be told.
    """

    FILE = "mistakes.json"
    TABLE = "drawings"
    WHAT = "an atlas of mistakes"

    kind: Literal["mistakes"] = "mistakes"
    name: str
    folds: tuple[int, ...]
    groups: int
    accuracy: Estimate
    mistakes: int
    absent: tuple[str, ...]
    classes_differ: float | None
    classes: tuple[ClassRow, ...]
    pairs: tuple[Confusion, ...]
    structure: Structure
    clusters: tuple[ClusterRow, ...]
    properties: tuple[PropertyRow, ...]
    drawings: tuple[Mistake, ...]
    names: dict[str, str]
    summary: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def worse(self) -> tuple[ClassRow, ...]:
        """The classes that are worse than the rest beyond chance."""
        return tuple(row for row in self.classes if row.worse)


def write_tables(atlas: Atlas, out: Path) -> None:
    """Write `classes.csv`, `pairs.csv`, `clusters.csv`, `properties.csv` and `mistakes.csv` into `out`.

    In `clusters.csv` a row is a class of a cluster, in `properties.csv` a part of a property's drawings.
    What cannot be said is an empty field.
    """
    write_table(out / "classes.csv", map(_class_cells, atlas.classes))
    write_csv(
        out / "pairs.csv",
        ("label", "predicted", "count", "share"),
        ([row.label, row.predicted, row.count, f"{row.share:.4f}"] for row in atlas.pairs),
    )
    write_csv(
        out / "clusters.csv",
        ("cluster", "label", "mistakes", "inside", "share", "expected"),
        (
            [row.name, label, row.mistakes, row.inside, f"{row.share:.4f}", f"{row.expected:.4f}"]
            for row in atlas.clusters
            for label in row.labels
        ),
    )
    columns = (
        *("property", "part", "from", "to", "n"),
        *("accuracy", "accuracy_low", "accuracy_high"),
        *("difference", "difference_low", "difference_high"),
        *("within", "within_low", "within_high"),
        *("p_overall_holm", "p_within_holm", "finding"),
    )
    write_csv(out / "properties.csv", columns, (row for one in atlas.properties for row in _part_rows(one)))
    measured = ("image_id", "label", "predicted", "probability", "rank", *PROPERTIES)
    write_csv(out / "mistakes.csv", measured, map(_mistake_cells, atlas.drawings))


def _class_cells(row: ClassRow) -> dict[str, object]:
    return {
        "label": row.label,
        "n": row.n,
        "groups": row.groups,
        "right": row.right,
        **spread("recall", row.recall, ends="recall_", digits=4),
        "p": f"{row.p:.5f}",
        "p_holm": f"{row.p_holm:.5f}",
        "worse": int(row.worse),
        "taken_for": "; ".join(f"{taken.label} {taken.count}" for taken in row.taken_for),
    }


def _part_rows(one: PropertyRow) -> Iterator[list[object]]:
    whole = [*_cells(one.difference), *_cells(one.within)]
    tests = [f"{one.p_overall_holm:.5f}", f"{one.p_within_holm:.5f}", one.finding]
    for number, part in enumerate(one.parts, start=1):
        own = [f"{part.low:.6g}", f"{part.high:.6g}", part.accuracy.n, *_cells(part.accuracy)]
        yield [one.name, number, *own, *whole, *tests]


def _mistake_cells(row: Mistake) -> list[object]:
    measured = (row.properties[name] for name in PROPERTIES)
    values = ["" if value is None else f"{value:.6g}" for value in measured]
    return [row.image_id, row.label, row.predicted, f"{row.probability:.6f}", row.rank, *values]


def _cells(found: Estimate | None) -> list[object]:
    return list(spread("value", found, digits=4).values())
