"""What a run or an evaluation works on: the collection as it lies on disk, a split that still fits, and a
curation of the training images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.collection.checks.base import Context
from dessin.collection.curation import Curation, apply_curation, propose_safely, read_curation
from dessin.collection.duplicates import find_duplicates
from dessin.collection.issues import default_kinds, run_checks
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Assignment, Split, check_split, read_split
from dessin.decisions import Decision
from dessin.errors import DessinError, unknown
from dessin.images.spec import ImageSpec, Interpolation
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.models.card import BundleImage
from dessin.progress import say_once, warn


@dataclass(frozen=True)
class Inputs:
    """A manifest built anew from the files, and the split, checked against it."""

    manifest: Manifest
    split: Split

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as people call them."""
        return tuple(self.manifest.names.get(label, label) for label in self.split.classes)

    def open_store(self, spec: ImageSpec, interpolation: Interpolation) -> PixelStore:
        """The pixels of every image of the split; one store serves all folds and the holdout."""
        sha256 = {row.image_id: row.sha256 for row in self.manifest.rows}
        images = [StoredImage(row.image_id, sha256[row.image_id]) for row in self.split.rows]
        return open_store(images, self.manifest.root, spec, interpolation)

    def opener(self) -> Callable[[BundleImage], PixelStore]:
        """What opens the pixels that a model looks at; models that look alike share them."""
        store = cache(self.open_store)
        return lambda image: store(image.spec, image.interpolation)


def read_inputs(data: str | Path | None, split: str | Path | None, curation: str | Path | None) -> Inputs:
    """Read the collection and the split.

    Raises:
        DessinError: data or split not given, files that changed since the split was made, or a split made
            with another curation.
    """
    if data is None or split is None:
        missing = "data" if data is None else "split"
        raise DessinError(
            f"No {missing} was given.",
            do=f"Name it with --{missing}, or in the recipe as data.{'path' if data is None else 'split'}.",
        )
    parts = read_split(Path(split))
    if curation is not None and read_curation(Path(curation)).digest != parts.curation_digest:
        raise DessinError(
            f"The split {split} was not made with the curation {curation}.",
            do="Split again with that --curation, or leave data.curation out of the recipe.",
        )
    collection = read_collection(Path(data))
    say_once(describe_collection(collection))
    manifest = build_manifest(collection)
    check_split(parts, manifest)
    return Inputs(manifest, parts)


def class_numbers(rows: Iterable[Assignment], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """The class number of each row, (n,)."""
    number = {label: i for i, label in enumerate(classes)}
    return np.array([number[row.label] for row in rows], dtype=np.int64)


AUTO = "auto"


def training_curation(asked: str | None, manifest: Manifest) -> Curation | None:
    """The curation that a recipe asks for: a file, `auto` for what an audit proposes, or None."""
    if asked is None:
        return None
    if asked != AUTO:
        curation = read_curation(Path(asked))
        apply_curation(curation, manifest)
        return curation
    scan = scan_images(manifest)
    issues = run_checks(Context(manifest, scan, find_duplicates(manifest, scan)))
    curation, doubts = propose_safely(issues, manifest)
    for doubt in doubts:
        warn(
            f"{doubt.line('so none of them is left out of the training')} A curation file can say otherwise."
        )
    return curation


def curate_rows(
    rows: Sequence[Assignment], curation: Curation, classes: Sequence[str]
) -> tuple[Assignment, ...]:
    """The training rows after the changes, in their order."""
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
) -> Decision[str]:
    """How many training images were left out, and how many have another label."""
    labels = {row.image_id: row.label for row in before}
    relabelled = sum(labels[row.image_id] != row.label for row in after)
    dropped = f"{len(before) - len(after):,} of {len(before):,} training images left out"
    source = f"what an audit proposes ({', '.join(default_kinds())})" if asked == AUTO else asked
    value, reason = f"{dropped}, {relabelled:,} relabelled", f"{source}; sha256 {curation.digest[:12]}…"
    return Decision("training_curation", value, reason)
