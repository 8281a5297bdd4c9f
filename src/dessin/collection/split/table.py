"""The split as data: which image is in which fold, and what the split was made from."""

from __future__ import annotations

import functools
from dataclasses import astuple, dataclass

from dessin.files import digest_of

RULE = "stratified-groups-1"


@dataclass(frozen=True)
class Assignment:
    """One image's side; `fold` None is the holdout."""

    image_id: str
    label: str
    group: str
    fold: int | None


@dataclass(frozen=True)
class Split:
    """`folds` folds and a holdout of about the share `holdout`; rows sorted by image_id, classes by label.

    `rule` names the algorithm and `group_by` what the user grouped by. `manifest_digest` is that of the
    manifest before curation, which held `images` rows; `curation_digest` is empty without a curation.
    """

    seed: int
    folds: int
    holdout: float
    rule: str
    manifest_digest: str
    curation_digest: str
    classes: tuple[str, ...]
    rows: tuple[Assignment, ...]
    group_by: str = ""
    images: int = 0

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over everything that the split says."""
        return digest_of(
            [*astuple(self)[:6], self.group_by, self.images, [astuple(row) for row in self.rows]]
        )

    def training(self, fold: int | None) -> tuple[Assignment, ...]:
        """Every row outside the holdout and outside `fold`; None leaves only the holdout out."""
        return tuple(row for row in self.rows if row.fold is not None and row.fold != fold)

    def validation(self, fold: int) -> tuple[Assignment, ...]:
        return tuple(row for row in self.rows if row.fold == fold)

    def held_out(self) -> tuple[Assignment, ...]:
        return tuple(row for row in self.rows if row.fold is None)
