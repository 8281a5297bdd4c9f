"""What an explanation came to: a row a map for `maps.csv`, and how faithful the maps are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from dessin.files import read_json, write_csv, write_json
from dessin.schema import Section, versioned
from dessin.statistics.intervals import Estimate

FORMAT = 1
MAPS_FILE = "maps.csv"
FAITHFULNESS_FILE = "faithfulness.json"

Verdict = Literal["faithful", "partly faithful", "not shown", "misleading"]
_COLUMNS = (
    "image_id",
    "label",
    "predicted",
    "probability",
    "method",
    "explained",
    "file",
    "centre_x",
    "centre_y",
    "on_ink",
    "ink",
)


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
    text: str


class Faithfulness(Section):
    """`faithfulness.json`: what was measured on a seeded sample of `drawings` in `groups`."""

    format: int = FORMAT
    model: str
    models: int
    drawings: int
    groups: int
    seed: int
    baseline: str
    methods: tuple[MethodRow, ...]


def write_rows(folder: Path, rows: Sequence[MapRow]) -> None:
    """`maps.csv`: one row a map."""
    write_csv(folder / MAPS_FILE, _COLUMNS, (_written(row) for row in rows))


def write_faithfulness(folder: Path, found: Faithfulness) -> None:
    """`faithfulness.json`, and its numbers as `faithfulness.csv`."""
    write_json(folder / FAITHFULNESS_FILE, found.model_dump(mode="json"))
    columns = ("method", "curve", "what", "value", "low", "high", "n", "interval")
    rows = [
        (row.method, curve, what, *astuple(result))
        for row in found.methods
        for curve, what, result in _results(row)
    ]
    write_csv(folder / "faithfulness.csv", columns, rows)


def read_faithfulness(folder: Path) -> Faithfulness:
    """What `write_faithfulness` wrote.

    Raises:
        DessinError: no such file, a damaged one, or a newer format.
    """
    path = folder / FAITHFULNESS_FILE
    return versioned(Faithfulness, read_json(path), str(path), FORMAT, what="a measure of maps")


def _results(row: MethodRow) -> list[tuple[str, str, Estimate]]:
    found = [
        (curve, what, getattr(measure, what))
        for curve, measure in (("deletion", row.deletion), ("insertion", row.insertion))
        for what in Measure.model_fields
    ]
    return found + ([("occlusion", "agreement", row.agreement)] if row.agreement else [])


def _written(row: MapRow) -> list[object]:
    x, y = ("", "") if row.centre is None else (f"{row.centre[0]:.4f}", f"{row.centre[1]:.4f}")
    return [
        row.image_id,
        row.label,
        row.predicted,
        f"{row.probability:.6f}",
        row.method,
        row.explained,
        row.file,
        x,
        y,
        "" if row.on_ink is None else f"{row.on_ink:.4f}",
        f"{row.ink:.4f}",
    ]
