"""Pairs of close hashes among many, in far less than quadratic time; and the nearest of a few, one by one.

Multi-index hashing (Norouzi, Punjani, Fleet, "Fast search in Hamming space with multi-index hashing",
CVPR 2012): hashes that are close agree, up to one bit, on some band of bits. Each band is a table addressed
by its bits; its width grows with the logarithm of the number of hashes, so that a bucket holds about one
hash whatever the number. Several shuffled partitions into bands raise the recall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.collection.hashing import (
    INVERSE,
    SYMMETRIES,
    TRANSPOSED,
    Hashes,
    flip_mask,
    transform_pixels,
    transpose_hashes,
)
from dessin.progress import track
from dessin.randomness import permutation

RADIUS = 12
_TABLES = 12
_BUCKET_LIMIT = 48
_CHUNK = 1 << 17
_PARTNERS = 8
_ROWS = 64


@dataclass(frozen=True)
class Neighbours:
    """Candidate pairs: `first` < `second` (n,) int64, and the symmetry (by number) from first to second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    symmetry: NDArray[np.int64]


def near_hashes(
    hashes: Hashes, *, radius: int = RADIUS, symmetries: Sequence[int] = range(8), tables: int = _TABLES
) -> Neighbours:
    """Pairs within `radius` bits (of 63) under a symmetry; found with high probability, never wrongly.

    In an overfull bucket (a thousand copies of one drawing) each hash is compared with the bucket's first
    48 only, so that such a cluster costs linear time and still hangs together.

    Returns:
        Neighbours in ascending order of (first, second, symmetry), without repetition.
    """
    count = len(hashes)
    width = int(np.clip(np.ceil(np.log2(max(count, 2))) + 1, 12, 21))
    found: list[NDArray[np.int64]] = []
    for stored, queries in _bands(hashes, width, tables, symmetries):
        found.extend(_search_band(hashes, stored, queries, width, radius))
    packed = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    pair, symmetry = np.divmod(packed, 8)
    first, second = np.divmod(pair, max(count, 1))
    return Neighbours(first, second, symmetry)


def nearest(images: NDArray[np.float32], asked: NDArray[np.int64], *, least: float) -> Neighbours:
    """For each of the images `asked` (by number) its few nearest that correlate with it to `least` or more.

    Every pair is looked at under the eight symmetries, which takes quadratic time: 10,000 asked of as many
    images take half a minute. A pair comes with each symmetry under which it correlates so.

    Args:
        images: (N, S, S) float32, each of norm 1 and without its mean.

    Returns:
        Neighbours in ascending order of (first, second, symmetry), without repetition.
    """
    count = len(images)
    flat = images.reshape(count, images.shape[-1] ** 2)
    found = [np.empty(0, dtype=np.int64)]
    parts = (asked[start : start + _ROWS] for start in range(0, len(asked), _ROWS))
    for rows in track(parts, len(asked), "Looking for further photographs of a page", size=len):
        turned = (transform_pixels(images[rows], symmetry) for symmetry in range(len(SYMMETRIES)))
        alike = np.stack([each.reshape(len(rows), -1) @ flat.T for each in turned])
        alike[:, np.arange(len(rows)), rows] = -1.0
        best = alike.max(axis=0)
        few = np.sort(best, axis=1)[:, -_PARTNERS:].min(axis=1)
        symmetry, query, other = np.nonzero((alike >= least) & (best >= few[:, None]))
        row = rows[query]
        number = np.where(row < other, symmetry, np.array(INVERSE)[symmetry])
        found.append((np.minimum(row, other) * count + np.maximum(row, other)) * 8 + number)
    pair, symmetry = np.divmod(np.unique(np.concatenate(found)), 8)
    first, second = np.divmod(pair, max(count, 1))
    return Neighbours(first, second, symmetry)


@dataclass(frozen=True)
class _Queries:
    """One side of a band's search: the (transposed) hashes, their band keys, and the flips to try."""

    hashes: Hashes
    keys: NDArray[np.uint32]
    order: NDArray[np.int64]
    symmetries: tuple[int, ...]
    key_masks: tuple[int, ...]


