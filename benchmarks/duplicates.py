"""How the search for near-duplicates grows: 10^4, 10^5 and 10^6 synthetic hashes with planted neighbours.

Every planted neighbour is another hash after a random symmetry of the square, with up to 8 of its 63 bits
changed (19 of 20 copies of real drawings that were turned, rescaled or compressed stay within that).
Prints for every size the time, the share of planted neighbours found, whether anything false was
reported, and the memory; then the exponent with which time grows. Comparing all pairs would give 2.

    python benchmarks/duplicates.py [--sizes 10000,100000,1000000]
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.collection.hashing import INVERSE, transform_hashes
from dessin.collection.neighbours import RADIUS, Neighbours, near_hashes

LARGEST_DISTANCE = 8
LARGEST_EXPONENT = 1.5
LEAST_RECALL = 0.95


@dataclass(frozen=True)
class Planted:
    """Hashes, and the key: (first, second, symmetry) packed as the search orders them."""

    hashes: NDArray[np.uint64]
    key: NDArray[np.int64]
    distance: NDArray[np.int64]


def plant(count: int, seed: int = 0) -> Planted:
    """`count` random hashes, a tenth of which are neighbours of others."""
    draw = np.random.default_rng([seed, count])
    hashes = draw.integers(0, 2**64, count, dtype=np.uint64) & ~np.uint64(1)
    pairs = count // 10
    source, copy = draw.permutation(count)[: 2 * pairs].reshape(2, pairs)
    symmetry = draw.integers(0, 8, pairs)
    distance = draw.integers(0, LARGEST_DISTANCE + 1, pairs)
    for number in range(8):
        rows = symmetry == number
        hashes[copy[rows]] = transform_hashes(hashes[source[rows]], number)
    bits = np.argsort(draw.random((pairs, 63)), axis=1)[:, :LARGEST_DISTANCE].astype(np.uint64) + np.uint64(1)
    changed = np.arange(LARGEST_DISTANCE) < distance[:, None]
    hashes[copy] ^= np.where(changed, np.uint64(1) << bits, np.uint64(0)).sum(axis=1, dtype=np.uint64)
    number = np.where(source < copy, symmetry, np.array(INVERSE)[symmetry])
    key = (np.minimum(source, copy) * count + np.maximum(source, copy)) * 8 + number
    return Planted(hashes, key, distance)


def packed(found: Neighbours, count: int) -> NDArray[np.int64]:
    return (found.first * count + found.second) * 8 + found.symmetry


def count_false(hashes: NDArray[np.uint64], found: Neighbours) -> int:
    """The reported pairs that are further apart than the radius, counted anew."""
    false = 0
    for number in range(8):
        rows = found.symmetry == number
        turned = transform_hashes(hashes[found.first[rows]], number)
        false += int((np.bitwise_count(turned ^ hashes[found.second[rows]]) > RADIUS).sum())
    return false


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="how many hashes, comma-separated")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    print(f"{'hashes':>9} {'seconds':>8} {'recall':>7} {'at 8 bits':>9} {'pairs':>9} {'false':>6} {'MB':>6}")
    seconds, recalls = [], []
    for size in sizes:
        planted = plant(size)
        begin = time.perf_counter()
        found = near_hashes(planted.hashes)
        seconds.append(time.perf_counter() - begin)
        hit = np.isin(planted.key, packed(found, size))
        recalls.append(float(hit.mean()))
        false = count_false(planted.hashes, found)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        furthest = hit[planted.distance == LARGEST_DISTANCE].mean()
        print(
            f"{size:>9,} {seconds[-1]:>8.2f} {recalls[-1]:>7.4f} {furthest:>9.4f} "
            f"{len(found.first):>9,} {false:>6} {memory:>6,}",
            flush=True,
        )
    if len(sizes) > 1:
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        print(f"time grows with the number of hashes to the power of {exponent:.2f}")
        assert exponent < LARGEST_EXPONENT, "the search has become too slow for large collections"
    assert min(recalls) >= LEAST_RECALL, "the search misses planted neighbours"


if __name__ == "__main__":
    main()
