"""The numbers of a trust card: its worst class, its headline figures, and a search for leaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.collection.duplicates import Pair, find_duplicates
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split, check_split
from dessin.errors import DessinError
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import ClassResult
from dessin.trust.card.result import LeakCheck
from dessin.trust.card.sources import TrustSources

_EXAMPLES = 5


def numbers(sources: TrustSources) -> dict[str, Estimate]:
    """The estimates of the card by the key of their fact."""
    found: dict[str, Estimate] = {name: metrics.accuracy for name, metrics in sources.metrics.items()}
    if sources.robustness:
        found["robust"] = sources.robustness.robust
    if sources.confidence:
        found["calibration"] = sources.confidence.calibration.ece.after
        found["unsure"] = sources.confidence.selection.coverage
        found["foreign"] = sources.confidence.rejection.false_alarms
    worst = worst_class(sources)
    if worst.recall:
        found["worst_class"] = worst.recall
    return found


def worst_class(sources: TrustSources) -> ClassResult:
    """The class of the lowest recall; of equal ones that with most drawings, then the first by name."""
    rows = [(row.recall.value, -row.n, row.label, row) for row in sources.main.per_class if row.recall]
    return min(rows, key=lambda row: row[:3])[3]


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
