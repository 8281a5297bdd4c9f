"""Forward passes of a frozen backbone over ranges of a pixel store, here or on another machine."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.images.shards import StoredPixels
from dessin.models.classifier import Classifier
from dessin.models.torchvision_ops import import_timm
from dessin.training.device import choose_device
from dessin.training.folding import folded
from dessin.training.views import VIEWS

# A worker that is sent a model unpacks it right after importing this module, and timm must be ready then.
import_timm()

Floats = NDArray[np.float32]
BATCH_SIZE = 32
_SAMPLE = 2


class FeatureStore(Protocol):
    """What extraction needs of a pixel store; `PixelStore` and `StoreOnDisk` are such."""

    @property
    def pixels(self) -> StoredPixels: ...

    @property
    def background(self) -> NDArray[np.uint8]: ...

    @property
    def digest(self) -> str: ...


class Extractor:
    """Features (n, D) of the rows from start to stop, in evaluation mode, in batches of `batch_size`.

    The model is made ready at the first call, in the process that works: `device` None is the best one there.
    Ranges that begin at whole batches give the same batches as one range over all rows.
    """

    def __init__(
        self,
        classifier: Classifier,
        store: FeatureStore,
        view: str,
        *,
        device: torch.device | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.classifier, self.store, self.view = classifier, store, view
        self.device, self.batch_size = device, batch_size
        self._ready: tuple[Classifier, torch.device] | None = None

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

    def _prepare(self) -> tuple[Classifier, torch.device]:
        device = self.device or torch.device(str(choose_device().value))
        self.classifier.to(device).eval()
        sample = torch.from_numpy(np.array(self.store.pixels[:_SAMPLE])).to(device)
        return folded(self.classifier, sample), device

    def _batch(self, model: Classifier, device: torch.device, rows: slice) -> Floats:
        # A copy: the store is a read-only map, and torch wants memory that it may write.
        pixels = torch.from_numpy(np.array(self.store.pixels[rows])).to(device, non_blocking=True)
        background = torch.from_numpy(np.array(self.store.background[rows])).to(device)
        with torch.inference_mode():
            features = model.features(VIEWS[self.view](pixels, background))
        return features.float().cpu().numpy()
