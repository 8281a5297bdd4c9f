"""Class maps: for each drawing, how much each place of it speaks for a class; by gradients, or by covering
each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.errors import unknown
from dessin.images.ink import border_median
from dessin.models.classifier import Classifier
from dessin.models.network import Network
from dessin.trust.explain.layers import Split, split_forward

GRID = 7


def occlusion_drops(
    classifier: Network, pixels: Tensor, classes: Tensor, *, grid: int = GRID
) -> tuple[NDArray[np.float32], Tensor]:
    """How far covering each cell lowers the log-probability of `classes` (N,): (N, grid, grid) float32.

    Also the logits (N, C) of the whole drawings. `pixels` (N, channels, S, S) uint8. The classifier is left
    as it was found; one forward pass a cell.
    """
    training = [module for module in classifier.modules() if module.training]
    classifier.eval()
    try:
        with torch.inference_mode():
            logits = classifier(pixels).float()
            whole = _log_probability(logits, classes)
            paper = papers(pixels)[:, :, None, None]
            drops = np.empty((len(pixels), grid, grid), dtype=np.float32)
            for row, column, top, left, bottom, right in _cells(int(pixels.shape[-1]), grid):
                covered = pixels.clone()
                covered[:, :, top:bottom, left:right] = paper
                drop = whole - _log_probability(classifier(covered).float(), classes)
                drops[:, row, column] = drop.cpu().numpy()
    finally:
        for module in training:
            module.training = True
    return drops, logits


def papers(pixels: Tensor) -> Tensor:
    """The background colour of each drawing, (N, channels) uint8; pixels (N, channels, S, S) uint8."""
    colours = [border_median(one.transpose(1, 2, 0)) for one in pixels.cpu().numpy()]
    return torch.from_numpy(np.stack(colours)).to(pixels.device)


def _cells(size: int, grid: int) -> list[tuple[int, int, int, int, int, int]]:
    """(row, column, top, left, bottom, right) of cells that tile the square."""
    edges = [round(size * number / grid) for number in range(grid + 1)]
    return [
        (row, column, edges[row], edges[column], edges[row + 1], edges[column + 1])
        for row in range(grid)
        for column in range(grid)
    ]


def _log_probability(logits: Tensor, classes: Tensor) -> Tensor:
    return torch.log_softmax(logits, dim=1).gather(1, classes[:, None])[:, 0]


Method = Literal["gradcam", "hirescam", "occlusion"]
METHODS: tuple[Method, ...] = ("gradcam", "hirescam", "occlusion")
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of N drawings: `cells` (N, h, w) float32 as the model has them, `logits` (N, C) float32.

    A map's largest value is 1; it is 0 everywhere where nothing speaks for the class.
    """

    cells: Floats
    logits: Floats
    size: int

    @property
    def values(self) -> Floats:
        """The maps at the size of the pixels, (N, S, S) float32 in 0..1."""
        return enlarged(self.cells, self.size)


def class_maps(
    classifier: Classifier,
    pixels: Tensor,
    classes: Sequence[int] | NDArray[np.int64],
    *,
    method: str = "gradcam",
) -> Maps:
    """Where pixels (N, channels, S, S) uint8 speak for the class number of each, (N,).

    One forward pass and a gradient of the head; `occlusion` takes 50 forward passes. Nothing is left behind
    in the classifier. Give it small batches: memory goes with N.

    Raises:
        DessinError: an unknown method, or a network whose last features do not lie on a grid.
    """
    chosen = torch.as_tensor(np.asarray(classes, dtype=np.int64), device=pixels.device)
    if check_method(method) == "occlusion":
        drops, logits = occlusion_drops(classifier, pixels, chosen)
        cells = scaled(drops)
    else:
        split = split_forward(classifier, pixels)
        cells, logits = gradient_cells(split, chosen, method), split.logits.detach()
    return Maps(cells, logits.float().cpu().numpy(), int(pixels.shape[-1]))


def check_method(method: str) -> Method:
    """The method as it is.

    Raises:
        DessinError: an unknown one.
    """
    for known in METHODS:
        if method == known:
            return known
    raise unknown("method", method, METHODS)


def gradient_cells(split: Split, classes: Tensor, method: str) -> Floats:
    """Maps (N, h, w) float32 in 0..1 of `classes` (N,) int64, by `gradcam` or `hirescam`."""
    logits = split.logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(logits, split.activations, retain_graph=True)
    activations, gradient = split.as_map(split.activations.detach()), split.as_map(gradient)
    if method == "gradcam":
        gradient = gradient.mean(dim=(2, 3), keepdim=True)
    return scaled((gradient * activations).sum(dim=1).float().cpu().numpy())


def scaled(cells: Floats) -> Floats:
    """Maps (N, h, w) without what speaks against the class, each divided by its largest value."""
    positive = np.maximum(cells, 0.0)
    largest = positive.max(axis=(1, 2), keepdims=True)
    shares: Floats = np.divide(positive, largest, out=np.zeros_like(positive), where=largest > 0)
    return shares


def enlarged(cells: Floats, size: int) -> Floats:
    """Maps (N, h, w) in 0..1 as (N, size, size), bicubic: few cells would have creases otherwise."""
    full: Floats = np.zeros((len(cells), size, size), dtype=np.float32)
    for number, one in enumerate(cells):
        full[number] = np.clip(cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    return full
