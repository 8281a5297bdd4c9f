"""What one training works with: its images and labels, and how a batch of pixels comes out of the store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.errors import DessinError
from dessin.files import digest_of, sha256_bytes
from dessin.images.shards import without_map
from dessin.images.store import PixelStore
from dessin.page.numbers import counted
from dessin.randomness import Words, image_keys

if TYPE_CHECKING:
    from dessin.models.classifier import Classifier
    from dessin.models.freezing import Freezing
    from dessin.recipe import Recipe
    from dessin.training.device import Computing

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Rows of a pixel store with their labels (class indices), all (n,) int64; validation may be empty.

    `train_targets` (n, C) float32, where there are any, are trained on in place of the labels.
    """

    store: PixelStore
    train_rows: Rows
    train_labels: Rows
    validation_rows: Rows
    validation_labels: Rows
    train_targets: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for part, (rows, labels) in zip(("training", "validation"), self._sides, strict=True):
            if len(rows) != len(labels):
                raise DessinError(f"There are {len(rows)} {part} images and {len(labels)} labels for them.")
        if self.train_targets is not None and len(self.train_targets) != len(self.train_rows):
            raise DessinError(
                f"There are {len(self.train_rows)} training images, and soft targets for "
                f"{len(self.train_targets)} of them."
            )
        if len(self.train_rows) < 2:
            raise DessinError(
                f"The training part has {counted(len(self.train_rows), 'image')}.",
                allowed="Training needs at least 2.",
                do="Check the split, its fold and the curation.",
            )

    @cached_property
    def keys(self) -> Words:
        """The image keys of the training rows, (n,) uint64."""
        return image_keys([self.store.image_ids[row] for row in self.train_rows])

    @cached_property
    def digest(self) -> str:
        """The sha256 of the pixels' digest and of all (image id, label, soft target), in no order."""
        ids = self.store.image_ids
        parts: list[object] = [self.store.digest]
        for rows, labels in self._sides:
            parts.append(sorted((ids[row], int(label)) for row, label in zip(rows, labels, strict=True)))
        if self.train_targets is not None:
            order = sorted(range(len(self.train_rows)), key=lambda i: ids[self.train_rows[i]])
            ordered = np.ascontiguousarray(self.train_targets[order], dtype="<f4")
            parts.append(sha256_bytes(ordered.tobytes()))
        return digest_of(parts)

    @property
    def _sides(self) -> tuple[tuple[Rows, Rows], ...]:
        return (self.train_rows, self.train_labels), (self.validation_rows, self.validation_labels)


@dataclass(frozen=True)
class Training:
    """One training, whole: a classifier as it is to start, its images, the recipe, and how it is computed.

    All of the recipe acts but `data`, `image`, `model` and where the head starts. `freezing` is what
    `apply_finetune` said about the classifier; None where all of it is trained.
    """

    classifier: Classifier
    recipe: Recipe
    data: TrainingData
    computing: Computing
    freezing: Freezing | None = None


class PixelSource:
    """Batches from a pixel store: copied from the memory map, or kept on the GPU whole where they fit."""

    # The model, its gradients and activations need the rest.
    _SHARE_OF_FREE_MEMORY = 0.25

    def __init__(self, store: PixelStore, device: torch.device) -> None:
        self._pixels = without_map(store.pixels)
        self._background = np.asarray(store.background)
        self.size = int(self._pixels.shape[-1])
        self.device = device
        self._resident: tuple[Tensor, Tensor] | None = None
        if device.type == "cuda":
            free, _total = torch.cuda.mem_get_info(device)
            if self._pixels.nbytes < self._SHARE_OF_FREE_MEMORY * free:
                # The copies make the arrays writable, which torch asks for.
                pixels, background = (torch.from_numpy(np.array(a)) for a in (self._pixels, self._background))
                self._resident = pixels.to(device), background.to(device)

    def gather(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Pixels (n, channels, S, S) uint8 and background (n, channels) uint8 of `rows`, on the device."""
        if self._resident is not None:
            index = torch.from_numpy(rows).to(self.device, non_blocking=True)
            pixels, background = self._resident
            return pixels[index], background[index]
        pixels, background = torch.from_numpy(self._pixels[rows]), torch.from_numpy(self._background[rows])
        on_gpu = self.device.type == "cuda"
        pixels = (pixels.pin_memory() if on_gpu else pixels).to(self.device, non_blocking=on_gpu)
        return pixels, background.to(self.device)
