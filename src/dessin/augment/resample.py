"""All geometry of a batch as one grid of places to read from, and one bilinear resampling."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dessin.augment.fields import spline_weights
from dessin.augment.plan import AugmentPlan


def resample(plan: AugmentPlan, pixels: Tensor, background: Tensor) -> Tensor:
    """Move the pixels of a batch; what comes in from outside an image is its background colour.

    `pixels` (N, channels, S, S) float32 are overwritten; `background` (N, channels) is float32, as they are.
    """
    # Zero is the background here, so that the zeros around the image need no mask.
    fill = background[:, :, None, None]
    pixels.sub_(fill)
    grid = sampling_grid(plan, pixels.device)
    moved = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved.add_(fill)


def sampling_grid(plan: AugmentPlan, device: torch.device) -> Tensor:
    """Where each new pixel comes from, (N, S, S, 2) float32 as x, y in -1..1: the way back of the matrices.

    The coordinates of a homography are sums of a part that only the column decides and one that only the row
    does, so the grid is two small tables added.
    """
    size = plan.size
    inverse = np.linalg.inv(plan.matrices).astype(np.float32)
    back = torch.from_numpy(inverse).to(device, non_blocking=True)
    middles = (torch.arange(size, device=device, dtype=torch.float32) * 2 + 1) / size - 1
    along_x = back[:, :, 0, None] * middles + back[:, :, 2, None]
    along_y = back[:, :, 1, None] * middles
    grid = torch.empty((len(back), size, size, 2), dtype=torch.float32, device=device)
    for axis in (0, 1):
        torch.add(along_x[:, axis, None, :], along_y[:, axis, :, None], out=grid[..., axis])
    if np.any(plan.matrices[:, 2, :2] != 0.0):
        depth = along_x[:, 2, None, :] + along_y[:, 2, :, None]
        # What lies behind the eye is not in the picture: far outside, so it becomes background.
        grid = torch.where(depth[..., None] > 1e-6, grid / depth[..., None], 4.0)
    for points in plan.fields:
        weights = torch.from_numpy(spline_weights(points.shape[-1], size)).to(device, non_blocking=True)
        shifts = weights @ torch.from_numpy(points).to(device, non_blocking=True) @ weights.T
        # The side is 2 long in these coordinates.
        grid.add_(shifts.permute(0, 2, 3, 1), alpha=2.0)
    return grid
