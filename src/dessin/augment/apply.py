"""Carry out an augmentation plan on a batch of pixels, on whatever device the batch is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dessin.augment.plan import AugmentPlan
from dessin.errors import DessinError


def apply_plan(plan: AugmentPlan, pixels: Tensor, background: Tensor) -> Tensor:
    """Resample a batch once, bilinearly; what comes in from outside the image is its background colour.

    Args:
        plan: for N images.
        pixels: (N, channels, S, S) uint8 or float, 0..255.
        background: (N, channels), 0..255.

    Returns:
        (N, channels, S, S) float32, 0..255, on the device of `pixels`.

    Raises:
        DessinError: the batch is not of the plan's count and size.
    """
    count, side = len(plan.matrices), plan.size
    if pixels.ndim != 4 or (pixels.shape[0], *pixels.shape[2:]) != (count, side, side):
        raise DessinError(
            f"The batch has the shape {tuple(pixels.shape)}, and its augmentation plan is for {count} images "
            f"of {side} x {side} pixels.",
            do="Plan and apply the same batch.",
        )
    drawing = pixels.to(torch.float32)
    if not plan.changes:
        return drawing
    # Zero is the background here, so that the zeros around the image need no mask.
    fill = background.to(pixels.device, torch.float32)[:, :, None, None]
    drawing = drawing - fill if drawing is pixels else drawing.sub_(fill)
    # A new pixel asks where it comes from: the way back.
    inverse = np.linalg.inv(plan.matrices)[:, :2].astype(np.float32)
    theta = torch.from_numpy(inverse).to(pixels.device, non_blocking=True)
    grid = functional.affine_grid(theta, list(drawing.shape), align_corners=False)
    moved = functional.grid_sample(drawing, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved.add_(fill)
