"""Carry out a mixing plan on a batch: pixels and targets, in one pass and without a loop over images."""

from __future__ import annotations

import torch
from torch import Tensor

from dessin.augmentation.mix_plan import MixPlan
from dessin.errors import DessinError


def mix(plan: MixPlan | None, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mix each image with the next one of the batch, and its target in the same shares.

    Args:
        plan: for N images, or None for no mixing. A batch of one image mixes with itself: unchanged.
        pixels: (N, channels, S, S) float.
        targets: (N, K) soft targets.

    Returns:
        Mixed pixels and targets, of the same shapes.

    Raises:
        DessinError: the batch is not of the plan's count and size.
    """
    if plan is None:
        return pixels, targets
    count, side = len(plan.shares), plan.size
    if pixels.ndim != 4 or (pixels.shape[0], *pixels.shape[2:]) != (count, side, side):
        raise DessinError(
            f"The batch has the shape {tuple(pixels.shape)}, and its mixing plan is for {count} images "
            f"of {side} x {side} pixels.",
            do="Plan and mix the same batch.",
        )
    device = pixels.device
    own = torch.from_numpy(plan.shares).to(device, non_blocking=True)[:, None]
    mixed = torch.lerp(targets.roll(-1, 0), targets, own.to(targets.dtype))
    return torch.lerp(pixels.roll(-1, 0), pixels, _weights(plan, device).to(pixels.dtype)), mixed


def _weights(plan: MixPlan, device: torch.device) -> Tensor:
    """The weight of an image's own pixels, (N, 1, S, S)."""
    left, top, right, bottom = torch.from_numpy(plan.boxes).to(device, non_blocking=True).T[:, :, None]
    place = torch.arange(plan.size, device=device)[None]
    inside = ((top <= place) & (place < bottom))[:, :, None] & ((left <= place) & (place < right))[:, None, :]
    weights = torch.from_numpy(plan.weights).to(device, non_blocking=True)
    return torch.where(inside, weights.new_zeros(()), weights[:, None, None])[:, None]
