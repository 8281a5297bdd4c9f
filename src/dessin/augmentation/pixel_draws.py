"""Draws for every pixel of an image: a counter-based hash in int32, with the same bits on any device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_LOW_HALVES = 0x00FF00FF
_BYTES_SUM_MEAN = 4 * 127.5
_BYTES_SUM_DEVIATION = math.sqrt(4 * (256**2 - 1) / 12)


def hash32(words: Tensor) -> Tensor:
    """Mix int32 words so that each bit depends on all (Wellons' 15-12-15 hash, hash-prospector, 2018)."""
    mixed = (words >> 15).bitwise_and_(0x1FFFF).bitwise_xor_(words).mul_(0x2C1B3C6D)
    mixed = (mixed >> 12).bitwise_and_(0xFFFFF).bitwise_xor_(mixed).mul_(0x297A2D39)
    return (mixed >> 15).bitwise_and_(0x1FFFF).bitwise_xor_(mixed)


def normal_draws(seeds: Tensor, count: int) -> Tensor:
    """`count` draws of mean 0 and deviation 1 for each seed: (n,) int64 -> (n, count) float32.

    Each is the sum of a hash's four bytes, which is normal to the eye and ends at 3.5 deviations; integers
    throughout, so that no two devices round differently.
    """
    high, low = (seeds >> 32).to(torch.int32), seeds.to(torch.int32)
    keys = hash32(hash32(low) ^ high)
    counters = hash32(torch.arange(count, dtype=torch.int32, device=seeds.device))
    words = hash32(counters[None] ^ keys[:, None])
    pairs = (words >> 8).bitwise_and_(_LOW_HALVES).add_(words.bitwise_and_(_LOW_HALVES))
    sums = (pairs >> 16).add_(pairs.bitwise_and_(0xFFFF))
    return sums.to(torch.float32).sub_(_BYTES_SUM_MEAN).div_(_BYTES_SUM_DEVIATION)


def smooth_field(seeds: Tensor, cells: int, side: int) -> Tensor:
    """A smooth random surface for each seed, about -2..2: (n,) -> (n, 1, side, side).

    `cells` are the draws along a side; a hill or a valley is about `side / cells` pixels wide.
    """
    coarse = normal_draws(seeds, cells * cells).view(-1, 1, cells, cells)
    return functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)
