"""The answers of many members to the same images: one large table, usually memory-mapped."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.parallel.mapper import ThreadMapper
from dessin.system import reserve

Rows = NDArray[np.int64]
# What one block of images of all members may take: two blocks and their differences fit into a cache.
_BLOCK_BYTES = 4 << 20
_RELEASE_AFTER = 128
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class MemberTable:
    """What M members say about the same N images of C classes.

    Attributes:
        names: the members; no two are called the same.
        probabilities: (M, N, C) float32; may be a read-only memory map.
        targets: (N,) int64, the true class numbers.
        groups: (N,) str; images of a group belong together. An empty string is a group of its own.
        folds: (N,) int64, the fold that each image validates.

    Raises:
        ValueError: parts that do not fit together.
    """

    names: tuple[str, ...]
    probabilities: NDArray[np.float32]
    targets: NDArray[np.int64]
    groups: NDArray[Any]
    folds: NDArray[np.int64]
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        images = len(self.image_ids)
        shape = (len(self.names), images, len(self.classes))
        if self.probabilities.shape != shape or self.probabilities.dtype != np.float32:
            found = f"{self.probabilities.dtype} {self.probabilities.shape}"
            raise ValueError(f"the probabilities are {found}, and float32 {shape} is needed")
        if {len(self.targets), len(self.groups), len(self.folds)} != {images}:
            raise ValueError(f"there are {images} images, and not as many targets, groups or folds")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"members share a name: {', '.join(self.names)}")

    @property
    def members(self) -> int:
        return len(self.names)

    @property
    def every_row(self) -> Rows:
        return np.arange(len(self.image_ids), dtype=np.int64)

    def blocks(self, rows: Rows) -> list[slice]:
        """Successive slices of `rows` (n,), each small enough to be read at once."""
        size = max(1, _BLOCK_BYTES // max(1, 4 * self.members * len(self.classes)))
        return [slice(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]

    def over_blocks(self, rows: Rows, function: Callable[[Rows], Made]) -> Iterator[Made]:
        """`function` of the rows of each of the blocks, in threads; yields its results in their order.

        What was read of a mapped file is let go of on the way.
        """
        blocks = [rows[block] for block in self.blocks(rows)]
        for done, made in enumerate(ThreadMapper().map(function, blocks), start=1):
            if done % _RELEASE_AFTER == 0:
                self.release()
            yield made
        self.release()

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """The probabilities of some images, (M, n, C) float32; nothing else of the table is touched."""
        return np.take(self.probabilities, rows, axis=1)

    def release(self) -> None:
        """Let go of what was read of a file mapped read-only: its pages count as this process's memory."""
        base: object = None if self.probabilities.flags.writeable else self.probabilities
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap):
            base.madvise(mmap.MADV_DONTNEED)


def create_table(path: Path, members: int, images: int, classes: int) -> NDArray[np.float32]:
    """A writable map (M, N, C) of a new `.npy` file whose space on the disk is already reserved."""
    size = 4 * members * images * classes
    try:
        table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(members, images, classes))
        if size:
            # A map of a file with holes would end the process where the disk is full; this fails here.
            reserve(path)
    except OSError as error:
        path.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else error.strerror or str(error)
        raise DessinError(
            f"The table of {members} members x {images:,} images x {classes} classes needs "
            f"{size / 2**30:.2f} GiB at {path}, and could not be written: {why}.",
            do="Free some space, or choose another folder, and run again.",
        ) from error
    return table


def open_table(path: Path) -> NDArray[np.float32]:
    """A read-only map (M, N, C) of what `create_table` made."""
    try:
        table = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise DessinError(f"{path} is not a table of probabilities: {error}.", do="Make it anew.") from None
    if table.dtype != np.float32 or table.ndim != 3:
        raise DessinError(
            f"{path} holds {table.dtype} of {table.ndim} dimensions.", allowed="float32 of 3 dimensions."
        )
    return table


def places(names: Sequence[str]) -> NDArray[np.int64]:
    """The place of each member in the order of names, (M,): what decides where everything else is equal."""
    place = np.empty(len(names), dtype=np.int64)
    place[sorted(range(len(names)), key=lambda member: names[member])] = np.arange(len(names))
    return place