def _bands(
    hashes: Hashes, width: int, tables: int, symmetries: Sequence[int]
) -> Iterator[tuple[_Queries, tuple[_Queries, ...]]]:
    """For each band: the table's side, and the two query sides (as it is, transposed)."""
    per_round = 63 // width
    sides = (hashes, transpose_hashes(hashes))
    for table in range(tables):
        turn, band = divmod(table, per_round)
        shuffle = _shuffle(turn)
        shift = np.uint64(width * band)
        low = np.uint64((1 << width) - 1)
        queries = []
        for transposed, side in enumerate(sides):
            numbers = tuple(s for s in symmetries if TRANSPOSED[s] == bool(transposed))
            keys = ((_shuffled(side, shuffle) >> shift) & low).astype(np.uint32)
            masks = tuple(
                int((_shuffled(np.array([flip_mask(s)]), shuffle)[0] >> shift) & low) for s in numbers
            )
            queries.append(_Queries(side, keys, np.argsort(keys, kind="stable"), numbers, masks))
        yield queries[0], tuple(queries)


def _shuffle(turn: int) -> NDArray[np.uint64]:
    """Tables (8, 256) that move the 63 bits of a hash to shuffled places, byte by byte."""
    places = permutation(0, "hash bands", turn, np.arange(1, 64, dtype=np.uint64))
    tables = np.zeros((8, 256), dtype=np.uint64)
    values = np.arange(256, dtype=np.uint64)
    for place, index in enumerate(places):
        byte, bit = divmod(int(index) + 1, 8)
        tables[byte] |= ((values >> np.uint64(bit)) & np.uint64(1)) << np.uint64(place)
    return tables


def _shuffled(hashes: Hashes, tables: NDArray[np.uint64]) -> Hashes:
    result = np.zeros(len(hashes), dtype=np.uint64)
    for byte in range(8):
        result |= tables[byte][(hashes >> np.uint64(8 * byte)) & np.uint64(0xFF)]
    return result


def _search_band(
    hashes: Hashes, stored: _Queries, sides: tuple[_Queries, ...], width: int, radius: int
) -> Iterator[NDArray[np.int64]]:
    """Packed (first, second, symmetry) of every pair that meets in this band, up to one bit."""
    starts = np.zeros((1 << width) + 1, dtype=np.int32)
    np.cumsum(np.bincount(stored.keys, minlength=1 << width), out=starts[1:])
    in_order = hashes[stored.order]
    probes = (0, *(1 << bit for bit in range(width)))
    for side in sides:
        # Queries in the order of their keys read the tables almost in sequence: far fewer cache misses.
        for begin in range(0, len(hashes), _CHUNK):
            rows = side.order[begin : begin + _CHUNK]
            keys, values = side.keys[rows], side.hashes[rows]
            for symmetry, key_mask in zip(side.symmetries, side.key_masks, strict=True):
                turned = values ^ flip_mask(symmetry)
                for probe in probes:
                    low = starts[keys ^ np.uint32(key_mask ^ probe)]
                    high = starts[(keys ^ np.uint32(key_mask ^ probe)) + 1]
                    yield from _compare(rows, turned, low, high, stored.order, in_order, symmetry, radius)


def _compare(
    rows: NDArray[np.int64],
    turned: Hashes,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    order: NDArray[np.int64],
    in_order: Hashes,
    symmetry: int,
    radius: int,
) -> Iterator[NDArray[np.int64]]:
    """Compare each query with its bucket's members, one place in the bucket at a time."""
    count = np.int64(len(order))
    active = np.flatnonzero(high > low)
    for place in range(_BUCKET_LIMIT):
        active = active[high[active] > low[active] + place] if place else active
        if not len(active):
            return
        slots = low[active] + place
        close = np.flatnonzero(np.bitwise_count(in_order[slots] ^ turned[active]) <= radius)
        if len(close):
            query, member = rows[active[close]], order[slots[close]]
            number = np.where(query < member, symmetry, INVERSE[symmetry])
            pair = np.minimum(query, member) * count + np.maximum(query, member)
            yield (pair * 8 + number)[query != member]
