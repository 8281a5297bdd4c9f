"""Pixel functions: colour, tone, blur, noise and histogram equalisation on whole batches.

A pixel function, here, in `strokes` and in `sheet`, is
`f(pixels, background, values, seeds) -> (pixels, background)`:

- `pixels` (n, C, S, S) and `background` (n, C), float32, 0..255, C = 1 (gray) or 3; neither is changed in
  place. The background comes back as well, because an op that recolours the paper (jitter, invert, ...) also
  recolours what a later op must fill with.
- `values` (n, k) float32, whose columns are in each function's docstring.
- `seeds` (n,) int64, for the functions that draw per pixel; the others do not look at them.

Nothing is read back from the device, and an image's result depends on no other image. What comes in within
0..255 goes out within 0..255.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dessin.augmentation.pixel_draws import normal_draws

_LEVELS = 256
_TILES = 8


def equalize(pixels: Tensor, background: Tensor, _values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Spread each channel's levels evenly, by Pillow's rule (PIL.ImageOps.equalize)."""
    levels = _levels(pixels).flatten(2).flatten(0, 1)
    counts = _histograms(levels)
    below = counts.cumsum(1) - counts
    highest = ((counts > 0) * torch.arange(_LEVELS, device=pixels.device)).amax(1, keepdim=True)
    step = (levels.shape[1] - counts.gather(1, highest)) // (_LEVELS - 1)
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=_LEVELS - 1)
    # Nothing to spread in a channel of one or two levels of which one hardly occurs.
    table = torch.where(step > 0, table, torch.arange(_LEVELS, device=pixels.device)).to(torch.float32)
    paper = table.gather(1, _levels(background).flatten()[:, None])
    return table.gather(1, levels).view(pixels.shape), paper.view(background.shape)


