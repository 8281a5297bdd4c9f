"""What every tracker's adapter does; an adapter runs in a process of its own and may fail as it likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dessin.runs.tracking.messages import Begin, End, Point


@dataclass(frozen=True)
class Begun:
    """The tracker's own name of the run, where it is found, and whether earlier points are there already."""

    identity: str
    note: str
    continues: bool


class Adapter(Protocol):
    """Made from the run's `tracking` folder and the tracker's settings; only then is the library imported."""

    def begin(self, message: Begin, identity: str, points: int) -> Begun:
        """Begin a run, or go on with the one called `identity`, if that is not empty, which had `points`."""

    def point(self, message: Point) -> None:
        """Put a point away."""

    def end(self, message: End) -> None:
        """Send what the run came to, and close it."""

    def interrupted(self) -> None:
        """The run stopped without an end; it may be resumed later."""
