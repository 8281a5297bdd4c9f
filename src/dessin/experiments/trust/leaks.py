"""Whether drawings that belong together lie on two sides of a split: searched anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.collection.duplicates import Pair, find_duplicates
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split, check_split
from dessin.errors import DessinError
from dessin.schema import Section

_EXAMPLES = 5


class LeakCheck(Section):
    """Pairs of copies among the `images` of a split, and how many are `crossing` from one part to another.

    A part is a fold or the holdout. `groups` were on one side each, which a split file is refused without.
    `reason` says why the search for copies could not be made; there are no pairs then.
    """

    images: int
    groups: int
    pairs: int = 0
    crossing: int = 0
    examples: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def searched(self) -> bool:
        return not self.reason


def check_leaks(split: Split, data: Path | None) -> LeakCheck:
    """Search the drawings of a split for copies, under the eight symmetries of the square.

    It is a new search, not the one that the split was made by, so a split of any origin is judged by it.
    """
    groups = len({row.group for row in split.rows})
    try:
        pairs = _copies(split, data)
    except DessinError as error:
        return LeakCheck(images=len(split.rows), groups=groups, reason=error.seen)
    crossing = crossing_pairs(pairs, split)
    return LeakCheck(
        images=len(split.rows),
        groups=groups,
        pairs=len(pairs),
        crossing=len(crossing),
        examples=tuple((pair.first, pair.second) for pair in crossing[:_EXAMPLES]),
    )


def _copies(split: Split, data: Path | None) -> tuple[Pair, ...]:
    if data is None:
        raise DessinError("It is not known where the drawings are.")
    manifest = build_manifest(read_collection(data))
    check_split(split, manifest)
    listed = {row.image_id for row in split.rows}
    found = find_duplicates(manifest, scan_images(manifest))
    return tuple(pair for pair in found if pair.first in listed and pair.second in listed)


def crossing_pairs(pairs: Sequence[Pair], split: Split) -> list[Pair]:
    """The pairs whose drawings are in two parts of the split."""
    part = {row.image_id: row.fold for row in split.rows}
    return [pair for pair in pairs if part[pair.first] != part[pair.second]]
