"""What a soup came to: typed for `results.json`, and as tables for CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dessin.committees.gains import gain_row
from dessin.committees.results import ChoiceResults
from dessin.page.tables import spread, write_table
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

SoupKind = Literal["greedy", "uniform", "wise"]
# Names of the ways to mix; of the first of each pair the others' gains are counted.
BEST, UNIFORM, GREEDY = "best single run", "uniform soup", "greedy soup"
TUNED, PROBE, BETWEEN = "fine-tuned", "probe", "in between"
CHOSEN_WAY: dict[SoupKind, str] = {"greedy": GREEDY, "uniform": UNIFORM, "wise": BETWEEN}
# Ways in which the images have a say.
LEARNING = (BEST, GREEDY, BETWEEN)


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


class SoupResults(ChoiceResults):
    """`results.json`. The weights of the way `chosen` are in `bundle/`; `base` is what gains are over.

    `statistics` are the batch normalisations whose statistics were estimated anew for mixtures. `notes` say
    what was done, `cautions` what these numbers cannot say.
    """

    TABLE = "ways"

    kind: Literal["soup"] = "soup"
    soup: SoupKind
    base: str
    backbone: str
    fold: int
    statistics: int
    runs: tuple[str, ...]
    members: tuple[SoupMember, ...]
    ways: tuple[SoupRow, ...]
    curve: tuple[CurvePoint, ...] = ()

    def way(self, name: str) -> SoupRow:
        return next(row for row in self.ways if row.name == name)

    @property
    def chosen_way(self) -> SoupRow:
        return self.way(self.chosen)

    def write_tables(self, out: Path) -> None:
        """Write `soup.csv`, and for a way between two ends `curve.csv`."""
        ways = (
            {
                "way": row.name,
                **spread("naive", row.naive, ends="naive_"),
                **spread("accuracy", row.accuracy),
                "log_loss": row.loss.value,
                **gain_row(row.gain),
                "won": row.won,
                "lost": row.lost,
                "n": row.accuracy.n,
                **{f"share of {member.name}": row.shares.get(member.name, 0.0) for member in self.members},
            }
            for row in self.ways
        )
        write_table(out / "soup.csv", ways)
        points = (
            {
                "alpha": point.alpha,
                **spread("accuracy", point.accuracy),
                **spread("log_loss", point.loss, ends="log_loss_"),
                "n": point.accuracy.n,
            }
            for point in self.curve
        )
        if self.curve:
            write_table(out / "curve.csv", points)
