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
from dessin.collection.readers.walk import HEIC_SUFFIXES
from dessin.errors import DessinError
from dessin.files import atomic_path, cache_folder, digest_of, locked, sha256_bytes, write_json
from dessin.images.colour import one_opencv_thread
from dessin.images.containers.heif import can_read_heic
from dessin.images.decode import Unreadable, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.photograph import PAGE_VERSION
from dessin.parallel.mapper import Mapper, ThreadMapper
from dessin.progress import track, warn
from dessin.reading import read_json
from dessin.reading_arrays import read_npy

_VERSION = 3
_MOST = 2**30  # of measurements.json: some four million images
_ARRAYS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "hashes": (np.uint64, ()),
    "signatures": (np.uint8, SIGNATURE_SHAPE),
    "thumbnails": (np.uint8, ()),
    "offsets": (np.int64, ()),
    "pages": (np.uint8, ()),
    "page_offsets": (np.int64, ()),
    "strokes": (np.uint8, ()),
    "stroke_offsets": (np.int64, ()),
}
_PICTURES = (("thumbnails", "offsets"), ("pages", "page_offsets"), ("strokes", "stroke_offsets"))


@dataclass(frozen=True)
class Scan:
    """What was measured, in the order of the manifest's rows.

    Attributes:
        hashes: (N,) uint64, see `hashing`.
        signatures: (N, 64, 64) uint8, the strokes trimmed to the ink.
        thumbnails: all thumbnails' JPEG bytes one after the other, (B,) uint8.
        offsets: (N + 1,) int64, where each thumbnail begins.
        pages, page_offsets: the same for the pages of photographs as a model sees them, at most 256 px.
        strokes, stroke_offsets: and for their strokes, signatures of (192, 192), gray.
    """

    measurements: tuple[Measurement, ...]
    hashes: Hashes
    signatures: NDArray[np.uint8]
    thumbnails: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    pages: NDArray[np.uint8]
    page_offsets: NDArray[np.int64]
    strokes: NDArray[np.uint8]
    stroke_offsets: NDArray[np.int64]

    def thumbnail_bytes(self, row: int) -> bytes:
        """One image as JPEG, at most 128 px, of a photograph 256; empty where the image is unreadable."""
        return self.thumbnails[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def page_bytes(self, row: int) -> bytes:
        """The page of a photograph as a model sees it, as JPEG, at most 256 px; empty for any other image."""
        return self.pages[self.page_offsets[row] : self.page_offsets[row + 1]].tobytes()

    def fine_strokes(self, row: int) -> NDArray[np.uint8]:
        """The strokes of a photograph, (192, 192) uint8."""
        encoded = self.strokes[self.stroke_offsets[row] : self.stroke_offsets[row + 1]]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)

    def thumbnail(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail of one image, (h, w, 3) uint8 RGB; a gray square where the image is unreadable."""
        encoded = self.thumbnail_bytes(row)
        if not encoded:
            return np.full((48, 48, 3), 230, dtype=np.uint8)
        decoded = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def scan_images(manifest: Manifest, mapper: Mapper | None = None, cache: Path | None = None) -> Scan:
    """Measure every image of the manifest, or read the measures back from the cache.

    An image that cannot be decoded gets a measurement with the reason; it never stops the scan. `mapper` says
    where the work is done (default: threads of this process, one a core) and changes no result. `cache` is
    used in the place of the folder that all runs share.

    Raises:
        DessinError: a file's bytes are no longer those of the manifest.
    """
    # What is unreadable here may be read once the extra is there.
    heic = any(Path(row.image_id).suffix.lower() in HEIC_SUFFIXES for row in manifest.rows)
    without = ["without HEIC"] if heic and not can_read_heic() else []
    key = digest_of([manifest.digest, _VERSION, PAGE_VERSION, *without])[:32]
    folder = (cache or cache_folder()) / "scans" / key
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
            scan = _gathered(list(track(results, len(manifest.rows), "Reading images")))
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
    thumbnails, offsets = _joined([m.thumbnail for m in measured])
    pages, page_offsets = _joined([m.page for m in measured])
    strokes, stroke_offsets = _joined([m.strokes for m in measured])
    return Scan(
        measurements=tuple(m.measurement for m in measured),
        hashes=perceptual_hashes(signatures),
        signatures=signatures,
        thumbnails=thumbnails,
        offsets=offsets,
        pages=pages,
        page_offsets=page_offsets,
        strokes=strokes,
        stroke_offsets=stroke_offsets,
    )


def _joined(pictures: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All bytes one after the other, (B,) uint8, and where each picture begins, (N + 1,) int64."""
    offsets = np.cumsum([0, *map(len, pictures)], dtype=np.int64)
    return np.frombuffer(b"".join(pictures), dtype=np.uint8), offsets


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
    if {len(measurements), len(scan.hashes), len(scan.signatures)} != {count}:
        return None
    whole = all(_is_whole(arrays[data], arrays[offsets], count) for data, offsets in _PICTURES)
    return scan if whole else None


def _is_whole(pictures: NDArray[np.generic], offsets: NDArray[np.generic], count: int) -> bool:
    places = offsets.tolist()
    return (
        len(places) == count + 1
        and places == sorted(places)
        and places[0] == 0
        and places[-1] == len(pictures)
    )
