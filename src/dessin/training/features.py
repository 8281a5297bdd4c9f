"""Features of a frozen backbone, computed once and kept: one cached file for each view of a whole store.

A view is a fixed way of looking at every image (as it is, mirrored, slightly turned, ...). Views are extra
training samples for a probe: what augmentation is to fine-tuning, at the price of one forward pass each.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dessin.errors import unknown
from dessin.files import atomic_path, cache_folder, digest_of, locked
from dessin.images.shards import StoredPixels
from dessin.models.classifier import Classifier
from dessin.progress import track
from dessin.training.folding import folded

Floats = NDArray[np.float32]
View = Callable[[Tensor, Tensor], Tensor]

_VERSION = 2
BATCH_SIZE = 32
_SAMPLE = 2


class FeatureStore(Protocol):
    """What extraction needs of a pixel store; `dessin.images.store.PixelStore` is one."""

    @property
    def pixels(self) -> StoredPixels: ...

    @property
    def background(self) -> NDArray[np.uint8]: ...

    @property
    def digest(self) -> str: ...


def extract_features(
    classifier: Classifier,
    weights_digest: str,
    store: FeatureStore,
    rows: NDArray[np.int64],
    views: Sequence[str] = ("identity",),
    *,
    device: str | torch.device = "cpu",
    batch_size: int = BATCH_SIZE,
) -> Floats:
    """Features of a frozen body for some rows of a store, (V, N, D) float32, in the order of `rows`.

    The first call for a view computes the whole store and keeps the result under the cache folder, keyed by
    the body's weights, its normalisation, the store and the view; later calls read it. `weights_digest` is
    the sha256 of the weights that the body has; where it is empty (random weights) the tensors are hashed.

    Raises:
        DessinError: an unknown view.
    """
    for view in views:
        if view not in VIEWS:
            raise unknown("view", view, VIEWS)
    weights = weights_digest or _body_digest(classifier)
    normalisation = [classifier.mean.flatten().tolist(), classifier.std.flatten().tolist()]
    key = digest_of([_VERSION, weights, classifier.backbone, normalisation, store.digest])
    folder = cache_folder() / "features" / key
    shape = (len(store.pixels), classifier.head.in_features)
    result = np.empty((len(views), len(rows), shape[1]), dtype=np.float32)
    for number, view in enumerate(views):
        path = folder / f"{view}.npy"
        with locked(folder / f"{view}.lock"):
            cached = _open_cached(path, shape)
            if cached is None:
                _compute(path, shape, classifier, store, view, torch.device(device), batch_size)
                cached = _open_cached(path, shape)
        assert cached is not None, f"{path} was just written whole"
        result[number] = cached[rows]
    return result


def forward_batches(
    classifier: Classifier,
    store: FeatureStore,
    view: str,
    device: torch.device,
    batch_size: int = BATCH_SIZE,
) -> Iterator[Tensor]:
    """Yield the features (n, D), on the device, of a whole store in order, in evaluation mode."""
    look = VIEWS[view]
    was_training = classifier.training
    classifier.to(device).eval()
    try:
        sample = torch.from_numpy(np.array(store.pixels[:_SAMPLE])).to(device)
        frozen = folded(classifier, sample)
        for start in range(0, len(store.pixels), batch_size):
            rows = slice(start, start + batch_size)
            # A copy: the store is a read-only map, and torch wants memory that it may write.
            pixels = torch.from_numpy(np.array(store.pixels[rows])).to(device, non_blocking=True)
            background = torch.from_numpy(np.array(store.background[rows])).to(device)
            with torch.inference_mode():
                features = frozen.features(look(pixels, background))
            yield features
    finally:
        classifier.train(was_training)


def _compute(
    path: Path,
    shape: tuple[int, int],
    classifier: Classifier,
    store: FeatureStore,
    view: str,
    device: torch.device,
    batch_size: int,
) -> None:
    batches = forward_batches(classifier, store, view, device, batch_size)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    total = math.ceil(shape[0] / batch_size)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for features in track(batches, total, f"Features ({view}), {shape[0]:,} images"):
            file.write(features.float().cpu().numpy().tobytes())


def _open_cached(path: Path, shape: tuple[int, int]) -> Floats | None:
    """The cached features as a memory map; None if there are none, or not of this shape (a damaged file)."""
    try:
        features: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return features if features.shape == shape and features.dtype == np.float32 else None


def _body_digest(classifier: Classifier) -> str:
    digest = hashlib.sha256()
    for name, tensor in classifier.body.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _moved(degrees: float = 0.0, scale: float = 1.0) -> View:
    """Turn and resize about the centre; what comes in from outside is the image's background."""
    turn = math.radians(degrees)
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale

    def look(pixels: Tensor, background: Tensor) -> Tensor:
        matrix = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]], device=pixels.device)
        fill = background.float()[:, :, None, None]
        grid = functional.affine_grid(
            matrix.expand(len(pixels), 2, 3), list(pixels.shape), align_corners=False
        )
        # Zero is the background here, so the zeros that come in from outside are background too.
        return functional.grid_sample(pixels.float() - fill, grid, align_corners=False) + fill

    return look


VIEWS: dict[str, View] = {
    "identity": lambda pixels, _: pixels,
    "hflip": lambda pixels, _: pixels.flip(3),
    "vflip": lambda pixels, _: pixels.flip(2),
    "rotate_left": _moved(degrees=10.0),
    "rotate_right": _moved(degrees=-10.0),
    "smaller": _moved(scale=0.85),
    "larger": _moved(scale=1.15),
}
