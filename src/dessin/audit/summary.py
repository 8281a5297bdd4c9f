"""The numbers of an audit: what `summary.json` holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dessin.collection.checks.base import Issue
from dessin.collection.duplicates import Pair
from dessin.collection.families import find_families
from dessin.collection.issues import CHECKS
from dessin.collection.label_review import LabelNumbers
from dessin.collection.manifest import Manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.scan import Scan
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
    """Counts and distributions; the distributions are over the readable images, None where there is none."""

    layout: str
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


def summarise(
    collection: Collection,
    manifest: Manifest,
    scan: Scan,
    pairs: Sequence[Pair],
    issues: Sequence[Issue],
    labels: LabelNumbers | None = None,
) -> Summary:
    """Every number of the audit, from what it found."""
    measured = [m for m in scan.measurements if m.readable]
    counts = Counter(row.label for row in manifest.rows)
    found = Counter(issue.issue for issue in issues)
    colours = np.array([m.brightness for m in measured]).reshape(-1, 3)
    families_by, families = _families(counts)
    return Summary(
        layout=collection.layout,
        manifest_digest=manifest.digest,
        images=len(manifest.rows),
        readable=len(measured),
        classes=len(counts),
        class_counts=dict(sorted(counts.items())),
        modes=_counted(m.mode for m in measured),
        formats=_counted(m.format for m in measured),
        brightness={
            name: Moments(mean=round(float(values.mean()), 2), sd=round(float(values.std()), 2))
            for name, values in zip(("red", "green", "blue"), colours.T, strict=True)
            if len(values)
        },
        width=_spread([m.width for m in measured]),
        height=_spread([m.height for m in measured]),
        aspect=_spread([m.width / m.height for m in measured]),
        ink=_spread([m.ink for m in measured]),
        contrast=_spread([m.contrast for m in measured]),
        issues={kind: found[kind] for kind in CHECKS},
        duplicates=_duplicates(manifest, pairs),
        families_by=families_by,
        families=families,
        skipped={rule: len(paths) for rule, paths in sorted(collection.skipped.items())},
        labels=labels,
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    counts = Counter(values)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    points = (round(float(value), 4) for value in np.percentile(values, [0, 25, 50, 75, 100]))
    least, quarter, median, three_quarters, most = points
    return Spread(least=least, quarter=quarter, median=median, three_quarters=three_quarters, most=most)


def _duplicates(manifest: Manifest, pairs: Sequence[Pair]) -> DuplicateCounts:
    labels = {row.image_id: row.label for row in manifest.rows}
    kinds = Counter(pair.kind for pair in pairs)
    within = sum(labels[pair.first] == labels[pair.second] for pair in pairs)
    # The pairs form a forest: a tree of n images has n - 1 of them.
    involved = {image_id for pair in pairs for image_id in (pair.first, pair.second)}
    return DuplicateCounts(
        bytes=kinds["bytes"],
        pixels=kinds["pixels"],
        near=kinds["near"],
        within_class=within,
        across_classes=len(pairs) - within,
        sets=len(involved) - len(pairs),
    )


def _families(counts: Mapping[str, int]) -> tuple[str, tuple[FamilyShare, ...]]:
    found = find_families(counts)
    if found is None:
        return "", ()
    images = sum(counts.values())
    shares = []
    for family in found.families:
        inside = sum(counts[label] for label in family.labels)
        shares.append(
            FamilyShare(
                name=family.name,
                parent=family.parent,
                classes=len(family.labels),
                images=inside,
                share_of_classes=round(len(family.labels) / found.classes, 4),
                share_of_images=round(inside / images, 4),
            )
        )
    return found.by, tuple(shares)
