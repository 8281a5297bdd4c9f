"""Histogram equalisation on whole batches: by channel, or contrast-limited in tiles. See `pixel_ops`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dessin.augment.photometric import luma

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
