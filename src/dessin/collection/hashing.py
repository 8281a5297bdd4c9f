"""A perceptual hash of a drawing under the eight symmetries of the square.

The hash holds the signs of the 8 × 8 lowest frequencies of the cosine transform (DCT-II) of the
drawing's signature (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010).
Bit 8u + v stands for u half-waves downwards and v half-waves across. A mirror image changes the signs of
the odd frequencies (XOR with a constant); a transposition swaps u and v (a bit permutation). So one
transform gives all eight hashes.
"""

from __future__ import annotations

from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Pixel = TypeVar("Pixel", bound=np.generic)
Symmetry = Literal["identity", "hflip", "vflip", "rot180", "transpose", "rot90", "rot270", "transverse"]
SYMMETRIES: tuple[Symmetry, ...] = get_args(Symmetry)
# Each symmetry is a transposition (or not), then flips. Rotations turn counterclockwise, as numpy.rot90.
TRANSPOSED = (False, False, False, False, True, True, True, True)
_FLIPPED_DOWN = (False, False, True, True, False, True, False, True)
_FLIPPED_ACROSS = (False, True, False, True, False, False, True, True)
INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)

_ODD_ACROSS = np.uint64(sum(1 << (8 * u + v) for u in range(8) for v in range(1, 8, 2)))
_ODD_DOWN = np.uint64(sum(1 << (8 * u + v) for u in range(1, 8, 2) for v in range(8)))


def folded(signatures: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Each signature laid over its mirror images: the sum's upper left quarter, (N, S / 2, S / 2).

    Its hash does not change with a flip. It serves drawings that are their own mirror image: their odd
    frequencies vanish, and the signs of these, half of a plain hash, are left to noise.
    """
    half = signatures.shape[-1] // 2
    wide = signatures.astype(np.uint16)
    upright = wide[:, :half] + wide[:, : half - 1 : -1]
    return np.asarray(upright[..., :half] + upright[..., : half - 1 : -1], dtype=np.uint16)


def perceptual_hashes(signatures: NDArray[np.integer]) -> Hashes:
    """Hashes (N,) uint64 of square signatures (N, S, S); the mean (bit 0) is left out."""
    side = signatures.shape[-1]
    angles = np.outer(np.arange(8), 2 * np.arange(side) + 1) * (np.pi / (2 * side))
    waves = np.cos(angles).astype(np.float32)
    hashes = np.empty(len(signatures), dtype=np.uint64)
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for start in range(0, len(signatures), 4096):
        block = signatures[start : start + 4096].astype(np.float32)
        spectrum = (waves @ block @ waves.T).reshape(len(block), 64)
        bits = spectrum > 0
        bits[:, 0] = False
        hashes[start : start + 4096] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return hashes


def transpose_hashes(hashes: Hashes) -> Hashes:
    """The hashes of the transposed drawings: an 8 × 8 bit transposition (Warren, "Hacker's Delight", 7-3)."""
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
        swap = (hashes ^ (hashes >> np.uint64(shift))) & np.uint64(mask)
        hashes = hashes ^ swap ^ (swap << np.uint64(shift))
    return hashes


def flip_mask(symmetry: int) -> np.uint64:
    """What the flips of a symmetry (by number) do to a hash, after any transposition: XOR with this."""
    mask = np.uint64(0)
    if _FLIPPED_DOWN[symmetry]:
        mask ^= _ODD_DOWN
    if _FLIPPED_ACROSS[symmetry]:
        mask ^= _ODD_ACROSS
    return mask


def transform_hashes(hashes: Hashes, symmetry: int) -> Hashes:
    """The hashes that the drawings would have after a symmetry (by number)."""
    return (transpose_hashes(hashes) if TRANSPOSED[symmetry] else hashes) ^ flip_mask(symmetry)


def transform_pixels(images: NDArray[Pixel], symmetry: int) -> NDArray[Pixel]:
    """Square images (..., S, S) after a symmetry (by number), as a view."""
    if TRANSPOSED[symmetry]:
        images = np.swapaxes(images, -1, -2)
    if _FLIPPED_DOWN[symmetry]:
        images = images[..., ::-1, :]
    return images[..., ::-1] if _FLIPPED_ACROSS[symmetry] else images
