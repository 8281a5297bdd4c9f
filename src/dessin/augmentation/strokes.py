"""Pixel functions (see `photometric`) of pen and paper: line width, lost strokes, fading ink, toned paper."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from dessin.augmentation.photometric import luma
from dessin.augmentation.pixel_draws import smooth_field

_MOST_PASSES = 3  # of one pixel on either side of a line
_NOISE = 16  # levels; the grain of paper and JPEG noise below are no ink
_DONE = 1.0  # levels of ink in the whole image
_DROPOUT_CELLS, _FADE_CELLS = 12, 4
_DROPOUT_EDGE = 0.15
_SAMPLED = 4


def thickness(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Draw as with a thicker or thinner pen: the ink (area times contrast) changes by the factor.

    Lines grow or shrink by 3 x 3 neighbourhoods, the last time by the share that hits the factor: growth per
    pass is the boundary's length, so the share follows from the pen's width without knowing it. At most three
    passes, so wide areas move by no more than 3 px. A line that would vanish, or a gap that would close,
    keeps half of its contrast. Dark ink on light paper or the reverse, as the background has it.
    `values` (n, 1): the factor, 0.5..2.
    """
    paper = background[:, :, None, None]
    on_light = (luma(background) >= 127.5)[:, :, None, None]
    thicker = values[:, :, None, None] > 1
    polarity = torch.where(on_light, -1.0, 1.0)
    contrast = functional.threshold((pixels - paper).mul_(polarity), _NOISE, 0, inplace=True)
    wanted = contrast.sum((1, 2, 3), keepdim=True) * (values[:, :, None, None] - 1).abs()
    # Whatever is to grow, ink or paper, is made the lighter one; bytes, for they pass four times as fast.
    darker = on_light == thicker
    levels = pixels.to(torch.uint8)
    levels ^= torch.where(darker, 255, 0).to(torch.uint8)
    direction = torch.where(darker, -1.0, 1.0)
    drawn = pixels
    for number in range(_MOST_PASSES):
        grown = _grown(levels, halved=number == 0)
        growth = functional.threshold(grown - levels, _NOISE, 0, inplace=True).to(torch.float32)
        change = growth.sum((1, 2, 3), keepdim=True)
        share = (wanted / change.clamp(min=_DONE)).clamp(max=1)
        drawn = torch.addcmul(drawn, growth, share * direction)
        wanted = wanted - share * change
        # Reading a value makes a GPU wait, but for less time than a pass that would change nothing: with all
        # three, a step of resnet50 was measured 2 ms (6%) longer on an H100.
        if not (wanted > _DONE).any():
            break
        levels = grown
    return drawn.clamp_(0, 255), background


def _grown(levels: Tensor, *, halved: bool) -> Tensor:
    """The largest of each 3 x 3 neighbourhood, uint8; a gap that would close is filled by half, or not."""
    grown = _pooled(levels, torch.maximum)
    gap = _pooled(grown, torch.minimum).sub_(levels)
    return grown.sub_(gap >> 1 if halved else gap)


def _pooled(levels: Tensor, extreme: Callable[..., Tensor]) -> Tensor:
    """The extreme of each 3 x 3 neighbourhood, one direction after the other; outside the page is nothing."""
    across, pooled = torch.empty_like(levels), torch.empty_like(levels)
    across[..., 0] = levels[..., 0]
    extreme(levels[..., 1:], levels[..., :-1], out=across[..., 1:])
    extreme(across[..., :-1], levels[..., 1:], out=across[..., :-1])
    pooled[..., 0, :] = across[..., 0, :]
    extreme(across[..., 1:, :], across[..., :-1, :], out=pooled[..., 1:, :])
    extreme(pooled[..., :-1, :], across[..., 1:, :], out=pooled[..., :-1, :])
    return pooled


def stroke_dropout(
    pixels: Tensor, background: Tensor, values: Tensor, seeds: Tensor
) -> tuple[Tensor, Tensor]:
    """Lose what was drawn inside smooth random blobs. `values` (n, 1): their share of the page."""
    field = smooth_field(seeds, _DROPOUT_CELLS, pixels.shape[-1])
    heights = field[..., ::_SAMPLED, ::_SAMPLED].flatten(1).sort(1).values
    rank = (values * (heights.shape[1] - 1)).round().long()
    waterline = torch.where(values > 0, heights.gather(1, rank), -torch.inf)[:, :, None, None]
    erased = ((waterline - field) / _DROPOUT_EDGE).clamp(0, 1)
    return torch.lerp(pixels, background[:, :, None, None], erased), background


def ink_fade(pixels: Tensor, background: Tensor, values: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Ink fades into the paper, unevenly. `values` (n, 2): factor of its contrast, unevenness 0..1."""
    factor, unevenness = (column[:, None, None, None] for column in values.unbind(1))
    field = smooth_field(seeds, _FADE_CELLS, pixels.shape[-1]).clamp(-1, 1)
    kept = (factor * (1 + unevenness * field)).clamp(0, 1)
    return torch.lerp(background[:, :, None, None], pixels, kept), background


def paper_tone(pixels: Tensor, background: Tensor, values: Tensor, _seeds: Tensor) -> tuple[Tensor, Tensor]:
    """The paper takes on a tint and a slope of light; the ink keeps its colour.

    `values` (n, 5), in levels: shift of red, green and blue in the middle (a gray image takes the mean), and
    how much lighter the right and the lower edge are. A shift beyond 0..255 goes the other way: white paper
    only darkens.
    """
    side = pixels.shape[-1]
    shift = values[:, :3] if pixels.shape[1] == 3 else values[:, :3].mean(1, keepdim=True)
    toned = background + shift
    toned = torch.where(toned > 255, 510 - toned, toned).abs()
    place = torch.linspace(-1, 1, side, device=pixels.device)
    light = values[:, 3, None, None] * place + values[:, 4, None, None] * place[:, None]
    # How much of a pixel is paper: none where the contrast is the strongest there can be.
    paper = luma(background)[:, :, None, None]
    inked = (luma(pixels) - paper).abs() / torch.maximum(paper, 255 - paper)
    change = (toned - background)[:, :, None, None] + light[:, None]
    return (pixels + change * (1 - inked.clamp(max=1))).clamp_(0, 255), toned
