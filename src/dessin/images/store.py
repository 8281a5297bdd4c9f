"""The pixel store: every image decoded and fitted once, in one memory-mapped array that all runs share."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.files import atomic_path, cache_folder, digest_of, locked, sha256_bytes, write_json
from dessin.images.decode import Pixels, Unreadable, decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.images.ink import border_median
from dessin.images.paths import image_path
from dessin.images.spec import ImageSpec, Interpolation
from dessin.progress import say, track, warn

_VERSION = 1  # raise it whenever the same files would give other pixels
_NAMED = 5


@dataclass(frozen=True)
class StoredImage:
    """One image by its id (path below the root) and the sha256 of its file."""

    image_id: str
    sha256: str


@dataclass(frozen=True)
class StoreKey:
    """Everything that defines a store's bytes; the order of the images does not."""

    images: tuple[StoredImage, ...]
    spec: ImageSpec
    interpolation: Interpolation

    @cached_property
    def digest(self) -> str:
        rows = sorted([image.image_id, image.sha256] for image in self.images)
        # Another Pillow may bring another JPEG decoder, and other pixels with it.
        makers = {"version": _VERSION, "pillow": PIL.__version__}
        return digest_of({"images": rows, "spec": self.spec.model_dump(), "by": self.interpolation, **makers})


@dataclass(frozen=True, eq=False)
class PixelStore:
    """Fitted pixels (N, channels, S, S) uint8, mapped read-only; row i belongs to `image_ids[i]`, sorted.

    `background` (N, channels) uint8 is each fitted picture's own border median, to fill what an
    augmentation uncovers.
    """

    pixels: Pixels
    image_ids: tuple[str, ...]
    spec: ImageSpec
    interpolation: Interpolation
    background: Pixels
    digest: str

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
                f"{len(missing)} of {len(image_ids)} images are not in the pixel store: {_named(missing)}.",
                allowed=f"The store holds {len(self.image_ids)} images.",
                do="Check that the split and the data belong together.",
            )
        return np.array([self._row_of[image_id] for image_id in image_ids], dtype=np.int64)


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
            image, or too little disk space. Nothing stays behind.
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
                _build(folder, key, root, workers or os.cpu_count() or 1)
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
        raise DessinError(f"Images are listed twice: {_named(doubled)}.", do="Remove the doubled rows.")


def _load(folder: Path, key: StoreKey) -> PixelStore | None:
    """The store in `folder`, or None where there is none or its files are not whole."""
    try:
        header = json.loads((folder / "store.json").read_bytes())
        if header["digest"] != key.digest or header["bytes"] != _sizes(folder):
            return None
        # open_memmap reads .npy and nothing else: no archive, no object array.
        pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="r")
        background = np.array(np.lib.format.open_memmap(folder / "background.npy", mode="r"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if (pixels.shape, background.shape) != (_shape(key), _shape(key)[:2]) or pixels.dtype != np.uint8:
        return None
    ids = tuple(image.image_id for image in key.images)
    return PixelStore(pixels, ids, key.spec, key.interpolation, background, key.digest)


def _sizes(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_size for name in ("pixels.npy", "background.npy")}


def _shape(key: StoreKey) -> tuple[int, int, int, int]:
    return len(key.images), key.spec.channels, key.spec.size, key.spec.size


def _clear(folder: Path) -> None:
    """Remove a damaged store, and what builders that were killed left; the lock is held."""
    if folder.exists():
        warn(f"The pixel store {folder.name[:12]} is damaged; it is built again.")
        shutil.rmtree(folder)
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)


def _build(folder: Path, key: StoreKey, root: Path, workers: int) -> None:
    shape = _shape(key)
    needed = int(np.prod(shape, dtype=np.int64))
    _check_space(folder.parent, needed)
    say(f"Decoding {shape[0]} images into the pixel store ({_bytes(needed)}, {key.spec.size} px).")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        background = np.empty(shape[:2], dtype=np.uint8)
        with (temporary / "pixels.npy").open("wb") as file:
            layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, layout)
            start = file.tell()
            file.flush()
            one = partial(_store_one, root=root, key=key, handle=file.fileno(), start=start, paper=background)
            with ThreadPoolExecutor(workers) as pool:
                done = track(pool.map(one, range(shape[0])), shape[0], "decode")
                problems = [problem for problem in done if problem is not None]
        _raise_problems(problems)
        np.save(temporary / "background.npy", background, allow_pickle=False)
        write_json(temporary / "store.json", {"digest": key.digest, "bytes": _sizes(temporary)})


@dataclass(frozen=True)
class _Problem:
    image_id: str
    reason: str
    changed: bool = False


def _store_one(
    row: int, *, root: Path, key: StoreKey, handle: int, start: int, paper: Pixels
) -> _Problem | None:
    """Decode, fit and write one image at its place in the file, and its background into `paper`."""
    image = key.images[row]
    try:
        data = read_image_bytes(image_path(root, image.image_id))
        if sha256_bytes(data) != image.sha256:
            return _Problem(image.image_id, "changed", changed=True)
        fitted = prepare(decode(data).pixels, key.spec, key.interpolation)
    except Unreadable as error:
        return _Problem(image.image_id, error.reason)
    paper[row] = border_median(fitted.transpose(1, 2, 0))
    view, place, written = memoryview(fitted.tobytes()), start + row * fitted.nbytes, 0
    while written < len(view):  # a disk that runs full takes a part first, and says so at the next call
        written += os.pwrite(handle, view[written:], place + written)
    return None


def _raise_problems(problems: Sequence[_Problem]) -> None:
    changed = [problem.image_id for problem in problems if problem.changed]
    if changed:
        raise DessinError(
            f"{len(changed)} images are not the files of the manifest any more: {_named(changed)}.",
            do="Restore them, or make the manifest and the split anew (`dessin audit`, `dessin split`).",
        )
    if problems:
        named = _named([f"{problem.image_id} ({problem.reason})" for problem in problems])
        raise DessinError(
            f"{len(problems)} images cannot be read: {named}.",
            allowed="Only readable images enter training.",
            do="`dessin audit` lists them, `dessin curate` sets them aside; give its file as --curation.",
        )


def _check_space(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DessinError(
            f"The pixel store needs {_bytes(needed)}, and {folder} has {_bytes(free)} free.",
            do="Free some space, point DESSIN_CACHE at another disk, or choose a smaller image size.",
        )


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.1f} kB"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
