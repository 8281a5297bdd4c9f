"""What a soup came to: typed for `results.json`, and as tables for CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dessin.committees.results_file import RESULTS_FILE, read_kind
from dessin.files import write_csv, write_json
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

FORMAT = 1
KIND = "soup"
SoupKind = Literal["greedy", "uniform", "wise"]
# Names of the ways to mix; of the first of each pair the others' gains are counted.
BEST, UNIFORM, GREEDY = "best single run", "uniform soup", "greedy soup"
TUNED, PROBE, BETWEEN = "fine-tuned", "probe", "in between"
CHOSEN_WAY: dict[SoupKind, str] = {"greedy": GREEDY, "uniform": UNIFORM, "wise": BETWEEN}


class SoupMember(Section):
    """Weights that went in: what they give alone, and their share of what was chosen."""

    name: str
    run: str
    weights: str
    share: float
    accuracy: Estimate
    loss: Estimate


class SoupRow(Section):
    """A way to mix, with the shares by member (those above 0) that it chose on all images.

    `naive` is measured on the images that the choice was made on, `accuracy` and `loss` on those that it did
    not see; `optimism` is the first minus the second, paired. `gain` is that accuracy over the base's, which
    was found in the same way; None for the base. `won` and `lost` count the drawings that only it or only the
    base names right. `part_shares` are the choices without each part.
    """

    name: str
    shares: dict[str, float]
    naive: Estimate
    accuracy: Estimate
    loss: Estimate
    optimism: Estimate
    gain: Comparison | None
    won: int
    lost: int
    part_shares: tuple[dict[str, float], ...]


class CurvePoint(Section):
    """A step of the way from the probe (0) to the fine-tuned weights (1), measured on all images."""

    alpha: float
    accuracy: Estimate
    loss: Estimate


class SoupResults(Section):
    """`results.json`. The weights of the way `chosen` are in `bundle/`; `base` is what gains are over.

    `statistics` are the batch normalisations whose statistics were estimated anew for mixtures. `notes` say
    what was done, `cautions` what these numbers cannot say.
    """

    format: int = FORMAT
    kind: Literal["soup"] = "soup"
    name: str
    soup: SoupKind
    chosen: str
    base: str
    backbone: str
    seed: int
    images: int
    groups: int
    classes: int
    fold: int
    parts: int
    matters: float
    split: str
    manifest: str
    data: str
    statistics: int
    runs: tuple[str, ...]
    members: tuple[SoupMember, ...]
    ways: tuple[SoupRow, ...]
    curve: tuple[CurvePoint, ...] = ()
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    cautions: tuple[str, ...]
    seconds: float

    def way(self, name: str) -> SoupRow:
        return next(row for row in self.ways if row.name == name)

    @property
    def chosen_way(self) -> SoupRow:
        return self.way(self.chosen)


def write_results(results: SoupResults, out: Path) -> None:
    """Write `soup.csv`, for a way between two ends `curve.csv`, then `results.json`."""
    names = [member.name for member in results.members]
    columns = ["way", "naive", "naive_low", "naive_high", "accuracy", "low", "high", "log_loss"]
    columns += [
        "gain",
        "gain_low",
        "gain_high",
        "p_holm",
        "verdict",
        "won",
        "lost",
        "n",
        *(f"share of {n}" for n in names),
    ]
    write_csv(out / "soup.csv", columns, (_cells(row, names) for row in results.ways))
    if results.curve:
        columns = ["alpha", "accuracy", "low", "high", "log_loss", "log_loss_low", "log_loss_high", "n"]
        write_csv(out / "curve.csv", columns, map(_point_cells, results.curve))
    write_json(out / RESULTS_FILE, results.model_dump(mode="json"))


def _cells(row: SoupRow, names: list[str]) -> list[object]:
    naive, accuracy = row.naive, row.accuracy
    cells: list[object] = [row.name, naive.value, naive.low, naive.high]
    cells += [accuracy.value, accuracy.low, accuracy.high, row.loss.value]
    if row.gain is None:
        cells += [""] * 5
    else:
        gain = row.gain.difference
        cells += [gain.value, gain.low, gain.high, row.gain.p_holm, row.gain.verdict]
    return [*cells, row.won, row.lost, accuracy.n, *(row.shares.get(name, 0.0) for name in names)]


def _point_cells(point: CurvePoint) -> list[object]:
    accuracy, loss = point.accuracy, point.loss
    return [
        *(point.alpha, accuracy.value, accuracy.low, accuracy.high),
        *(loss.value, loss.low, loss.high, accuracy.n),
    ]


def read_results(folder: Path) -> SoupResults:
    """The results of a soup's folder; damaged ones or a newer format are refused."""
    return read_kind(SoupResults, folder, FORMAT)
