"""What an audit finds: `summary.json` and its numbers, and everything together in memory."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from dessin.collection.checks.base import Issue, LabelNumbers
from dessin.collection.duplicates import Pair
from dessin.collection.manifest import Manifest
from dessin.collection.scan import Scan
from dessin.page.notebook import Shown
from dessin.schema import Section


class Spread(Section):
    """The smallest, the quartiles and the largest of some values."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float


class Moments(Section):
    mean: float
    sd: float


class DuplicateCounts(Section):
    """Pairs by kind and place, and the number of sets of copies that they form."""

    bytes: int
    pixels: int
    near: int
    within_class: int
    across_classes: int
    sets: int


class FamilyShare(Section):
    name: str
    parent: str
    classes: int
    images: int
    share_of_classes: float
    share_of_images: float


class Summary(Section):
    """Counts and distributions; the distributions are over the readable images, None where there is none.

    `notes` say how the folder was understood, and what in it is not used; `grounds` counts the transparent
    images by what they were laid on. `issues` counts lines of issues.csv, `named` the images in them.
    """

    layout: str
    notes: tuple[str, ...] = ()
    manifest_digest: str
    images: int
    readable: int
    classes: int
    class_counts: dict[str, int]
    modes: dict[str, int]
    formats: dict[str, int]
    brightness: dict[str, Moments]
    width: Spread | None
    height: Spread | None
    aspect: Spread | None
    ink: Spread | None
    contrast: Spread | None
    issues: dict[str, int]
    duplicates: DuplicateCounts
    families_by: str
    families: tuple[FamilyShare, ...]
    skipped: dict[str, int]
    labels: LabelNumbers | None = None
    grounds: dict[str, int] = Field(default_factory=dict)
    named: dict[str, int] = Field(default_factory=dict)

    @property
    def images_of(self) -> dict[str, int]:
        """How many images each kind of issue that was found names: one may be a copy of two others."""
        return {kind: self.named.get(kind, count) for kind, count in self.issues.items() if count}


@dataclass(frozen=True, repr=False)
class AuditResult(Shown):
    """What an audit found; the same as its files hold."""

    TABLE = "issues"

    manifest: Manifest
    scan: Scan
    pairs: tuple[Pair, ...]
    issues: tuple[Issue, ...]
    summary: Summary
