"""What a run tells a tracker's process and what that answers, a line of JSON each, and who deals with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from dessin.schema import Section

Scalar = bool | int | float | str | None


class Begin(Section):
    """A run begins or goes on: the flattened recipe, and what it is made from as tags."""

    kind: Literal["begin"] = "begin"
    name: str
    parameters: dict[str, Scalar]
    tags: dict[str, str]


class Point(Section):
    """Values at an epoch (`step`); `key` is the same when the same point is told again."""

    kind: Literal["point"] = "point"
    key: str
    step: int
    values: dict[str, float]


class End(Section):
    """How a run ended (`finished`, `failed`, `collapsed`), its results and what is known only now."""

    kind: Literal["end"] = "end"
    status: str
    values: dict[str, float]
    tags: dict[str, str]


class Answer(Section):
    """A message was dealt with; `note` says where the run is found. Or it `failed`, and why."""

    note: str = ""
    failed: str = ""


Message = Begin | Point | End
_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def to_line(message: Section) -> bytes:
    return message.model_dump_json().encode() + b"\n"


def read_message(line: bytes) -> Message:
    return _ANY.validate_json(line)


def read_answer(line: bytes) -> Answer:
    return Answer.model_validate_json(line)


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
