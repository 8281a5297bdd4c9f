from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, Issue


@dataclass(frozen=True)
class TinyImages(Check):
    """Images with fewer than `least` pixels along their longer side."""

    least: int = 48

    name: ClassVar[str] = "tiny"
    title: ClassVar[str] = "Tiny images"
    short: ClassVar[str] = "tiny"
    summary: ClassVar[str] = "Smaller than most models see: look for the originals."

    def run(self, context: Context) -> list[Issue]:
        sides = ((row, max(m.width, m.height)) for row, m in context.readable())
        return [
            self.issue(row, 1 - side / self.least, f"{side} px along its longer side")
            for row, side in sides
            if side < self.least
        ]


TINY = TinyImages()
