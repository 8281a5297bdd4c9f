"""Deletion, insertion and agreement, with answers that are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.trust.explain.maps import enlarged
from dessin.trust.explain.measure import Curves, agreement, area, curves, ink_map, random_map

SIDE = 40
TARGET = np.zeros((SIDE, SIDE), dtype=bool)
TARGET[4:20, 20:36] = True
PERFECT = TARGET.astype(np.float32)
TIES = random_map("ties", 0, (4, 4), SIDE)


def of_target(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """An answer that rests on the target alone: the share of it that is to be seen."""
    return np.asarray(keep[:, TARGET].mean(axis=1), dtype=np.float64)


def measured(values: NDArray[np.float32]) -> Curves:
    return curves(of_target, {"map": values}, TIES)["map"]


def test_a_map_of_the_cause_beats_random_maps_and_they_beat_its_opposite() -> None:
    perfect, opposite = measured(PERFECT), measured(1 - PERFECT)
    random = [measured(random_map(f"{n}", 0, (4, 4), SIDE)) for n in range(20)]
    assert area(perfect.deletion) < min(area(one.deletion) for one in random)
    assert area(perfect.insertion) > max(area(one.insertion) for one in random)
    assert area(opposite.deletion) > max(area(one.deletion) for one in random)
    assert area(opposite.insertion) < min(area(one.insertion) for one in random)
    # Random maps are neither for nor against: half of the area.
    assert np.mean([area(one.deletion) for one in random]) == pytest.approx(0.5, abs=0.1)


def test_curves_begin_and_end_with_the_whole_and_the_blank_drawing() -> None:
    one = measured(random_map("a", 1, (3, 5), SIDE))
    assert (one.deletion[0], one.deletion[-1], one.insertion[0], one.insertion[-1]) == (1.0, 0.0, 0.0, 1.0)
    assert (np.diff(one.deletion) <= 0).all()
    # What is taken away in one is shown in the other, and this answer only counts what it sees.
    np.testing.assert_allclose(one.deletion + one.insertion, 1.0)
    assert area(one.deletion) + area(one.insertion) == pytest.approx(1.0)


def test_every_tenth_of_the_area_goes_at_a_time() -> None:
    seen: list[NDArray[np.bool_]] = []

    def watch(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        seen.append(keep)
        return np.zeros(len(keep))

    curves(watch, {"a": PERFECT, "b": TIES}, TIES)
    assert [len(keep) for keep in seen] == [2 + 2 * 18]
    shares = seen[0].mean(axis=(1, 2))
    tenths = np.arange(1, 10) / 10
    np.testing.assert_allclose(shares, [1, 0, *([*(1 - tenths), *tenths] * 2)], atol=1e-9)


def test_only_the_order_of_a_map_counts() -> None:
    values = random_map("a", 1, (5, 5), SIDE) + 0.01
    first, second = measured(values), measured(values**3 / 7)
    np.testing.assert_allclose(first.deletion, second.deletion, atol=0.01)


def test_equal_places_go_in_the_order_of_the_ties() -> None:
    flat = curves(of_target, {"flat": np.zeros_like(TIES), "ties": TIES}, TIES)
    np.testing.assert_array_equal(flat["flat"].deletion, flat["ties"].deletion)


def test_several_maps_in_one_batch_are_what_each_is_alone() -> None:
    maps = {name: random_map(name, 3, (4, 4), SIDE) for name in "abc"}
    together = curves(of_target, maps, TIES)
    for name, values in maps.items():
        np.testing.assert_array_equal(together[name].insertion, measured(values).insertion)


def test_agreement_is_a_rank_correlation() -> None:
    drops = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    values = np.kron(np.exp(drops), np.ones((10, 10))).astype(np.float32)
    assert agreement(values, drops) == pytest.approx(1.0)
    assert agreement(values, -drops) == pytest.approx(-1.0)
    assert abs(agreement(values.T.copy(), drops)) < 0.9
    assert agreement(np.zeros_like(values), drops) == 0.0
    assert agreement(values, np.zeros_like(drops)) == 0.0


def test_a_random_map_is_a_function_of_seed_and_drawing() -> None:
    one = random_map("a", 0, (4, 6), SIDE)
    assert one.shape == (SIDE, SIDE)
    assert 0 <= one.min() < one.max() <= 1
    assert np.array_equal(one, random_map("a", 0, (4, 6), SIDE))
    assert not np.array_equal(one, random_map("a", 1, (4, 6), SIDE))
    assert not np.array_equal(one, random_map("b", 0, (4, 6), SIDE))


def test_a_map_of_the_ink_is_highest_where_ink_is() -> None:
    ink = ink_map(TARGET, (4, 4))
    assert ink.shape == TARGET.shape
    assert ink[TARGET].mean() > 3 * ink[~TARGET].mean()
    assert not ink_map(np.zeros_like(TARGET), (4, 4)).any()


def test_enlarging_keeps_the_arrangement_and_the_bounds() -> None:
    cells = np.zeros((2, 2, 3), dtype=np.float32)
    cells[0, 0, 2] = cells[1, 1, 0] = 1.0
    full = enlarged(cells, 60)
    assert full.shape == (2, 60, 60)
    assert full.min() >= 0
    assert full.max() <= 1
    assert np.unravel_index(full[0].argmax(), (60, 60)) < (30, 60)
    assert full[0, :30, 40:].sum() > 0.6 * full[0].sum()
    assert full[1, 30:, :20].sum() > 0.6 * full[1].sum()
