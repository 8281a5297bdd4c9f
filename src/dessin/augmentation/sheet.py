"""Pixel functions (see `photometric`) of a sheet before a camera: its paper, its printed lines, its light."""

from __future__ import annotations

import torch
from torch import Tensor

from dessin.augmentation.photometric import luma
from dessin.augmentation.pixel_draws import smooth_field

_CLOUD_CELLS, _FIBRE_CELLS, _EDGE_CELLS = 4, 72, 4
_LEVELS = 255.0
_LINE_WIDTH = 0.09  # of the space between two lines


def paper(pixels: Tensor, background: Tensor, values: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Darker, tinted, rougher paper under the same ink; light on dark is treated as its negative.

    `values` (n, 4): how much of the light red, green and blue lose (a gray image takes the mean), 0..1; how
    much more or less of it where the paper has a cloud or a fibre, as a share.
    """
    side = pixels.shape[-1]
    lost = values[:, :3] if pixels.shape[1] == 3 else values[:, :3].mean(1, keepdim=True)
    clouds = smooth_field(seeds, _CLOUD_CELLS, side)
    texture = clouds.add_(smooth_field(seeds ^ 1, min(_FIBRE_CELLS, side), side), alpha=0.7)
    rough = texture.mul_(values[:, 3, None, None, None]).add_(1)
    kept = (1 - lost[:, :, None, None] * rough).clamp_(0, 1)
    return _printed_under(pixels, background, kept, (1 - lost).clamp(0, 1))


def ruling(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Ruled or squared lines, printed under the ink; light on dark is treated as its negative.

    `values` (n, 8): how much of the light a line takes from red, green and blue; the space between two lines
    as a share of the side; their angle in radians; where the first one is, along both axes, in spaces; and
    how much of the crossing lines is there, 0 (ruled) or 1 (squared).
    """
    side = pixels.shape[-1]
    taken = values[:, :3] if pixels.shape[1] == 3 else values[:, :3].mean(1, keepdim=True)
    space = values[:, 3, None, None] * side
    angle = values[:, 4, None, None]
    middles = torch.arange(side, dtype=torch.float32, device=pixels.device) + 0.5
    across, down = middles[None, None, :], middles[None, :, None]
    along_y = down * angle.cos() - across * angle.sin()
    along_x = across * angle.cos() + down * angle.sin()
    lines = _lines(along_y, space, values[:, 5, None, None])
    crossing = _lines(along_x, space, values[:, 6, None, None]).mul_(values[:, 7, None, None])
    drawn = torch.maximum(lines, crossing)[:, None]
    # Few pixels of a sheet are line, so its background stays.
    return _printed_under(pixels, background, 1 - taken[:, :, None, None] * drawn, torch.ones_like(taken))


def _lines(place: Tensor, space: Tensor, start: Tensor) -> Tensor:
    """How much of each pixel is line, 0..1: the distance to the next one, antialiased."""
    away = ((place / space + start) % 1.0 - 0.5).abs_().mul_(space)
    width = _LINE_WIDTH * space
    return torch.minimum((0.5 + 0.5 * width - away).clamp_(min=0), width.clamp(max=1))


def _printed_under(pixels: Tensor, background: Tensor, kept: Tensor, ground: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels times the share of light `kept`, or the same of their negative where the background is dark."""
    dark = luma(background) < _LEVELS / 2
    below = torch.where(dark, _LEVELS, 0.0)
    sign = torch.where(dark, -1.0, 1.0)
    changed = (below + sign * background) * ground
    place, turned = below[:, :, None, None], sign[:, :, None, None]
    return (place + turned * pixels).mul_(kept).mul_(turned).add_(place), below + sign * changed


def shadow(pixels: Tensor, background: Tensor, values: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """A soft shadow from one side, and light that falls off across the sheet.

    `values` (n, 6), with the middle of the image at 0 and its sides at ±1: the direction x, y that the shadow
    comes from; where its edge is along it; how wide the edge is; how much light the shadow takes, and how
    much is lost from the middle to the other side.
    """
    side = pixels.shape[-1]
    place = torch.linspace(-1, 1, side, device=pixels.device)
    x, y, edge, width, depth, slope = (column[:, None, None] for column in values.unbind(1))
    along = x * place[None, None, :] + y * place[None, :, None]
    bent = along + 0.2 * smooth_field(seeds, _EDGE_CELLS, side)[:, 0]
    inside = ((bent - edge) / width.clamp(min=1e-3) + 0.5).clamp_(0, 1)
    inside = inside.square() * (3 - 2 * inside)
    light = ((1 - depth * inside) * (1 - slope * (1 - along) / 2)).clamp_(0, 1)[:, None]
    return pixels * light, background * light.mean((2, 3))
