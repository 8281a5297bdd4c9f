"""What an ensemble came to: typed for `results.json`, and as tables for CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dessin.committees.members import Kind
from dessin.committees.results_file import RESULTS_FILE, read_kind, result_kind
from dessin.files import write_csv, write_json
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

FORMAT = 1
KIND = "ensemble"
BASE_RULE = "best single"
_RULE_COLUMNS = (
    "rule",
    "members",
    "naive",
    "naive_low",
    "naive_high",
    "nested",
    "low",
    "high",
    "optimism",
    "optimism_low",
    "optimism_high",
    "gain",
    "gain_low",
    "gain_high",
    "p_holm",
    "verdict",
    "n",
)


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


class EnsembleResults(Section):
    """`results.json`. `chosen` is the rule whose members are in `committee/`.

    `notes` say what was gathered, aligned and left out, `cautions` what these numbers cannot say.
    """

    format: int = FORMAT
    kind: Literal["ensemble"] = "ensemble"
    name: str
    chosen: str
    select: str
    rule: Literal["soft", "hard"]
    scaled: bool
    seed: int
    images: int
    groups: int
    classes: int
    folds: tuple[int, ...]
    parts: int
    matters: float
    split: str
    manifest: str
    data: str
    members: tuple[MemberRow, ...]
    rules: tuple[RuleRow, ...]
    pairs: tuple[PairRow, ...]
    views: ViewsGain | None = None
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    cautions: tuple[str, ...]
    seconds: float

    def rule_named(self, name: str) -> RuleRow:
        return next(row for row in self.rules if row.name == name)

    @property
    def chosen_rule(self) -> RuleRow:
        return self.rule_named(self.chosen)


def write_results(results: EnsembleResults, out: Path) -> None:
    """Write `rules.csv`, `members.csv`, `pairs.csv`, then `results.json`."""
    write_csv(out / "rules.csv", _RULE_COLUMNS, map(_rule_cells, results.rules))
    rules = [row.name for row in results.rules]
    columns = ["member", "kind", "accuracy", "low", "high", "log_loss", "log_loss_low", "log_loss_high"]
    columns += ["temperature", "n", *(f"weight in {rule}" for rule in rules)]
    write_csv(out / "members.csv", columns, (_member_cells(row, rules) for row in results.members))
    pairs = ((p.first, p.second, p.disagreement, p.double_fault, p.q) for p in results.pairs)
    write_csv(out / "pairs.csv", ["first", "second", "disagreement", "double_fault", "q"], pairs)
    write_json(out / RESULTS_FILE, results.model_dump(mode="json"))


def _rule_cells(row: RuleRow) -> list[object]:
    cells: list[object] = [row.name, len(row.members)]
    for result in (row.naive, row.nested, row.optimism):
        cells += [result.value, result.low, result.high]
    if row.gain is None:
        return [*cells, *[""] * 5, row.nested.n]
    gain = row.gain.difference
    return [*cells, gain.value, gain.low, gain.high, row.gain.p_holm, row.gain.verdict, row.nested.n]


def _member_cells(row: MemberRow, rules: list[str]) -> list[object]:
    accuracy, loss = row.accuracy, row.loss
    cells = [row.name, row.kind, accuracy.value, accuracy.low, accuracy.high, loss.value, loss.low, loss.high]
    return [*cells, row.temperature, accuracy.n, *(row.weights.get(rule, 0.0) for rule in rules)]


def is_ensemble(folder: Path) -> bool:
    """Whether a folder is what `dessin ensemble` wrote; other verbs have a `results.json` too."""
    return result_kind(folder) == KIND


def read_results(folder: Path) -> EnsembleResults:
    """The results of an ensemble's folder; damaged ones or a newer format are refused."""
    return read_kind(EnsembleResults, folder, FORMAT)
