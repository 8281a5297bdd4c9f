"""A choice that the program made, with its reason, so that a person can check it later."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """What was decided (`name`), the outcome (`value`) and why (`reason`)."""

    name: str
    value: object
    reason: str

    def line(self) -> str:
        return f"{self.name}: {self.value} ({self.reason})"

    def record(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, "reason": self.reason}