def clahe(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Contrast-limited adaptive equalisation of the luma (Zuiderveld, Graphics Gems IV, 1994).

    8 x 8 tiles, bilinear between their tables, OpenCV's rule for clipping; colour stays. The background
    becomes what the tables make of it on average. `values` (n, 1): the clip limit.
    """
    count, _, side, _ = pixels.shape
    gray = luma(pixels)
    levels = _levels(gray)
    tables = _tile_tables(gray, values)
    tile = -(-side // _TILES)
    low, high, share = _neighbours(side, tile, pixels.device)
    equalised = torch.zeros_like(gray)
    for rows, row_share in ((low, 1 - share), (high, share)):
        for columns, column_share in ((low, 1 - share), (high, share)):
            # The table that each pixel asks, as one number, so that a single gather answers all.
            place = ((rows[:, None] * _TILES + columns[None]) * _LEVELS)[None] + levels[:, 0]
            found = tables.flatten(1).gather(1, place.flatten(1)).view(count, 1, side, side)
            equalised += found * (row_share[:, None] * column_share[None])
    paper = luma(background)
    mean_table = tables.mean(1)
    moved = mean_table.gather(1, _levels(paper)) - paper
    return (pixels + (equalised - gray)).clamp_(0, 255), (background + moved).clamp_(0, 255)


def _tile_tables(gray: Tensor, limits: Tensor) -> Tensor:
    """The table of each tile, (n, 1, S, S) -> (n, 64, 256) float32, levels 0..255."""
    count, _, side, _ = gray.shape
    tile = -(-side // _TILES)
    extra = tile * _TILES - side
    padded = functional.pad(gray, (0, extra, 0, extra), mode="reflect") if extra else gray
    blocks = _levels(padded).view(count, _TILES, tile, _TILES, tile).transpose(2, 3)
    counts = _histograms(blocks.reshape(count * _TILES**2, tile**2)).view(count, _TILES**2, _LEVELS)
    limit = (limits * tile**2 / _LEVELS).floor().clamp(min=1).to(counts.dtype)[:, :, None]
    clipped = torch.minimum(counts, limit)
    excess = (counts - clipped).sum(2, keepdim=True)
    clipped += excess // _LEVELS
    # What is left over goes to every step-th level, from the darkest on.
    left = excess % _LEVELS
    step = (_LEVELS // left.clamp(min=1)).clamp(min=1)
    order = torch.arange(_LEVELS, device=gray.device)
    clipped += ((order % step == 0) & (order // step < left)).to(counts.dtype)
    return (clipped.cumsum(2) * ((_LEVELS - 1) / tile**2)).round().clamp(max=_LEVELS - 1)


def _neighbours(side: int, tile: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each place along a side: the tile middles before and after it, and the share of the latter."""
    place = torch.arange(side, dtype=torch.float32, device=device) / tile - 0.5
    before = place.floor()
    low, high = before.long().clamp(min=0), (before.long() + 1).clamp(max=_TILES - 1)
    return low, high, place - before


def _levels(pixels: Tensor) -> Tensor:
    return pixels.round().clamp(0, _LEVELS - 1).long()


def _histograms(levels: Tensor) -> Tensor:
    """How often each level occurs in each row, (r, m) int64 -> (r, 256) int64; exact in any order."""
    counts = torch.zeros(len(levels), _LEVELS, dtype=torch.int64, device=levels.device)
    return counts.scatter_add_(1, levels, torch.ones_like(levels))


_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow
# NTSC: luma, and two axes of colour that are zero for gray. A turn in their plane changes the hue.
_YIQ = np.array([_LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])


def luma(pixels: Tensor) -> Tensor:
    """(n, C, ...) to its gray value, (n, 1, ...)."""
    if pixels.shape[1] == 1:
        return pixels
    red, green, blue = (pixels[:, c : c + 1] for c in range(3))
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def jitter(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Brightness, contrast about the mean gray, saturation, hue: one matrix an image, one pass over it.

    `values` (n, 4): three factors, and the hue's turn as a share of the circle. A gray image (C = 1) has
    neither saturation nor hue.
    """
    bright, contrasted, saturated, turns = values.unbind(1)
    gain = bright * contrasted
    means = luma(pixels.mean((2, 3)))
    offset = (bright * (1 - contrasted))[:, None] * means
    if pixels.shape[1] == 1:
        return _recoloured(pixels, background, gain[:, None, None], offset)
    matrix = gain[:, None, None] * _hue_and_saturation(saturated, turns)
    return _recoloured(pixels, background, matrix, offset.expand(-1, 3))


def _recoloured(pixels: Tensor, background: Tensor, matrix: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """`matrix` (n, C, C) times each pixel plus `offset` (n, C)."""
    changed = torch.baddbmm(offset[:, :, None], matrix, pixels.flatten(2)).view(pixels.shape)
    paper = torch.baddbmm(offset[:, :, None], matrix, background[:, :, None])[:, :, 0]
    return changed.clamp_(0, 255), paper.clamp_(0, 255)


def _hue_and_saturation(saturated: Tensor, turns: Tensor) -> Tensor:
    """(n,) and (n,) to (n, 3, 3); both leave gray and luma as they are."""
    gray, along, across = _colour_planes(saturated.device)
    angle = (2 * math.pi * turns)[:, None, None]
    strength = saturated[:, None, None]
    mixed: Tensor = gray + strength * (along * angle.cos() + across * angle.sin())
    return mixed


@cache
def _colour_planes(device: torch.device) -> Tensor:
    """(3, 3, 3): what a colour's luma, its colour, and its colour turned by a quarter contribute."""
    inverse = np.linalg.inv(_YIQ)
    middles = np.array([np.diag([1, 0, 0]), np.diag([0, 1, 1]), [[0, 0, 0], [0, 0, -1], [0, 1, 0]]])
    return torch.tensor(inverse @ middles @ _YIQ, dtype=torch.float32, device=device)


def brightness(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Times a factor. `values` (n, 1)."""
    bright = (pixels * values[:, :, None, None]).clamp_(0, 255)
    return bright, (background * values).clamp_(0, 255)


def contrast(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Away from the mean gray (factor above 1) or towards it. `values` (n, 1)."""
    mean = luma(pixels.mean((2, 3)))
    return _blended(mean[:, :, None, None], pixels, values), _blended(mean, background, values)


def color(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Saturation: away from the pixel's gray or towards it. `values` (n, 1); a gray image stays."""
    return _blended(luma(pixels), pixels, values), _blended(luma(background), background, values)


def sharpness(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Away from the smoothed image (factor above 1) or towards it; the outermost pixels stay."""
    columns = pixels[..., :-2] + pixels[..., 1:-1] + pixels[..., 2:]
    around = columns[..., :-2, :] + columns[..., 1:-1, :] + columns[..., 2:, :]
    inner = pixels[..., 1:-1, 1:-1]
    sharpened = pixels.clone()
    # Pillow's SMOOTH: the middle counts five, its eight neighbours one each.
    sharpened[..., 1:-1, 1:-1] = _blended(around.add_(inner, alpha=4).div_(13), inner, values)
    return sharpened, background


def _blended(degenerate: Tensor, pixels: Tensor, values: Tensor) -> Tensor:
    factor = values.view(-1, *[1] * (pixels.ndim - 1))
    return (pixels - degenerate).mul_(factor).add_(degenerate).clamp_(0, 255)


def blur(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Gaussian blur; at the border, the weights inside add up to one. `values` (n, 1): sigma in pixels."""
    side = pixels.shape[-1]
    places = torch.arange(side, dtype=torch.float32, device=pixels.device)
    distance = (places[:, None] - places).square()
    # Two products with a band of weights: any sigma costs the same, and each image has its own.
    weights = torch.exp(distance / (-2 * values.clamp(min=1e-3).square()[:, :, None]))
    weights = (weights / weights.sum(2, keepdim=True))[:, None]
    return weights @ pixels @ weights.mT, background


def noise(pixels: Tensor, background: Tensor, values: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Add an independent normal draw to every value of every pixel. `values` (n, 1): deviation in levels."""
    draws = normal_draws(seeds, pixels[0].numel()).view(pixels.shape)
    return draws.mul_(values[:, :, None, None]).add_(pixels).clamp_(0, 255), background


def erase(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Paint a box in the background colour (cutout). `values` (n, 4): centre x, y, width, height; shares."""
    side = pixels.shape[-1]
    middles = (torch.arange(side, dtype=torch.float32, device=pixels.device) + 0.5) / side
    x, y, width, height = values[:, :, None].unbind(1)
    columns, rows = (middles - x).abs() < width / 2, (middles - y).abs() < height / 2
    box = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(box, background[:, :, None, None], pixels), background


def invert(pixels: Tensor, background: Tensor, _values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Light becomes dark and dark light."""
    return 255 - pixels, 255 - background


def posterize(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the highest bits of every level. `values` (n, 1): how many, 1..8."""
    step = torch.exp2(8 - values)

    def kept(levels: Tensor, step: Tensor) -> Tensor:
        return (levels.round() / step).floor() * step

    return kept(pixels, step[:, :, None, None]), kept(background, step)


def solarize(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Invert the levels from a threshold on. `values` (n, 1): the threshold."""

    def turned(levels: Tensor, threshold: Tensor) -> Tensor:
        return torch.where(levels.round() < threshold, levels, 255 - levels)

    return turned(pixels, values[:, :, None, None]), turned(background, values)


def autocontrast(
    pixels: Tensor, background: Tensor, _values: Tensor, _seeds: Tensor
) -> tuple[Tensor, Tensor]:
    """Stretch each channel from its darkest and lightest level to 0..255; an even channel stays."""
    low, high = pixels.amin((2, 3)), pixels.amax((2, 3))
    even = high - low < 1
    gain = torch.where(even, 1.0, 255 / (high - low).clamp(min=1))
    offset = torch.where(even, 0.0, -low * gain)
    stretched = torch.addcmul(offset[:, :, None, None], pixels, gain[:, :, None, None])
    return stretched, background * gain + offset
