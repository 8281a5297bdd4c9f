"""What a run or an evaluation works on: the collection as it lies on disk, and a split that still fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.collection.curation import read_curation
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Assignment, Split, check_split, read_split
from dessin.errors import DessinError
from dessin.images.spec import ImageSpec, Interpolation
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.models.card import BundleImage
from dessin.progress import say_once


@dataclass(frozen=True)
class Inputs:
    """A manifest built anew from the files, and the split, checked against it."""

    manifest: Manifest
    split: Split

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
