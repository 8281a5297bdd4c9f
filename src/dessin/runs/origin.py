"""Where a run came from: `origin.json` beside the record of one that was collected from another machine."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from dessin.models.card import Digest
from dessin.results import Result


class Origin(Result):
    """Who carried a run out, and on which machine; `left_out` are files that did not travel, by sha256."""

    FILE = "origin.json"
    WHAT = "the origin of a run"

    who: str
    machine: str
    left_out: dict[str, Digest] = Field(default_factory=dict)


def weights_left_out(run: Path) -> bool:
    """Whether a run was collected without its model's weights, and they have not come since."""
    origin = Origin.find(run)
    return origin is not None and any(not (run / name).is_file() for name in origin.left_out)
