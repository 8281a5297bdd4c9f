"""Features of a frozen backbone, computed once, here or on other machines, and kept: a cached file for
each view of a whole store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.files import atomic_path, cache_folder, digest_of, locked
from dessin.images.store import PixelStore, StoreOnDisk
from dessin.models.classifier import Classifier
from dessin.models.layers import Encoder
from dessin.models.torchvision_ops import import_timm
from dessin.parallel.mapper import Mapper
from dessin.progress import track, warn
from dessin.reading_arrays import read_npy
from dessin.training.device import choose_device, choose_feature_precision, seconds_of
from dessin.training.folding import deviation, folded, in_bfloat16
from dessin.training.views import PLAIN, VIEWS, check_views

# A worker that is sent a model unpacks it right after importing this module, and timm must be ready then.
import_timm()

Floats = NDArray[np.float32]
BATCH_SIZE = 32
# Images on which the folding is checked, and those on which bfloat16 is held against float32.
_SAMPLE, _COMPARED = 2, 16
# How far it may be: on drawings it is 0.03 to 0.09 away, and what a probe then names is as often right.
_TOLERANCE = 0.15


class Extractor:
    """Features (n, D) of the rows from start to stop, in evaluation mode, in batches of `batch_size`.

    The model is made ready at the first call, in the process that works: `device` None is the best one there.
    In `bfloat16` it computes where that agrees with float32 on a few of the images, within 0.15 of how much
    features vary from image to image; else in float32, which is said. Another `view` can be set.
    Ranges that begin at whole batches give the same batches as one range over all rows.
    """

    def __init__(
        self,
        encoder: Encoder,
        store: PixelStore | StoreOnDisk,
        view: str,
        *,
        device: torch.device | None = None,
        batch_size: int = BATCH_SIZE,
        precision: str = "float32",
    ) -> None:
        self.encoder, self.store, self.view = encoder, store, view
        self.device, self.batch_size, self.precision = device, batch_size, precision
        self._ready: tuple[Encoder, torch.device] | None = None

    def __call__(self, rows: tuple[int, int]) -> Floats:
        if self._ready is None:
            self._ready = self._prepare()
        model, device = self._ready
        start, stop = rows
        parts = [
            self._batch(model, device, slice(first, min(first + self.batch_size, stop)))
            for first in range(start, stop, self.batch_size)
        ]
        return np.concatenate(parts)

    def _prepare(self) -> tuple[Encoder, torch.device]:
        device = self.device or torch.device(str(choose_device().value))
        self.encoder.to(device).eval()
        count = len(self.store.pixels)
        chosen = np.linspace(0, count - 1, min(_COMPARED, count)).astype(np.int64)
        sample = torch.from_numpy(np.array(self.store.pixels[chosen])).to(device)
        exact = folded(self.encoder, sample[:_SAMPLE])
        if self.precision == "float32":
            return exact, device
        fast = in_bfloat16(exact)
        with torch.inference_mode():
            error = deviation(fast.features(sample), exact.features(sample))
        # Not a number is too far, too.
        if error <= _TOLERANCE:
            return fast, device
        warn(
            f"Features of {self.encoder.backbone} in bfloat16 are {error:.2f} from those in float32, as a "
            f"share of how much they vary (at most {_TOLERANCE}), so they are computed in float32, slower."
        )
        return exact, device

    def _batch(self, model: Encoder, device: torch.device, rows: slice) -> Floats:
        # A copy: the store is a read-only map, and torch wants memory that it may write.
        pixels = torch.from_numpy(np.array(self.store.pixels[rows])).to(device, non_blocking=True)
        background = torch.from_numpy(np.array(self.store.background[rows])).to(device)
        with torch.inference_mode():
            features = model.features(VIEWS[self.view](pixels, background))
        return features.float().cpu().numpy()


# The best of a few timed passes of one resident batch, after one to warm up.
_TIMED_BATCH = 32
_TIMED_PASSES = 3


def seconds_an_image(classifier: Classifier, store: PixelStore | StoreOnDisk) -> tuple[float, ...]:
    """What an image costs each body of a classifier, where it is now; its head costs next to nothing."""
    device = classifier.mean.device
    pixels = torch.from_numpy(np.array(store.pixels[:_TIMED_BATCH])).to(device)

    def best(encoder: Encoder) -> float:
        encoder.eval()
        with torch.inference_mode():
            passes = [seconds_of(lambda: encoder.features(pixels), device) for _ in range(1 + _TIMED_PASSES)]
        return min(passes[1:]) / len(pixels)

    return tuple(map(best, classifier.encoders))


_VERSION = 2
# What a worker elsewhere gets at a time, a few megabytes of features.
_BATCHES_A_RANGE = 16


def extract_features(
    classifier: Classifier,
    digests: tuple[str, ...],
    store: PixelStore | StoreOnDisk,
    rows: NDArray[np.int64],
    views: Sequence[str] = ("identity",),
    *,
    device: str | torch.device = "cpu",
    batch_size: int = BATCH_SIZE,
    mapper: Mapper | None = None,
    precision: str | None = None,
) -> Floats:
    """Features of frozen bodies for some rows of a store, (V, N, D) float32, in the order of `rows`.

    The first call for a body and a view computes the whole store and keeps the result under the cache folder,
    keyed by the body's weights, its normalisation, what the head reads, the store, the precision and the
    view; later calls read it, whatever other bodies it is joined with.
    `digests` has for each body the sha256 of the weights that it has; where it is empty (random weights) the
    tensors are hashed.
    `precision` is float32 or bfloat16, by default what suits the device here.
    With a `mapper` its workers compute, each on the device that it has; the batches are the same ones.

    Raises:
        DessinError: an unknown view, or a worker that does not see the store's folder.
    """
    check_views(views)
    where = torch.device(device)
    precision = precision or choose_feature_precision(where.type).value
    if mapper is None:
        classifier.to(where)
    result = np.empty((len(views), len(rows), classifier.width), dtype=np.float32)
    begin = 0
    for encoder, weights in zip(classifier.encoders, digests, strict=True):
        columns = slice(begin, begin + encoder.width)
        begin = columns.stop
        folder = cache_folder() / "features" / _key(encoder, weights, store, precision)
        shape = (len(store.pixels), columns.stop - columns.start)
        # One for all views, for it is made ready once.
        extractor = Extractor(
            encoder, store, views[0], device=where, batch_size=batch_size, precision=precision
        )
        for number, view in enumerate(views):
            path = folder / f"{view}.npy"
            with locked(folder / f"{view}.lock"):
                cached = _open_cached(path, shape)
                if cached is None:
                    extractor.view = view
                    _compute(path, shape, extractor, mapper)
                    cached = _open_cached(path, shape)
            assert cached is not None, f"{path} was just written whole"
            result[number, :, columns] = cached[rows]
    return result


def _key(encoder: Encoder, weights: str, store: PixelStore | StoreOnDisk, precision: str) -> str:
    """What the features of a body depend on."""
    if not weights:
        hashed = hashlib.sha256()
        for name, tensor in encoder.body.state_dict().items():
            hashed.update(name.encode())
            hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        weights = hashed.hexdigest()
    normalisation = [encoder.mean.flatten().tolist(), encoder.std.flatten().tolist()]
    # What the head usually reads and full precision need no word, so that files of before stay valid.
    words = [word for word in (encoder.reads, precision) if word not in ("last", "float32")]
    return digest_of([_VERSION, weights, encoder.backbone, normalisation, store.digest, *words])


def _compute(path: Path, shape: tuple[int, int], extractor: Extractor, mapper: Mapper | None) -> None:
    """Write the features of all rows, computed here or by the mapper's workers, as one array."""
    label = f"Features of {extractor.encoder.backbone}"
    if extractor.view not in PLAIN:
        label += f", {extractor.view}"
    length = extractor.batch_size * (1 if mapper is None else _BATCHES_A_RANGE)
    ranges = [(start, min(start + length, shape[0])) for start in range(0, shape[0], length)]
    blocks: Iterable[Floats] = map(extractor, ranges)
    if mapper is not None:
        blocks = mapper.map(_to_be_sent(extractor), ranges, together=1)
    was_training = extractor.encoder.training
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in track(blocks, shape[0], label, size=len):
                file.write(block.tobytes())
    finally:
        extractor.encoder.train(was_training)


def _to_be_sent(extractor: Extractor) -> Extractor:
    """The same for another process, which maps the store's files itself and has a device of its own."""
    store = extractor.store
    if not isinstance(store, PixelStore) or store.folder is None:
        raise DessinError("Only the features of a pixel store on a disk can be computed elsewhere.")
    on_disk = StoreOnDisk(store.folder.absolute(), store.pixels.shape, store.digest)
    return Extractor(
        extractor.encoder,
        on_disk,
        extractor.view,
        batch_size=extractor.batch_size,
        precision=extractor.precision,
    )


def _open_cached(path: Path, shape: tuple[int, int]) -> Floats | None:
    """The cached features as a memory map; None if there are none, or not of this shape (a damaged file)."""
    try:
        features = read_npy(path, mapped=True)
    except DessinError:
        return None
    return features if features.shape == shape and features.dtype == np.float32 else None
