"""What an explanation came to: a row a map for `maps.csv`, and how faithful the maps are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dessin.page.notebook import Shown
from dessin.page.tables import spread, write_table
from dessin.results import Result
from dessin.schema import Section
from dessin.statistics.intervals import Estimate

Verdict = Literal["faithful", "partly faithful", "not shown", "misleading"]


@dataclass(frozen=True, slots=True)
class MapRow:
    """One map: of which drawing, for which class (`explained`), and where its mass lies.

    `label` is empty where it is not known; `probability` is that of the class `predicted`. `centre` is the
    centre of mass in shares of the square from the left and the top, `on_ink` the share of the mass on ink,
    beside the share `ink` of the square that ink covers; all None or 0 for a map that is empty.
    """

    image_id: str
    label: str
    predicted: str
    probability: float
    method: str
    explained: str
    file: str
    centre: tuple[float, float] | None
    on_ink: float | None
    ink: float

    @property
    def is_main(self) -> bool:
        """Whether it explains the answer, and not the class that would have been right."""
        return self.explained == self.predicted

    @property
    def right(self) -> bool | None:
        """Whether the answer is right; None where that is not known."""
        return self.label == self.predicted if self.label else None


class Measure(Section):
    """An area under a curve (0..1): of the maps, of random maps, of maps of the ink, and differences.

    Differences are paired by drawing, the maps minus the others.
    """

    maps: Estimate
    random: Estimate
    ink: Estimate
    over_random: Estimate
    over_ink: Estimate


class MethodRow(Section):
    """How faithful the maps of one method are, of so many rows and columns of `cells`.

    `curves` are means at shares 0, 0.1, .. 1 of the area. `agreement` is the rank correlation with the
    occlusion check; None for that check itself. `empty` counts maps with nothing in them.
    """

    method: str
    cells: tuple[int, int]
    deletion: Measure
    insertion: Measure
    agreement: Estimate | None
    empty: int
    curves: dict[str, tuple[float, ...]]
    verdict: Verdict
    text: str = ""

    def gains(self, other: str) -> tuple[Estimate, Estimate]:
        """What the maps gain over `random` maps or those of the `ink` in the two tests; above 0 is better."""
        return -getattr(self.deletion, f"over_{other}"), getattr(self.insertion, f"over_{other}")


class FaithfulnessResult(Result):
    """What was measured on a seeded sample of `drawings` in `groups`."""

    FILE = "faithfulness.json"
    WHAT = "a measure of maps"

    model: str
    models: int
    drawings: int
    groups: int
    seed: int
    baseline: str
    methods: tuple[MethodRow, ...]


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """The rows of `maps.csv`, how faithful the maps are, and (image_id → reason) of what was left out."""

    TABLE = "rows"

    rows: tuple[MapRow, ...]
    faithfulness: FaithfulnessResult
    refused: dict[str, str]

    @property
    def drawings(self) -> int:
        return len({row.image_id for row in self.rows})


def write_rows(folder: Path, rows: Sequence[MapRow]) -> None:
    """`maps.csv`: one row a map, at least one."""
    write_table(folder / "maps.csv", map(_cells, rows))


def _cells(row: MapRow) -> dict[str, object]:
    x, y = ("", "") if row.centre is None else (f"{value:.4f}" for value in row.centre)
    return {
        "image_id": row.image_id,
        "label": row.label,
        "predicted": row.predicted,
        "probability": f"{row.probability:.6f}",
        "method": row.method,
        "explained": row.explained,
        "file": row.file,
        "centre_x": x,
        "centre_y": y,
        "on_ink": "" if row.on_ink is None else f"{row.on_ink:.4f}",
        "ink": f"{row.ink:.4f}",
    }


def write_faithfulness(folder: Path, found: FaithfulnessResult) -> None:
    """`faithfulness.json`, and its numbers as `faithfulness.csv`."""
    found.write(folder)
    write_table(folder / "faithfulness.csv", (cells for row in found.methods for cells in _numbers(row)))


def _numbers(row: MethodRow) -> Iterator[dict[str, object]]:
    found = [
        (curve, what, getattr(measure, what))
        for curve, measure in (("deletion", row.deletion), ("insertion", row.insertion))
        for what in Measure.model_fields
    ]
    if row.agreement:
        found.append(("occlusion", "agreement", row.agreement))
    for curve, what, result in found:
        names = {"method": row.method, "curve": curve, "what": what}
        yield names | spread("value", result) | {"n": result.n, "interval": result.method}
