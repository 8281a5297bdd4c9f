"""Pixels that are too many for one file: maps of equal length that are read as if they were one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dessin.images.ground import Pixels

# A shard is what a build that was killed does anew, and what one node of a cluster takes at a time.
SHARD_IMAGES = 65_536
SHARD_BYTES = 4 * 2**30


def shard_bounds(images: int, image_bytes: int) -> list[tuple[int, int]]:
    """(start, stop) of the rows of every shard; all but the last have the same length."""
    length = max(1, min(SHARD_IMAGES, SHARD_BYTES // image_bytes))
    return [(start, min(start + length, images)) for start in range(0, images, length)]


class ShardedPixels:
    """(N, channels, S, S) uint8 in several arrays, read-only; indexed by a row, a slice or rows (n,).

    `numpy.array(pixels)` reads all of it.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, shards: Sequence[Pixels]) -> None:
        """All shards but the last must have the same length.

        Raises:
            ValueError: they do not, or their pictures differ in shape.
        """
        # Plain views: a memmap's own indexing is several times slower.
        self._shards = tuple(np.asarray(shard) for shard in shards)
        self._length = len(self._shards[0])
        lengths = [len(shard) for shard in self._shards]
        if set(lengths[:-1]) - {self._length} or not 0 < lengths[-1] <= self._length:
            raise ValueError(f"the shards have {lengths} rows")
        if len({shard.shape[1:] for shard in self._shards}) > 1:
            raise ValueError("the shards differ in shape")
        self.shape: tuple[int, ...] = (sum(lengths), *self._shards[0].shape[1:])
        self.nbytes = sum(shard.nbytes for shard in self._shards)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | np.integer | slice | NDArray[np.integer]) -> Pixels:
        if isinstance(rows, slice):
            return self._gather(np.arange(*rows.indices(len(self))))
        if isinstance(rows, (int, np.integer)):
            picture: Pixels = self._gather(np.array([rows]))[0]
            return picture
        return self._gather(rows)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.uint8]:
        if copy is False:
            raise ValueError("sharded pixels become one array by copying only")
        return np.concatenate(self._shards).astype(dtype or self.dtype, copy=False)

    def _gather(self, rows: NDArray[np.integer]) -> Pixels:
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(
                f"there are rows 0 to {len(self) - 1}, and {rows.min()} to {rows.max()} were asked for"
            )
        shard_of, inside = np.divmod(rows, self._length)
        result = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        for number in np.unique(shard_of):
            chosen = shard_of == number
            result[chosen] = self._shards[number][inside[chosen]]
        return result


StoredPixels = Pixels | ShardedPixels


def without_map(pixels: StoredPixels) -> StoredPixels:
    """The same pixels without the slow indexing of a memory map."""
    return pixels if isinstance(pixels, ShardedPixels) else np.asarray(pixels)
