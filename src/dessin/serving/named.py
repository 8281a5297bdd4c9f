"""What a model says of an image, in the same words for a model at hand and for one behind an address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A class with its name for people and its probability."""

    label: str
    name: str
    probability: float


class Named:
    """The likeliest class of the `top` ones, also where the model is unsure; empty where there is none."""

    top: tuple[Candidate, ...]

    @property
    def label(self) -> str:
        return self.top[0].label if self.top else ""

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.top[0].name if self.top else ""

    @property
    def probability(self) -> float:
        """Its calibrated probability."""
        return self.top[0].probability if self.top else 0.0
