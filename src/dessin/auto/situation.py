"""What an auto looks at as it decides: steps, done or to do, what they cost, and the time that is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dessin.auto.budget import Costs
from dessin.page.numbers import counted
from dessin.schema import Section

Kind = Literal["scout", "probe", "tune", "committee"]


class Step(Section):
    """One step: what is made of which candidates (`NAME` or `NAME:WEIGHTS`), in how many seconds, and why.

    `name` is the folder of its model. A run of `tune` validates `fold`. `computing` is what features take of
    its seconds.
    """

    kind: Kind
    name: str
    models: tuple[str, ...] = ()
    size: int = 0
    epochs: int = 0
    fold: int | None = None
    seed: int = 0
    fit: Literal["ridge", "logistic"] = "ridge"
    seconds: float
    computing: float = 0.0
    reason: str

    @property
    def recipe_name(self) -> str:
        """What runs that differ in their fold alone have in common."""
        return self.name.rpartition("/")[0]

    def words(self) -> str:
        """The step for people."""
        bodies = " + ".join(self.models)
        match self.kind:
            case "scout":
                return f"rank {counted(len(self.models), 'backbone')} at {self.size} px"
            case "probe":
                return f"probe {bodies} at {self.size} px"
            case "tune":
                return f"tune {bodies} at {self.size} px, {counted(self.epochs, 'epoch')}, fold {self.fold}"
            case "committee":
                return f"a vote of {counted(len(self.models), 'member')}"


@dataclass(frozen=True)
class Made:
    """A step that is done, and the accuracy that was measured; None where nothing was."""

    step: Step
    accuracy: float | None = None
    failed: bool = False


@dataclass(frozen=True)
class Situation:
    """What is there, and what is left of a budget in seconds.

    `candidates` are in the order of what is known beforehand; `ranked` those that were scouted, best first;
    `frozen` those that are too large to tune here.
    `further` images are to be named at the end. The model is to name at least `at_least` images a second.
    `lanes` runs of tuning may go on side by side, on other machines.
    """

    costs: Costs
    budget: float
    left: float
    candidates: tuple[str, ...]
    made: tuple[Made, ...] = ()
    ranked: tuple[str, ...] = ()
    frozen: frozenset[str] = frozenset()
    further: int = 0
    sides: tuple[int, ...] = ()
    at_least: float = 0.0
    lanes: int = 1

    def of(self, kind: Kind) -> list[Step]:
        return [each.step for each in self.made if each.step.kind == kind and not each.failed]

    def computes(self, models: Sequence[str], side: int) -> float:
        """Seconds of the features and the pixels of these candidates that no step has computed before."""
        steps = [each.step for each in self.made if each.step.kind != "committee"]
        there = {(model, step.size) for step in steps for model in step.models}
        missing = [model for model in models if (model, side) not in there]
        decoding = 0.0 if any(step.size == side for step in steps) else self.costs.store()
        return self.costs.features(missing, side) + decoding

    @property
    def models(self) -> list[tuple[str, int]]:
        """(candidate, side) of the networks that the best model so far may consist of.

        Those of a probe twice, for they look at mirror images too.
        """
        probes, tuned = self.of("probe")[-1:], self.of("tune")
        return [(model, step.size) for step in (*probes, *probes, *tuned) for model in step.models]

    def rate(self, models: Sequence[tuple[str, int]]) -> float:
        """Images a second that networks, (candidate, side), name one after another."""
        return 1 / sum(1 / self.costs.speed(model, size).forward for model, size in models)

    @property
    def available(self) -> float:
        """Seconds for further steps."""
        return self.left - self.costs.closing(self.models, self.further)

    def spare(self, step: Step) -> float:
        """Seconds that are left for further steps once this one is done."""
        after = replace(self, left=self.left - step.seconds, made=(*self.made, Made(step)))
        return after.available
