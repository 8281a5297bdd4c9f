"""Every image of a manifest decoded once, measured, and remembered under the manifest's digest."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from dessin.collection.hashing import Hashes, perceptual_hashes
from dessin.collection.manifest import Manifest, Row
from dessin.collection.measure import SIGNATURE_SHAPE, Measured, Measurement, measure, unreadable
from dessin.errors import DessinError
from dessin.files import atomic_path, cache_folder, digest_of, locked, sha256_bytes, write_json
from dessin.images.colour import one_opencv_thread
from dessin.images.decode import Unreadable, read_image_bytes
from dessin.images.paths import image_path
from dessin.parallel.mapper import Mapper, ThreadMapper
from dessin.progress import track, warn
from dessin.reading import read_json
from dessin.reading_arrays import read_npy

_VERSION = 2
_MOST = 2**30  # of measurements.json: some four million images
_ARRAYS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "hashes": (np.uint64, ()),
    "signatures": (np.uint8, SIGNATURE_SHAPE),
    "thumbnails": (np.uint8, ()),
    "offsets": (np.int64, ()),
}


@dataclass(frozen=True)
class Scan:
    """What was measured, in the order of the manifest's rows.

    Attributes:
        hashes: (N,) uint64, see `hashing`.
        signatures: (N, 64, 64) uint8, the strokes trimmed to the ink.
        thumbnails: all thumbnails' JPEG bytes one after the other, (B,) uint8.
        offsets: (N + 1,) int64, where each thumbnail begins.
    """

    measurements: tuple[Measurement, ...]
    hashes: Hashes
    signatures: NDArray[np.uint8]
    thumbnails: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def thumbnail_bytes(self, row: int) -> bytes:
        """The thumbnail of one image as JPEG, at most 128 px; empty where the image is unreadable."""
        return self.thumbnails[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def thumbnail(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail of one image, (h, w, 3) uint8 RGB; a gray square where the image is unreadable."""
        encoded = self.thumbnail_bytes(row)
        if not encoded:
            return np.full((48, 48, 3), 230, dtype=np.uint8)
        decoded = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def scan_images(manifest: Manifest, mapper: Mapper | None = None) -> Scan:
    """Measure every image of the manifest, or read the measures back from the cache.

    An image that cannot be decoded gets a measurement with the reason; it never stops the scan. `mapper` says
    where the work is done (default: threads of this process, one a core) and changes no result.

    Raises:
        DessinError: a file's bytes are no longer those of the manifest.
    """
    key = digest_of([manifest.digest, _VERSION])[:32]
    folder = cache_folder() / "scans" / key
    with locked(folder.with_suffix(".lock")):
        if folder.is_dir():
            scan = _load(folder, len(manifest.rows))
            if scan is not None:
                return scan
            warn(f"The cached scan {folder} is damaged; the images are measured again.")
            shutil.rmtree(folder)
        measure_row = partial(_measure_row, root=manifest.root.absolute())
        with one_opencv_thread():
            results = (mapper or ThreadMapper()).map(measure_row, manifest.rows)
            scan = _gathered(list(track(results, len(manifest.rows), "reading images")))
        with atomic_path(folder) as temporary:
            temporary.mkdir(parents=True)
            write_json(temporary / "measurements.json", [asdict(m) for m in scan.measurements])
            for name in _ARRAYS:
                np.save(temporary / f"{name}.npy", getattr(scan, name), allow_pickle=False)
    return scan


def _measure_row(row: Row, *, root: Path) -> Measured:
    if cv2.getNumThreads() != 1:
        # A worker of another machine, where nobody has set it.
        cv2.setNumThreads(1)
    path = image_path(root, row.image_id)
    try:
        data = read_image_bytes(path)
    except Unreadable as error:
        if row.sha256 and not path.exists():
            raise DessinError(
                f"{row.image_id} was there before, and {socket.gethostname()} has no {path}.",
                do="Let nothing write to the folder; with Ray, every node needs it at the same path.",
            ) from None
        return unreadable(error.reason)
    if sha256_bytes(data) != row.sha256:
        raise DessinError(
            f"{row.image_id} has changed since its manifest was made.",
            do="Let nothing write to the folder, and run again.",
        )
    return measure(data)


def _gathered(measured: Sequence[Measured]) -> Scan:
    signatures = np.array([m.signature for m in measured], np.uint8).reshape(-1, *SIGNATURE_SHAPE)
    lengths = [len(m.thumbnail) for m in measured]
    return Scan(
        measurements=tuple(m.measurement for m in measured),
        hashes=perceptual_hashes(signatures),
        signatures=signatures,
        thumbnails=np.frombuffer(b"".join(m.thumbnail for m in measured), dtype=np.uint8),
        offsets=np.cumsum([0, *lengths], dtype=np.int64),
    )


def _load(folder: Path, count: int) -> Scan | None:
    """The scan in a cache folder, or None where it is not whole."""
    try:
        records = read_json(folder / "measurements.json", most=_MOST)
        measurements = TypeAdapter(tuple[Measurement, ...]).validate_python(records)
        arrays = {name: read_npy(folder / f"{name}.npy") for name in _ARRAYS}
    except (DessinError, ValueError):
        return None
    for name, (dtype, shape) in _ARRAYS.items():
        if arrays[name].dtype != dtype or arrays[name].ndim < 1 or arrays[name].shape[1:] != shape:
            return None
    scan = Scan(measurements, **arrays)
    lengths = {len(measurements), len(scan.hashes), len(scan.signatures), len(scan.offsets) - 1}
    places = scan.offsets.tolist()
    whole = lengths == {count} and places == sorted(places) and places[0] == 0
    return scan if whole and places[-1] == len(scan.thumbnails) else None
