"""Networks for maps: untrained ones of every family, and tiny ones that learn a cue in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights
from dessin.trust.explain.maps import (
    Floats,
    enlarged,
    gradient_cells,
    occlusion_drops,
    scaled,
    split_forward,
)

SIZE = 128
CUE = 32


def untrained(
    backbone: str, size: int, *, channels: int = 3, head: str = "linear", features: str = "last"
) -> Classifier:
    """A classifier of three classes with random weights, in evaluation mode."""
    torch.set_num_threads(1)
    weights = Weights(backbone, "none", None, "", "none")
    return build_classifier(
        backbone,
        3,
        weights,
        image_size=size,
        channels=channels,
        head=head,  # type: ignore[arg-type]
        features=features,  # type: ignore[arg-type]
    ).eval()


def noise(size: int, *, count: int = 2, channels: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)


def cue_drawings(
    labels: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64], *, seed: int
) -> Tensor:
    """White squares (N, 3, 128, 128) with scattered dots; bars of 32 px at (row, column) tell the class.

    Class 0 has lying bars and class 1 standing ones; nothing else depends on the class.
    """
    random = np.random.default_rng(seed)
    pages = np.full((len(labels), SIZE, SIZE), 255, dtype=np.uint8)
    for page, label, row, column in zip(pages, labels, rows, columns, strict=True):
        for y, x in random.integers(0, SIZE - 3, (12, 2)):
            page[y : y + 3, x : x + 3] = 0
        patch = np.full((CUE, CUE), 255, dtype=np.uint8)
        for start in range(2, CUE, 8):
            patch[start : start + 4] = 0
        top, left = row * CUE, column * CUE
        page[top : top + CUE, left : left + CUE] = patch if label == 0 else patch.T
    return torch.from_numpy(pages)[:, None].expand(-1, 3, -1, -1).contiguous()


def places(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Labels, rows and columns of so many cues anywhere on the 4 x 4 places."""
    random = np.random.default_rng(seed)
    return tuple(random.integers(0, high, count) for high in (2, 4, 4))  # type: ignore[return-value]


def trained(backbone: str, *, steps: int, rate: float) -> Classifier:
    """A classifier that has learned which way the bars lie, wherever they are."""
    torch.set_num_threads(1)
    classifier = untrained(backbone, SIZE)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=rate)
    classifier.train()
    for step in range(steps):
        labels, rows, columns = places(32, step)
        logits = classifier(cue_drawings(labels, rows, columns, seed=step))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return classifier.eval()


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of N drawings: `cells` (N, h, w) as the model has them, and the logits (N, C)."""

    cells: Floats
    logits: Floats
    size: int

    @property
    def values(self) -> Floats:
        """The maps at the size of the pixels, (N, S, S)."""
        return enlarged(self.cells, self.size)


def class_maps(
    classifier: Classifier,
    pixels: Tensor,
    classes: Sequence[int] | NDArray[np.int64],
    *,
    method: str = "gradcam",
) -> Maps:
    """Where pixels (N, channels, S, S) uint8 speak for the class number of each, by one classifier alone."""
    chosen = torch.as_tensor(np.asarray(classes, dtype=np.int64))
    splits = split_forward(classifier, pixels)
    if method == "occlusion":
        cells = scaled(occlusion_drops(classifier, pixels, chosen))
    else:
        cells = gradient_cells(splits, chosen, method)
    logits = torch.stack([split.logits for split in splits]).sum(dim=0)
    return Maps(cells, logits.detach().float().numpy(), int(pixels.shape[-1]))
