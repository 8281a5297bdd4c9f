"""A choice that the program made, with its reason, so that a person can check it later."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from dessin.language import retold

Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Decision(Generic[Value]):
    """What was decided (`name`), the outcome (`value`) and why (`reason`); records hold it as it is."""

    name: str
    value: Value
    reason: str

    def line(self) -> str:
        """It for people, in the language that is spoken."""
        return f"{self.name}: {self.value} ({retold(self.reason)})"
