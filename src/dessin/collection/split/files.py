"""The split, and split.csv: written, read back with every rule checked, and compared with the manifest of
today."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from pydantic import Field

from dessin.collection.manifest import Manifest
from dessin.errors import DessinError, listing, quoted
from dessin.files import digest_of, write_csv
from dessin.page.notebook import Shown
from dessin.reading import parse_json, read_csv
from dessin.schema import Section, validated

RULE = "stratified-groups-1"


@dataclass(frozen=True)
class Assignment:
    """One image's side; `fold` None is the holdout."""

    image_id: str
    label: str
    group: str
    fold: int | None


@dataclass(frozen=True, repr=False)
class Split(Shown):
    """`folds` folds and a holdout of about the share `holdout`; rows sorted by image_id, classes by label.

    `rule` names the algorithm and `group_by` what the user grouped by. `manifest_digest` is that of the
    manifest before curation, which held `images` rows; `curation_digest` is empty without a curation.
    """

    TABLE = "rows"

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


COLUMNS = ("image_id", "label", "group", "fold")
HOLDOUT = "holdout"
_START = "dessin split 1 "


class Stamp(Section):
    """The first line of split.csv: what is not in the rows, by the names of `Split`."""

    seed: int = Field(ge=0)
    folds: int = Field(ge=2)
    holdout: float = Field(ge=0.0, lt=1.0)
    rule: str
    group_by: str = Field(alias="group")
    manifest_digest: str = Field(alias="manifest")
    curation_digest: str = Field(alias="curation")
    images: int = Field(ge=0)


def write_split(split: Split, path: Path) -> None:
    """Write split.csv; its first line holds the version, and what the split was made from as JSON."""
    stamp = {field.alias or name: getattr(split, name) for name, field in Stamp.model_fields.items()}
    comment = _START + json.dumps(stamp, ensure_ascii=True)
    rows = ((r.image_id, r.label, r.group, HOLDOUT if r.fold is None else r.fold) for r in split.rows)
    write_csv(path, COLUMNS, rows, comment=comment)


def read_split(path: Path) -> Split:
    """A split read from its file.

    Raises:
        DessinError: not a split file, a fold outside its range, an image twice, a row without a label, or a
            group on two sides.
    """
    comment, table = read_csv(path, COLUMNS)
    stamp = _read_stamp(path, comment)
    rows = tuple(_assignment(path, row, stamp.folds) for row in table)
    sides: dict[str, int | None] = {}
    seen: set[str] = set()
    for row in rows:
        if row.image_id in seen:
            raise DessinError(f"{path} has two rows for {quoted(row.image_id)}.", do="Make the split anew.")
        seen.add(row.image_id)
        if sides.setdefault(row.group, row.fold) != row.fold:
            raise DessinError(
                f"{path}: the group {quoted(row.group)} is on two sides: images that belong together leak.",
                do="Make the split anew; it is not meant to be edited.",
            )
    rows = tuple(sorted(rows, key=lambda row: row.image_id))
    classes = tuple(sorted({row.label for row in rows}))
    return Split(**stamp.model_dump(), classes=classes, rows=rows)


def _read_stamp(path: Path, comment: str) -> Stamp:
    try:
        text = comment.removeprefix(_START)
        values = parse_json(text, where=str(path)) if comment.startswith(_START) else None
    except DessinError:
        values = None
    if not isinstance(values, dict):
        raise DessinError(
            f"{path} does not begin with the line of a split.",
            allowed=f'Its first line is "# {_START}" followed by the seed, the rule ({RULE}) and digests.',
            do="Make it with dessin split.",
        )
    return validated(Stamp, values, str(path))


def _assignment(path: Path, row: Mapping[str, str], folds: int) -> Assignment:
    fold = row["fold"]
    if fold != HOLDOUT and not (re.fullmatch("0|[1-9][0-9]{0,17}", fold) and int(fold) < folds):
        raise DessinError(
            f'{path}: {quoted(row["image_id"])} is in fold "{quoted(fold)}".',
            allowed=f"A fold is 0 to {folds - 1}, or {HOLDOUT}.",
        )
    if not (row["image_id"] and row["label"] and row["group"]):
        raise DessinError(f"{path}: a row without image_id, label or group.", do="Make the split anew.")
    return Assignment(row["image_id"], row["label"], row["group"], None if fold == HOLDOUT else int(fold))


def check_split(split: Split, manifest: Manifest) -> None:
    """Refuse a split whose collection has changed since; `manifest` is the one before curation.

    Raises:
        DessinError: with the number and a few names of the images added, removed, relabelled or changed.
    """
    if split.manifest_digest == manifest.digest:
        return
    then = {row.image_id: row.label for row in split.rows}
    now = {row.image_id: row.label for row in manifest.rows}
    removed = sorted(then.keys() - now.keys())
    outside = sorted(now.keys() - then.keys())
    relabelled = sorted(i for i in then.keys() & now.keys() if then[i] != now[i])
    # Only images of the split are listed in it: of those it left out, the number is all that is known.
    added = max(0, len(outside) - (split.images - len(split.rows)))
    parts = []
    if added:
        sure = "" if added == len(outside) else f", among {len(outside):,} that are not in the split"
        parts.append(f"{added:,} images were added{sure} ({listing(outside)})")
    if removed:
        parts.append(f"{len(removed):,} were removed ({listing(removed)})")
    if relabelled and not split.curation_digest:
        parts.append(f"{len(relabelled):,} have another label ({listing(relabelled)})")
    if not parts:
        parts.append("the bytes of a file, or a label, changed under the same names")
    raise DessinError(
        f"The images in {manifest.root} are not those that the split was made from: {'; '.join(parts)}.",
        do="Make a new split, or restore the images.",
    )
