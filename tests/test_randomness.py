from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dessin.randomness import derive, image_keys, permutation, philox, uniform

IDS = [f"class/{i}.png" for i in range(4000)]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers_of_the_published_generator(
    counter: list[int], key: tuple[int, int], expected: list[int]
) -> None:
    assert philox(np.array(counter, dtype=np.uint64), key).tolist() == expected


def test_a_draw_depends_on_its_own_image_only() -> None:
    keys = image_keys(IDS)
    together = uniform(7, "rotate", 3, keys, 2)
    alone = uniform(7, "rotate", 3, keys[1234:1235], 2)
    assert np.array_equal(together[1234], alone[0])
    assert np.array_equal(uniform(7, "rotate", 3, keys[::-1], 2)[::-1], together)
    assert np.array_equal(uniform(7, "rotate", 3, keys, 5)[:, :2], together)


@pytest.mark.parametrize("change", ["seed", "stream", "epoch"])
def test_every_part_of_the_address_matters(change: str) -> None:
    base = {"seed": 1, "stream": "a", "epoch": 1}
    other = base | {change: "b" if change == "stream" else 2}
    keys = image_keys(IDS)
    first = uniform(keys=keys, columns=1, **base)[:, 0]  # type: ignore[arg-type]
    second = uniform(keys=keys, columns=1, **other)[:, 0]  # type: ignore[arg-type]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.08


def test_draws_are_uniform_and_columns_independent() -> None:
    draws = uniform(0, "x", 0, image_keys(IDS), 2)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 0.001
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.08


def test_a_permutation_follows_the_images_not_their_order() -> None:
    keys = image_keys(IDS)
    order = permutation(3, "epoch", 1, keys)
    assert sorted(order) == list(range(len(IDS)))
    assert np.array_equal(keys[order], keys[::-1][permutation(3, "epoch", 1, keys[::-1])])
    assert not np.array_equal(order, permutation(3, "epoch", 2, keys))


def test_derived_seeds_tell_types_and_places_apart() -> None:
    seeds = {derive(1, "a"), derive("1", "a"), derive("a", 1), derive(1, "b"), derive(11, "a"), derive(1)}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
