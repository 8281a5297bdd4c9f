from __future__ import annotations

import numpy as np
import pytest
from scribbles import scribble

from dessin.collection.hashing import (
    INVERSE,
    SYMMETRIES,
    perceptual_hashes,
    transform_hashes,
    transform_pixels,
    transpose_hashes,
)
from dessin.collection.measure import draw_signature
from dessin.collection.neighbours import near_hashes

NUMPY = {
    "identity": lambda a: a,
    "hflip": np.fliplr,
    "vflip": np.flipud,
    "rot180": lambda a: np.rot90(a, 2),
    "transpose": np.transpose,
    "rot90": np.rot90,
    "rot270": lambda a: np.rot90(a, 3),
    "transverse": lambda a: np.rot90(a, 2).T,
}


@pytest.fixture(scope="module")
def signatures() -> np.ndarray:
    pages = [255 - scribble(seed)[..., 0] for seed in range(40)]
    return np.stack([draw_signature(page, page > 30) for page in pages])


@pytest.mark.parametrize("name", SYMMETRIES)
def test_a_symmetry_of_the_pixels_is_the_same_symmetry_of_the_hash(signatures, name):
    number = SYMMETRIES.index(name)
    turned = np.stack([NUMPY[name](signature) for signature in signatures])
    assert np.array_equal(transform_pixels(signatures, number), turned)
    expected = transform_hashes(perceptual_hashes(signatures), number)
    assert np.bitwise_count(perceptual_hashes(turned) ^ expected).max() <= 1  # a coefficient may be 0


@pytest.mark.parametrize("number", range(8))
def test_inverse_undoes(signatures, number):
    back = transform_pixels(transform_pixels(signatures, number), INVERSE[number])
    assert np.array_equal(back, signatures)


def test_transposition_of_hashes_is_an_involution_and_not_the_identity():
    hashes = np.random.default_rng(0).integers(0, 2**64, 100, dtype=np.uint64)
    assert np.array_equal(transpose_hashes(transpose_hashes(hashes)), hashes)
    assert not np.array_equal(transpose_hashes(hashes), hashes)


def planted(count: int, pairs: int, largest: int) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Random hashes, of which `pairs` are others' hashes after a symmetry and some changed bits."""
    draw = np.random.default_rng(count)
    hashes = draw.integers(0, 2**64, count, dtype=np.uint64) & ~np.uint64(1)
    places = draw.permutation(count)[: 2 * pairs].reshape(2, pairs)
    key = []
    for first, second in places.T:
        symmetry, distance = int(draw.integers(8)), int(draw.integers(largest + 1))
        value = transform_hashes(hashes[[first]], symmetry)[0]
        for bit in draw.permutation(63)[:distance] + 1:
            value ^= np.uint64(1) << np.uint64(bit)
        hashes[second] = value
        if first > second:
            first, second, symmetry = second, first, INVERSE[symmetry]
        key.append((int(first), int(second), symmetry, distance))
    return hashes, key


def test_planted_neighbours_are_found_and_nothing_false():
    hashes, key = planted(4000, 400, 8)
    found = near_hashes(hashes)
    table = set(zip(found.first.tolist(), found.second.tolist(), found.symmetry.tolist(), strict=True))
    assert len(table) == len(found.first)
    distances = {
        (i, j, symmetry): np.bitwise_count(transform_hashes(hashes[[i]], symmetry)[0] ^ hashes[j])
        for i, j, symmetry in table
    }
    assert np.mean([distances.get((i, j, s)) == d for i, j, s, d in key]) > 0.995
    assert all(i < j for i, j, _ in table)
    assert max(distances.values()) <= 12


def test_the_search_does_not_depend_on_the_order_of_the_hashes():
    hashes, _ = planted(1500, 200, 6)
    order = np.random.default_rng(1).permutation(len(hashes))
    straight, shuffled = near_hashes(hashes), near_hashes(hashes[order])
    pairs = {frozenset((int(i), int(j))) for i, j in zip(straight.first, straight.second, strict=True)}
    again = {
        frozenset((int(order[i]), int(order[j])))
        for i, j in zip(shuffled.first, shuffled.second, strict=True)
    }
    assert pairs == again


def test_a_thousand_equal_hashes_cost_no_million_pairs():
    found = near_hashes(np.full(1000, 0x123456789ABCDE, dtype=np.uint64))
    identity = found.symmetry == 0
    assert len(np.unique(found.second[identity])) == 999  # each hangs on an earlier one
    assert identity.sum() < 60_000


@pytest.mark.parametrize("count", [0, 1])
def test_no_pairs_without_two_hashes(count):
    assert len(near_hashes(np.zeros(count, dtype=np.uint64)).first) == 0
