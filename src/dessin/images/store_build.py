"""Building a pixel store: one file where that is enough, else shards, each of which is whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import PIL

from dessin.errors import DessinError
from dessin.files import atomic_path, digest_of, sha256_bytes, write_json
from dessin.images.colour import one_opencv_thread
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.images.ground import Pixels
from dessin.images.ink import border_median
from dessin.images.paths import image_path
from dessin.images.photograph import PAGE_VERSION
from dessin.images.shards import shard_bounds
from dessin.images.spec import ImageSpec, Interpolation
from dessin.page.numbers import counted
from dessin.progress import say, track
from dessin.reading_arrays import read_npy

_VERSION = 2  # raise it whenever the same files would give other pixels


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
        if self.spec.page != "off":
            makers |= {"page": PAGE_VERSION, "opencv": cv2.__version__}
        return digest_of({"images": rows, "spec": self.spec.model_dump(), "by": self.interpolation, **makers})

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the pixels: (N, channels, S, S)."""
        return len(self.images), self.spec.channels, self.spec.size, self.spec.size

    @property
    def image_bytes(self) -> int:
        return self.spec.channels * self.spec.size**2


PIXELS = "pixels.npy"
BACKGROUND = "background.npy"
HEADER = "store.json"
_NAMED = 5


def build(folder: Path, key: StoreKey, root: Path, workers: int) -> None:
    """Write the store into `folder`, which must not exist; `workers` threads decode.

    A store of several shards grows beside it in a folder `.parts`, and goes on there after it was killed.

    Raises:
        DessinError: a changed or unreadable image, or too little disk space.
    """
    bounds = shard_bounds(len(key.images), key.image_bytes)
    parts = folder.with_name(f"{folder.name}.parts")
    needed = len(key.images) * key.image_bytes
    _check_space(folder.parent, needed - sum(file_sizes(parts).values()))
    what = f"{counted(len(key.images), 'image')} into the pixel store"
    say(f"Decoding {what} ({_bytes(needed)}, {key.spec.size} px).")
    # Threads that each set it and put it back would leave it as they found one another's.
    with one_opencv_thread(), ThreadPoolExecutor(workers) as pool:
        if len(bounds) > 1:
            _build_shards(parts, key, root, bounds, pool)
            _write_header(parts, key)
            parts.replace(folder)
            return
        with atomic_path(folder) as temporary:
            _write_rows(temporary, key, root, bounds[0], pool, "Decoding")
            _write_header(temporary, key)


def file_sizes(folder: Path) -> dict[str, int]:
    """The bytes of every array below a store's folder, by relative path."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*.npy")}


def read_rows(folder: Path, shape: tuple[int, ...]) -> tuple[Pixels, Pixels] | None:
    """The pixels (mapped) and background of a store of one file or of one shard; None where damaged."""
    try:
        pixels, background = read_npy(folder / PIXELS, mapped=True), read_npy(folder / BACKGROUND)
    except DessinError:
        return None
    if (pixels.shape, background.shape) != (shape, shape[:2]) or pixels.dtype != np.uint8:
        return None
    return pixels, background


def shard_folder(store: Path, number: int) -> Path:
    return store / f"{number:05}"


def named(names: Sequence[str]) -> str:
    """The first few of many names."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _build_shards(
    parts: Path, key: StoreKey, root: Path, bounds: Sequence[tuple[int, int]], pool: ThreadPoolExecutor
) -> None:
    """Write the shards that are not whole yet."""
    whole = {
        shard_folder(parts, number)
        for number, (start, stop) in enumerate(bounds)
        if read_rows(shard_folder(parts, number), (stop - start, *key.shape[1:]))
    }
    if whole:
        say(f"{len(whole)} of its {len(bounds)} shards are there already.")
    for other in set(parts.iterdir()) - whole if parts.is_dir() else ():
        shutil.rmtree(other)
    for number, rows in enumerate(bounds):
        shard = shard_folder(parts, number)
        if shard in whole:
            continue
        try:
            with atomic_path(shard) as temporary:
                _write_rows(temporary, key, root, rows, pool, f"Decoding shard {number + 1} of {len(bounds)}")
        except _BadImagesError:
            # The store without them is another one.
            shutil.rmtree(parts)
            raise


def _write_header(folder: Path, key: StoreKey) -> None:
    write_json(folder / HEADER, {"digest": key.digest, "bytes": file_sizes(folder)})


@dataclass(frozen=True)
class _Problem:
    """Why an image cannot be stored; without a `reason` its file has changed."""

    image_id: str
    reason: str = ""


class _BadImagesError(DessinError):
    """Images that cannot be stored."""


def _write_rows(
    folder: Path, key: StoreKey, root: Path, rows: tuple[int, int], pool: ThreadPoolExecutor, label: str
) -> None:
    """Decode the images `rows` (start, stop) of the key into a new folder."""
    folder.mkdir()
    shape = (rows[1] - rows[0], *key.shape[1:])
    background = np.empty(shape[:2], dtype=np.uint8)
    with (folder / PIXELS).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()
        file.flush()

        def store(row: int) -> _Problem | None:
            """Decode, fit and write one image at its place in the file, and its background beside it."""
            fitted = _fitted(key.images[row], root, key)
            if isinstance(fitted, _Problem):
                return fitted
            place = row - rows[0]
            background[place] = border_median(fitted.transpose(1, 2, 0))
            view, offset, written = memoryview(fitted.tobytes()), start + place * fitted.nbytes, 0
            while written < len(
                view
            ):  # a disk that runs full takes a part first, and says so at the next call
                written += os.pwrite(file.fileno(), view[written:], offset + written)
            return None

        results = track(pool.map(store, range(*rows)), shape[0], label)
        problems = [problem for problem in results if problem is not None]
    _raise_problems(problems)
    np.save(folder / BACKGROUND, background, allow_pickle=False)


def _fitted(image: StoredImage, root: Path, key: StoreKey) -> Pixels | _Problem:
    try:
        data = read_image_bytes(image_path(root, image.image_id))
        if sha256_bytes(data) != image.sha256:
            return _Problem(image.image_id)
        return prepare(decode(data).pixels, key.spec, key.interpolation)
    except Unreadable as error:
        return _Problem(image.image_id, error.reason)


def _raise_problems(problems: Sequence[_Problem]) -> None:
    changed = [problem.image_id for problem in problems if not problem.reason]
    if changed:
        raise _BadImagesError(
            f"{counted(len(changed), 'image is', 'images are')} not as in the manifest any more: "
            f"{named(changed)}.",
            do="Restore them, or make the manifest and the split anew (`dessin audit`, `dessin split`).",
        )
    if problems:
        listed = named([f"{problem.image_id} ({problem.reason})" for problem in problems])
        raise _BadImagesError(
            f"{counted(len(problems), 'image')} cannot be read: {listed}.",
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
