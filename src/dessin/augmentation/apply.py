"""Carry out an augmentation plan on a batch, wherever it is: one resampling, pixel functions, mixing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dessin.augmentation.geometry import spline_weights
from dessin.augmentation.mix_plan import MixPlan
from dessin.augmentation.ops import act_of
from dessin.augmentation.plan import AugmentPlan, PixelStep
from dessin.errors import DessinError


def resample(plan: AugmentPlan, pixels: Tensor, background: Tensor) -> Tensor:
    """Move the pixels of a batch; what comes in from outside an image is its background colour.

    `pixels` (N, channels, S, S) are uint8 or float32; `background` (N, channels) is float32, as the result.
    """
    # Zero is the background here, so that the zeros around the image need no mask.
    fill = background[:, :, None, None]
    grid = sampling_grid(plan, pixels.device)
    ink = pixels - fill
    moved = functional.grid_sample(ink, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
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


_CACHED_VALUES = 640_000  # float32 of a portion: with what an op makes of them, about a core's cache


def apply_plan(plan: AugmentPlan, pixels: Tensor, background: Tensor) -> Tensor:
    """Everything but mixing: one resampling, then the pixel steps; where there are chains, their blend.

    Args:
        plan: for N images.
        pixels: (N, channels, S, S) uint8 or float, 0..255; left as they are.
        background: (N, channels), 0..255.

    Returns:
        (N, channels, S, S) float32, 0..255, on the device of `pixels`.

    Raises:
        DessinError: the batch is not of the plan's count and size.
    """
    count = len(plan.matrices)
    _check_batch(pixels, count, plan.size, "augmentation")
    ground = background.to(pixels.device, torch.float32)
    portion = _portion(pixels)
    if portion >= count:
        return _blend(plan, pixels, ground)
    pictures = torch.empty(pixels.shape, dtype=torch.float32)
    for start in range(0, count, portion):
        stop = min(start + portion, count)
        pictures[start:stop] = _blend(plan.part(start, stop), pixels[start:stop], ground[start:stop])
    return pictures


def _check_batch(pixels: Tensor, count: int, side: int, planned: str) -> None:
    if pixels.ndim != 4 or (pixels.shape[0], *pixels.shape[2:]) != (count, side, side):
        raise DessinError(
            f"The batch has the shape {tuple(pixels.shape)}, and its {planned} plan is for {count} images "
            f"of {side} x {side} pixels.",
            do="Plan and carry out the same batch.",
        )


def _portion(pixels: Tensor) -> int:
    """How many images are worked on at once: all on an accelerator, what stays in the cache on a CPU."""
    if pixels.device.type != "cpu":
        return len(pixels)
    return max(1, _CACHED_VALUES // pixels[0].numel())


def _blend(plan: AugmentPlan, pixels: Tensor, background: Tensor) -> Tensor:
    """The plan's own picture, and those of its chains, by their weights."""
    picture = _render(plan, pixels, background)
    if plan.chain_weights is None:
        return picture
    weights = torch.from_numpy(plan.chain_weights).to(pixels.device, non_blocking=True)[..., None, None, None]
    picture.mul_(weights[:, 0])
    for number, chain in enumerate(plan.chains, start=1):
        picture.addcmul_(_render(chain, pixels, background), weights[:, number])
    return picture


def _render(plan: AugmentPlan, pixels: Tensor, background: Tensor) -> Tensor:
    """The picture of one plan without its chains, always a new tensor."""
    picture = resample(plan, pixels, background) if plan.moves else pixels.to(torch.float32, copy=True)
    for step in plan.steps:
        picture, background = _step(step, picture, background)
    return picture.clamp_(0.0, 255.0)


@cache
def pixel_function(name: str) -> Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The pixel function of an act, imported by the name that the act gives."""
    module, _, function = act_of(name).pixels.partition(":")
    found: Callable[..., tuple[Tensor, Tensor]] = getattr(import_module(module, __package__), function)
    return found


def _step(step: PixelStep, pixels: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    function = pixel_function(step.name)
    values = torch.from_numpy(step.values).to(pixels.device, non_blocking=True)
    seeds = torch.from_numpy(step.seeds).to(pixels.device, non_blocking=True)
    if step.rows is None:
        return function(pixels, background, values, seeds)
    rows = torch.from_numpy(step.rows).to(pixels.device, non_blocking=True)
    changed, ground = function(pixels[rows], background[rows], values, seeds)
    return pixels.index_copy_(0, rows, changed), background.index_copy(0, rows, ground)


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
    _check_batch(pixels, len(plan.shares), plan.size, "mixing")
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
