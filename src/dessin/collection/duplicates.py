"""Images that show the same drawing: equal bytes, equal pixels, or nearly equal under a symmetry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dessin.collection.confirm import compare, correlations
from dessin.collection.grouping import UnionFind
from dessin.collection.hashing import SYMMETRIES, Symmetry, folded, perceptual_hashes
from dessin.collection.manifest import Manifest
from dessin.collection.neighbours import Neighbours, near_hashes
from dessin.collection.scan import Scan

_WORTH_A_LOOK = 0.65  # copies turned by 4 degrees reach it, 19 of 20
_SYMMETRIES_TRIED = 2
_IDENTITY_MARGIN = 0.02


@dataclass(frozen=True)
class Pair:
    """Two images of one drawing; `first` comes before `second` by image_id.

    `symmetry` turns the first into the second (rotations counterclockwise, as `numpy.rot90`);
    `similarity` is 1 for exact duplicates, else the correlation of the two drawings' strokes.
    """

    first: str
    second: str
    kind: Literal["bytes", "pixels", "near"]
    symmetry: Symmetry
    similarity: float


def find_duplicates(manifest: Manifest, scan: Scan) -> tuple[Pair, ...]:
    """Pairs that link all images of one drawing together, in the order of (first, second).

    A cluster of n images gives n - 1 pairs, most of them with its first image, so that a thousand copies do
    not make half a million pairs; joined transitively they give the cluster. Blank images are compared by
    bytes and pixels only, and unreadable ones are left out.
    """
    readable = [row for row, measured in enumerate(scan.measurements) if measured.readable]
    order = sorted(readable, key=lambda row: manifest.rows[row].image_id)
    ids = [manifest.rows[row].image_id for row in order]
    pairs: list[Pair] = []
    digests = [manifest.rows[row].sha256 for row in order]
    kept, same = _first_of_each(range(len(order)), digests)
    pairs += [Pair(ids[i], ids[j], "bytes", "identity", 1.0) for i, j in same]
    pixels = [scan.measurements[row].pixel_digest for row in order]
    kept, same = _first_of_each(kept, pixels)
    pairs += [Pair(ids[i], ids[j], "pixels", "identity", 1.0) for i, j in same]
    drawn = [i for i in kept if not scan.measurements[order[i]].blank]
    rows = np.array([order[i] for i in drawn], dtype=np.int64)
    pairs += [
        Pair(ids[drawn[i]], ids[drawn[j]], "near", SYMMETRIES[symmetry], similarity)
        for i, j, symmetry, similarity in _near(scan, rows)
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second)))


def _first_of_each(rows: Sequence[int], keys: Sequence[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """The rows whose key comes up for the first time, and (first, later) for the others."""
    first: dict[str, int] = {}
    repeated = [(first[keys[row]], row) for row in rows if first.setdefault(keys[row], row) != row]
    return list(first.values()), repeated


def _near(scan: Scan, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, int, float]]:
    """(i, j, symmetry, similarity) of confirmed pairs among `rows`, thinned to a spanning forest."""
    candidates = _candidates(scan, rows)
    likeness = correlations(scan.signatures[rows], candidates)
    sets: UnionFind[int] = UnionFind()
    for (i, j), symmetries in _likely(candidates, likeness):
        if sets.find(i) == sets.find(j):
            continue
        for symmetry in symmetries:
            found = compare(scan.signatures[rows[i]], scan.signatures[rows[j]], symmetry)
            if found.confirmed:
                sets.join(i, j)
                yield i, j, symmetry, found.similarity
                break


def _candidates(scan: Scan, rows: NDArray[np.int64]) -> Neighbours:
    """Pairs of close hashes, plain or folded; a folded hash leaves open which flip it is, so all four are."""
    plain = near_hashes(scan.hashes[rows])
    upright, transposed = SYMMETRIES.index("identity"), SYMMETRIES.index("transpose")
    folds = near_hashes(perceptual_hashes(folded(scan.signatures[rows])), symmetries=(upright, transposed))
    flips = np.arange(4)
    return Neighbours(
        first=np.concatenate([plain.first, np.repeat(folds.first, 4)]),
        second=np.concatenate([plain.second, np.repeat(folds.second, 4)]),
        symmetry=np.concatenate([plain.symmetry, (folds.symmetry[:, None] + flips).ravel()]),
        distance=np.concatenate([plain.distance, np.repeat(folds.distance, 4)]),
    )


def _likely(pairs: Neighbours, likeness: NDArray[np.float64]) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Each pair worth a closer look, with its symmetries, likeliest first; the identity wins a near tie."""
    preferred = likeness + np.where(pairs.symmetry == 0, _IDENTITY_MARGIN, 0.0)
    order = np.lexsort((pairs.symmetry, -preferred, pairs.second, pairs.first))
    order = order[likeness[order] >= _WORTH_A_LOOK]
    for pair, members in groupby(order, key=lambda row: (int(pairs.first[row]), int(pairs.second[row]))):
        symmetries = dict.fromkeys(int(pairs.symmetry[row]) for row in members)
        yield pair, list(symmetries)[:_SYMMETRIES_TRIED]
