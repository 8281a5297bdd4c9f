"""A curation of the training images alone: with and without it, a model is measured on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dessin.collection.checks.base import Context
from dessin.collection.checks.run import run_checks
from dessin.collection.curation import (
    DEFAULT_KINDS,
    Curation,
    apply_curation,
    propose_curation,
    read_curation,
)
from dessin.collection.duplicates import find_duplicates
from dessin.collection.manifest import Manifest
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Assignment
from dessin.decisions import Decision
from dessin.errors import unknown

AUTO = "auto"


def training_curation(asked: str | None, manifest: Manifest) -> Curation | None:
    """The curation that a recipe asks for: a file, `auto` for what an audit proposes, or None.

    Raises:
        DessinError: no such file, or one that names images or classes that the collection has not.
    """
    if asked is None:
        return None
    if asked != AUTO:
        curation = read_curation(Path(asked))
        apply_curation(curation, manifest)
        return curation
    scan = scan_images(manifest)
    issues = run_checks(Context(manifest, scan, find_duplicates(manifest, scan)))
    return propose_curation(issues, manifest, DEFAULT_KINDS)


def curate_rows(
    rows: Sequence[Assignment], curation: Curation, classes: Sequence[str]
) -> tuple[Assignment, ...]:
    """The training rows after the changes, in their order.

    Raises:
        DessinError: an image would get a label that is no class of the split.
    """
    changes = {change.image_id: change for change in curation.changes}
    curated = []
    for row in rows:
        change = changes.get(row.image_id)
        if change is None or change.action == "keep":
            curated.append(row)
        elif change.action == "relabel":
            if change.label not in classes:
                raise unknown(f"class in the relabel of {row.image_id}", change.label, classes)
            curated.append(replace(row, label=change.label))
    return tuple(curated)


def curation_decision(
    asked: str, curation: Curation, before: Sequence[Assignment], after: Sequence[Assignment]
) -> Decision:
    """How many training images were left out, and how many have another label."""
    labels = {row.image_id: row.label for row in before}
    relabelled = sum(labels[row.image_id] != row.label for row in after)
    dropped = f"{len(before) - len(after):,} of {len(before):,} training images left out"
    source = f"what an audit proposes ({', '.join(DEFAULT_KINDS)})" if asked == AUTO else asked
    return Decision(
        "training_curation",
        f"{dropped}, {relabelled:,} relabelled",
        f"{source}; sha256 {curation.digest[:12]}…",
    )
