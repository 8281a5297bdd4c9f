"""What a tracker's process is told of a run, a line of JSON each, what it answers, and who deals with it.

Sent are the recipe, digests, curve and results; no picture, and no path of the machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import ConfigDict, Field, TypeAdapter

from dessin.schema import Section, flattened

if TYPE_CHECKING:
    # Not imported when it runs: a tracker's process needs none of what these stand on.
    from dessin.runs.record import RunRecord
    from dessin.training.curve import CurveRow

Scalar = bool | int | float | str | None
_PATHS = ("data.path", "data.split", "data.curation", "data.training_curation", "model.weights")
_CURVE = ("train_loss", "validation_loss", "validation_accuracy", "lr")


class _Line(Section):
    """A loss that is no number any more is sent as that."""

    model_config = ConfigDict(ser_json_inf_nan="constants")


class Begin(_Line):
    """A run begins or goes on: the flattened recipe, and what it is made from as tags."""

    kind: Literal["begin"] = "begin"
    name: str
    parameters: dict[str, Scalar]
    tags: dict[str, str]


class Point(_Line):
    """Values at an epoch (`step`); `key` is the same when the same point is told again."""

    kind: Literal["point"] = "point"
    key: str
    step: int
    values: dict[str, float]


class End(_Line):
    """How a run ended (`finished`, `failed`, `collapsed`), its results and what is known only now."""

    kind: Literal["end"] = "end"
    status: str
    values: dict[str, float]
    tags: dict[str, str]


class Answer(_Line):
    """A message was dealt with; `note` says where the run is found. Or it `failed`, and why."""

    note: str = ""
    failed: str = ""


Message = Begin | Point | End
_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def to_line(message: Message | Answer) -> bytes:
    return message.model_dump_json().encode() + b"\n"


def read_message(line: bytes) -> Message:
    return _ANY.validate_json(line)


@dataclass(frozen=True)
class Begun:
    """The tracker's own name of the run, where it is found, and whether earlier points are there already."""

    identity: str
    note: str
    continues: bool


class Adapter(Protocol):
    """One tracker, in a process of its own, where it may fail as it likes.

    Made from the run's `tracking` folder and the tracker's settings; only then is the library imported.
    """

    def begin(self, message: Begin, identity: str, points: int) -> Begun:
        """Begin a run, or go on with the one called `identity`, if that is not empty, which had `points`."""

    def point(self, message: Point) -> None:
        """Put a point away."""

    def end(self, message: End) -> None:
        """Send what the run came to, and close it."""

    def interrupted(self) -> None:
        """The run stopped without an end; it may be resumed later."""


def beginning(record: RunRecord) -> Begin:
    """The recipe as `section.key`, and seed, digests, commit, versions and hardware as tags."""
    parameters = _flat(record.recipe.model_dump(mode="json", exclude={"track"}))
    for key in _PATHS:
        parameters[key] = _without_folders(parameters[key])
    if record.recipe.model.beside:
        others = record.recipe.model.bodies[1:]
        parameters["model.beside"] = "+".join(f"{name}:{_without_folders(w)}" for name, w in others)
    tags = {
        "seed": record.seed,
        "git_commit": record.git_commit,
        **_flat(record.digests.model_dump(), "digest."),
        **_flat(record.counts.model_dump(), "count."),
        **_flat(record.versions, "version."),
        **_flat(record.hardware.model_dump(), "hardware."),
    }
    return Begin(name=record.name, parameters=parameters, tags=_texts(tags))


def point(attempt: int, row: CurveRow) -> Point:
    """A row of the curve; those of a second attempt, and averaged weights, have names of their own."""
    prefix = f"attempt{attempt}/" if attempt > 1 else ""
    prefix += "averaged/" if row.averaged else ""
    values = {f"{prefix}{name}": getattr(row, name) for name in _CURVE}
    return Point(
        key=f"{prefix}{row.epoch}",
        step=row.epoch,
        values={name: value for name, value in values.items() if value is not None},
    )


def ending(record: RunRecord) -> End:
    """Every result with its interval and n, and the seconds of each stage.

    The reason of a failure stays in the record: it may name files of the machine.
    """
    values: dict[str, float] = {f"seconds/{stage}": spent for stage, spent in record.timings.items()}
    for name, results in record.results.items():
        for metric, result in results.items():
            key = f"results/{name}/{metric.name}"
            values[key] = result.value
            values |= {f"{key}/{part}": getattr(result, part) for part in ("low", "high", "n")}
    digests = _flat(record.digests.model_dump(), "digest.")
    tags = {"status": record.status, "attempts": len(record.attempts), **digests}
    return End(status=record.status, values=values, tags=_texts(tags))


def _flat(value: Mapping[str, object], prefix: str = "") -> dict[str, Scalar]:
    """Nested values under dotted names; a list is its JSON."""
    plain = (bool, int, float, str, type(None))
    flat = flattened(value, prefix)
    return {key: inner if isinstance(inner, plain) else json.dumps(inner) for key, inner in flat.items()}


def _without_folders(value: Scalar) -> Scalar:
    """An absolute path tells about the machine: its last name is enough."""
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def _texts(values: dict[str, Scalar]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value not in (None, "")}
