"""What an ensemble came to: typed for `results.json`, and as tables for CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dessin.committees.gains import gain_row
from dessin.committees.members import Kind
from dessin.committees.results import ChoiceResults
from dessin.page.tables import spread, write_table
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

BASE_RULE = "best single"


class MemberRow(Section):
    """A member: its runs, what it gives alone, its temperature, and its weight in each rule's choice."""

    name: str
    kind: Kind
    runs: tuple[str, ...]
    folds: tuple[int, ...]
    accuracy: Estimate
    loss: Estimate
    temperature: float = 1.0
    weights: dict[str, float]


class RuleRow(Section):
    """A rule: what it chose on all images, and what it gave.

    `naive` is measured on the images that the choice was made on, `nested` on those that it did not see;
    `optimism` is the first minus the second, paired. `gain` is the nested accuracy over that of the best
    single member, found in the same way; None for that rule itself. `part_weights` has, for each outer part,
    the weights by member that were chosen without it.
    """

    name: str
    vote: Literal["soft", "hard"]
    members: tuple[str, ...]
    note: str
    naive: Estimate
    nested: Estimate
    optimism: Estimate
    gain: Comparison | None
    part_weights: tuple[dict[str, float], ...]


class PairRow(Section):
    """Two members: how often one alone is wrong, how often both are, and Yule's Q."""

    first: str
    second: str
    disagreement: float
    double_fault: float
    q: float


class ViewsGain(Section):
    """What looking in several views gives the chosen rule, nested, against one view."""

    views: tuple[str, ...]
    plain: Estimate
    gain: Comparison


class EnsembleResults(ChoiceResults):
    """`results.json`. `chosen` is the rule whose members are in `committee/`.

    Where their weights did not travel with them, `without` names the runs, and there is no committee.

    `notes` say what was gathered, aligned and left out, `cautions` what these numbers cannot say.
    """

    TABLE = "rules"

    kind: Literal["ensemble"] = "ensemble"
    select: str
    rule: Literal["soft", "hard"]
    scaled: bool
    folds: tuple[int, ...]
    members: tuple[MemberRow, ...]
    rules: tuple[RuleRow, ...]
    pairs: tuple[PairRow, ...]
    views: ViewsGain | None = None
    without: tuple[str, ...] = Field((), exclude_if=lambda without: not without)

    def rule_named(self, name: str) -> RuleRow:
        return next(row for row in self.rules if row.name == name)

    @property
    def chosen_rule(self) -> RuleRow:
        return self.rule_named(self.chosen)

    def write_tables(self, out: Path) -> None:
        """Write `rules.csv`, `members.csv` and `pairs.csv`."""
        rules = (
            {
                "rule": row.name,
                "members": len(row.members),
                **spread("naive", row.naive, ends="naive_"),
                **spread("nested", row.nested),
                **spread("optimism", row.optimism, ends="optimism_"),
                **gain_row(row.gain),
                "n": row.nested.n,
            }
            for row in self.rules
        )
        members = (
            {
                "member": row.name,
                "kind": row.kind,
                **spread("accuracy", row.accuracy),
                **spread("log_loss", row.loss, ends="log_loss_"),
                "temperature": row.temperature,
                "n": row.accuracy.n,
                **{f"weight in {rule.name}": row.weights.get(rule.name, 0.0) for rule in self.rules},
            }
            for row in self.members
        )
        write_table(out / "rules.csv", rules)
        write_table(out / "members.csv", members)
        write_table(out / "pairs.csv", (pair.model_dump() for pair in self.pairs))
