"""The numbers of a trust card: its worst class, its headline figures, and a search for leaks."""

from __future__ import annotations

from pathlib import Path

from dessin.collection.duplicates import find_duplicates
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
    part, groups = {row.image_id: row.fold for row in split.rows}, len({row.group for row in split.rows})
    if data is None:
        return LeakCheck(images=len(part), groups=groups, reason="It is not known where the drawings are.")
    try:
        manifest = build_manifest(read_collection(data))
        check_split(split, manifest)
        found = find_duplicates(manifest, scan_images(manifest))
    except DessinError as error:
        return LeakCheck(images=len(part), groups=groups, reason=error.seen)
    pairs = [pair for pair in found if pair.first in part and pair.second in part]
    crossing = [pair for pair in pairs if part[pair.first] != part[pair.second]]
    return LeakCheck(
        images=len(part),
        groups=groups,
        pairs=len(pairs),
        crossing=len(crossing),
        examples=tuple((pair.first, pair.second) for pair in crossing[:_EXAMPLES]),
    )
