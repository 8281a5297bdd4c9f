"""`record.json`: what a run was made of, decided, and measured. Typed, versioned, written whole, by one
process at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from dessin.decisions import Decision
from dessin.folders import hold
from dessin.recipe import Recipe
from dessin.results import Result
from dessin.schema import Section, changed
from dessin.statistics.headline import METRICS, Metric
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import Metrics

Kind = TypeVar("Kind")
FILE = "record.json"
SPLIT_FILE = "split.csv"
STUDY_FILE = "study.json"
SetName = Literal["validation", "holdout"]
Status = Literal["running", "finished", "failed", "collapsed"]


class SetResults(Section):
    """The metrics of one set of images by their names; what an older run lacks is not shown."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Estimate]

    accuracy: Estimate
    loss: Estimate

    def items(self) -> tuple[tuple[Metric, Estimate], ...]:
        """Each metric with its value, in the order of the table of metrics."""
        held: dict[str, Estimate] = dict(self)
        return tuple((metric, held[metric.name]) for metric in METRICS if metric.name in held)

    def written(self, classes: int) -> dict[str, str]:
        """The title of each metric that says something of so many classes, with its value, for people."""
        shown = (pair for pair in self.items() if classes >= pair[0].least_classes)
        return {metric.title: metric.written(result) for metric, result in shown}


class Attempt(Section):
    """One beginning of the training, counted from 1; `evidence` is what showed that it collapsed."""

    number: int
    lr: float
    outcome: Literal["running", "finished", "collapsed"] = "running"
    evidence: dict[str, Any] = Field({})

    def ended(self, outcome: str, evidence: Mapping[str, Any] | None = None) -> Attempt:
        return Attempt.model_validate(self.model_dump() | {"outcome": outcome, "evidence": evidence or {}})


class Digests(Section):
    """What the run was made from, by sha256, and its own weights (`model`); empty where there is none yet.

    `beside` is of the weights of all further bodies, `text` of a text tower.
    """

    manifest: str
    split: str
    weights: str
    beside: str = ""
    text: str = ""
    curation: str = ""
    training_curation: str = ""
    teacher: str = ""
    store: str = ""
    model: str = ""

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `beside` and `text` where nothing is: what was written before has no such keys."""
        values: dict[str, Any] = whole(self)
        for key in ("beside", "text"):
            if not values.get(key):
                values.pop(key, None)
        return values


class Counts(Section):
    """How many images and classes each part had."""

    classes: int
    train: int
    validation: int
    holdout: int


class Hardware(Section):
    system: str
    cpu: str
    cores: int
    threads: int
    memory_gib: float
    gpu: str = ""


class RunRecord(Result):
    """One run, whole. `holdout_opened` has a date for each time that the holdout was looked at.

    `who` carried it out, as the machine names them; it is not there where nobody is to be named.
    """

    FILE = FILE
    WHAT = "a run record"
    FOLDER = "run folder"
    DO = "Name a folder that `dessin train` wrote."

    name: str
    status: Status
    reason: str = ""
    started: tuple[str, ...]
    finished: str = ""
    seed: int
    recipe: Recipe
    digests: Digests
    counts: Counts
    git_commit: str = ""
    versions: dict[str, str]
    hardware: Hardware
    who: str = Field("", exclude_if=lambda who: not who)
    decisions: tuple[Decision[Any], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    timings: dict[str, float] = Field({})
    throughput: dict[str, float] = Field({})
    results: dict[SetName, SetResults] = Field({})
    holdout_opened: tuple[str, ...] = ()

    def changed(self, **fields: object) -> RunRecord:
        """A copy with some fields replaced, validated again."""
        return changed(self, fields, self.FILE)

    def decided(self, name: str, kind: type[Kind]) -> Kind | None:
        """The value of a decision, where there is one of that name with a value of that kind."""
        values = (decision.value for decision in self.decisions if decision.name == name)
        return next((value for value in values if isinstance(value, kind)), None)

    def with_decisions(self, decisions: Iterable[Decision[object]]) -> RunRecord:
        """A copy with `decisions` added; a later one of the same name replaces the earlier."""
        kept = {decision.name: decision for decision in self.decisions}
        kept |= {decision.name: decision for decision in decisions}
        return self.changed(decisions=tuple(kept.values()))

    def with_results(self, name: SetName, metrics: Metrics) -> RunRecord:
        return self.changed(results=dict(self.results) | {name: SetResults(**metrics.results)})

    def with_seconds(self, seconds: Mapping[str, float]) -> RunRecord:
        """A copy with time added to stages; a stage done again after an interruption counts both times."""
        totals = dict(self.timings)
        for stage, spent in seconds.items():
            totals[stage] = round(totals.get(stage, 0.0) + spent, 3)
        return self.changed(timings=totals)


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_record(run: Path, record: RunRecord) -> None:
    record.write(run)


read_record = RunRecord.read


def store_results(run: Path, name: SetName, metrics: Metrics) -> RunRecord:
    """Put a set's results into the record."""
    with hold(run, wait=True):
        record = read_record(run).with_results(name, metrics)
        write_record(run, record)
    return record
