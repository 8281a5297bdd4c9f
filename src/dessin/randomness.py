"""Randomness as a function: draws depend on (seed, stream, epoch, image) and on nothing else.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), written over
arrays so that a batch is drawn in one call. No call has a state, so order, workers and resumption
cannot change a draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Ten rounds of Philox4x32. `counter` (..., 4), each a 32-bit word in uint64; returns the same shape."""
    c0, c1, c2, c3 = (counter[..., i] for i in range(4))
    k0, k1 = key
    for _ in range(10):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            product1 & _MASK,
            (product0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            product0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def derive(*parts: int | str) -> int:
    """A 63-bit seed from any named parts; equal parts give equal seeds on every machine."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def image_keys(image_ids: Sequence[str]) -> Words:
    """A 64-bit key for each image id, (N,) uint64."""
    digests = (hashlib.blake2b(i.encode(), digest_size=8).digest() for i in image_ids)
    return np.array([int.from_bytes(d, "little") for d in digests], dtype=np.uint64)


def uniform(seed: int, stream: str, epoch: int, keys: Words, columns: int) -> NDArray[np.float64]:
    """Uniform draws in [0, 1), shape (N, columns), for N image keys.

    Column j of an image does not depend on how many columns are asked for.
    """
    mixed = derive(seed, stream)
    counter = np.empty((len(keys), columns, 4), dtype=np.uint64)
    counter[..., 0] = (keys & _MASK)[:, None]
    counter[..., 1] = (keys >> _SHIFT)[:, None]
    counter[..., 2] = np.uint64(epoch)
    counter[..., 3] = np.arange(columns, dtype=np.uint64)
    words = philox(counter, (mixed & 0xFFFFFFFF, mixed >> 32))
    bits = (words[..., 0] << np.uint64(21)) ^ (words[..., 1] >> np.uint64(11))
    return bits.astype(np.float64) * 2.0**-53


def permutation(seed: int, stream: str, epoch: int, keys: Words) -> NDArray[np.int64]:
    """An order of N images, (N,) int64, that depends on their keys and not on the order they come in."""
    return np.lexsort((keys, uniform(seed, stream, epoch, keys, 1)[:, 0])).astype(np.int64)
