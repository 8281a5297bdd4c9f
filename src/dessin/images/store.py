"""The pixel store: every image decoded and fitted once, memory-mapped, shared by all runs."""

from __future__ import annotations

import math
import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.files import cache_folder, locked
from dessin.images.ground import Pixels
from dessin.images.shards import ShardedPixels, StoredPixels, shard_bounds
from dessin.images.spec import ImageSpec, Interpolation
from dessin.images.store_build import (
    HEADER,
    StoredImage,
    StoreKey,
    build,
    file_sizes,
    named,
    read_rows,
    shard_folder,
)
from dessin.progress import warn
from dessin.reading import read_json


@dataclass(frozen=True, eq=False)
class PixelStore:
    """Fitted pixels (N, channels, S, S) uint8, mapped read-only; row i belongs to `image_ids[i]`, sorted.

    `background` (N, channels) uint8 is each fitted picture's own border median, to fill what an
    augmentation uncovers. A large store has its pixels in several files; `pixels[rows]` reads either.
    `folder` is where they lie.
    """

    pixels: StoredPixels
    image_ids: tuple[str, ...]
    spec: ImageSpec
    interpolation: Interpolation
    background: Pixels
    digest: str
    folder: Path | None = None

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self.image_ids)}

    def rows(self, image_ids: Sequence[str]) -> NDArray[np.int64]:
        """The rows (n,) of these images, in the order asked for.

        Raises:
            DessinError: an image that is not in the store.
        """
        missing = [image_id for image_id in image_ids if image_id not in self._row_of]
        if missing:
            raise DessinError(
                f"{len(missing)} of {len(image_ids)} images are not in the pixel store: {named(missing)}.",
                allowed=f"The store holds {len(self.image_ids)} images.",
                do="Check that the split and the data belong together.",
            )
        return np.array([self._row_of[image_id] for image_id in image_ids], dtype=np.int64)


@dataclass(frozen=True)
class StoreOnDisk:
    """A store by its folder and its pixels' shape (N, channels, S, S), to be mapped by another process."""

    folder: Path
    shape: tuple[int, ...]
    digest: str

    @property
    def pixels(self) -> StoredPixels:
        return self._arrays[0]

    @property
    def background(self) -> Pixels:
        return self._arrays[1]

    @cached_property
    def _arrays(self) -> tuple[StoredPixels, Pixels]:
        arrays = _read(self.folder, self.shape)
        if arrays is None:
            raise DessinError(
                f"{socket.gethostname()} does not see the pixel store {self.folder}.",
                do="Point DESSIN_CACHE at a folder that all nodes share, and run again.",
            )
        return arrays


def open_store(
    images: Sequence[StoredImage],
    root: Path,
    spec: ImageSpec,
    interpolation: Interpolation,
    *,
    workers: int | None = None,
) -> PixelStore:
    """Open the store of these images, building it first where it is missing or damaged.

    Two processes that ask at once build it once. `workers` threads decode (default: one a core).

    Raises:
        DessinError: no or doubled images, a file that changed since its sha256 was taken, an unreadable
            image, or too little disk space. Nothing stays behind but whole shards of a large store.
    """
    key = StoreKey(tuple(sorted(images, key=lambda image: image.image_id)), spec, interpolation)
    _check_ids(key)
    folder = cache_folder() / "stores" / key.digest
    store = _load(folder, key)
    if store is not None:
        return store
    try:
        with locked(folder.with_name(f"{key.digest}.lock")):
            store = _load(folder, key)
            if store is None:
                _clear(folder)
                build(folder, key, root, workers or os.cpu_count() or 1)
                store = _load(folder, key)
    except OSError as error:
        raise DessinError(
            f"The cache folder {folder.parent} cannot be used: {error.strerror or error}.",
            do="Point DESSIN_CACHE at a folder that may be written to.",
        ) from error
    if store is None:
        raise DessinError(
            f"The pixel store {folder} was written but cannot be read back.",
            do="Check the disk, or point DESSIN_CACHE at another one.",
        )
    return store


def _check_ids(key: StoreKey) -> None:
    if not key.images:
        raise DessinError("A pixel store needs images, and there are none.", do="Check the data folder.")
    ids = [image.image_id for image in key.images]
    doubled = [first for first, second in pairwise(ids) if first == second]
    if doubled:
        raise DessinError(f"Images are listed twice: {named(doubled)}.", do="Remove the doubled rows.")


def _load(folder: Path, key: StoreKey) -> PixelStore | None:
    """The store in `folder`, or None where there is none or its files are not whole."""
    try:
        header = read_json(folder / HEADER)
        if header["digest"] != key.digest or header["bytes"] != file_sizes(folder):
            return None
        read = _read(folder, key.shape)
    except (DessinError, OSError, KeyError, TypeError):
        return None
    if read is None:
        return None
    pixels, background = read
    ids = tuple(image.image_id for image in key.images)
    return PixelStore(pixels, ids, key.spec, key.interpolation, background, key.digest, folder)


def _read(folder: Path, shape: tuple[int, ...]) -> tuple[StoredPixels, Pixels] | None:
    """Pixels of this shape, mapped, and background of a store; None where they are not whole."""
    bounds = shard_bounds(shape[0], math.prod(shape[1:]))
    if len(bounds) == 1:
        return read_rows(folder, shape)
    parts = []
    for number, (start, stop) in enumerate(bounds):
        part = read_rows(shard_folder(folder, number), (stop - start, *shape[1:]))
        if part is None:
            return None
        parts.append(part)
    return ShardedPixels([pixels for pixels, _ in parts]), np.concatenate([paper for _, paper in parts])


def _clear(folder: Path) -> None:
    """Remove a damaged store, and what builders that were killed left; the lock is held."""
    if folder.exists():
        warn(f"The pixel store {folder.name[:12]} is damaged; it is built again.")
        shutil.rmtree(folder)
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
