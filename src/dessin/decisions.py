"""A choice that the program made, with its reason, so that a person can check it later."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from dessin.language import retold, translated

# Names that a catalogue has, behind `decision: `: alone such a word may be anything, as a class.
NAMES: Final = (
    *("asked about", "augmentation", "average last", "batch norm", "batch size", "best epoch", "bodies"),
    *("cached views", "candidate", "class names", "device", "experts", "feature precision", "folds", "head"),
    *("holdout", "interpolation", "left out", "lr", "normalisation", "offered", "page", "precision"),
    *("probe penalty", "recipe", "schedule", "size", "soft labels", "speed", "stopped after epoch"),
    *("teacher", "temperatures", "text tower", "tracking", "trained", "training curation", "weight decay"),
    *("weights", "weights kept", "would have been a candidate", "would have been offered"),
)

Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Decision(Generic[Value]):
    """What was decided (`name`), the outcome (`value`) and why (`reason`); records hold it as it is."""

    name: str
    value: Value
    reason: str

    @property
    def title(self) -> str:
        """Its name in words, in the language that is spoken."""
        words = self.name.replace("_", " ")
        return translated(f"decision: {words}").partition(": ")[2] if words in NAMES else retold(words)

    def line(self) -> str:
        """It for people, in the language that is spoken."""
        name = self.name if self.title == self.name.replace("_", " ") else self.title
        return f"{name}: {retold(str(self.value))} ({retold(self.reason)})"
