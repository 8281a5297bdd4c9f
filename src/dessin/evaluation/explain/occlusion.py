"""The check without gradients: cover a part of the drawing with its paper, and see what the class loses.

Zeiler and Fergus, "Visualizing and understanding convolutional networks" (ECCV 2014), with the drawing's own
background where they use gray: a gray square on paper would itself be a thing drawn.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.images.ink import border_median
from dessin.models.network import Network

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
