"""What goes with failure is found, what does not is left alone, and classes are no excuse."""

from __future__ import annotations

import numpy as np
import pytest
from mistake_worlds import World, make_world

from dessin.trust.mistakes.properties import associations, correlated, cut, scaled_ranks, trend
from dessin.trust.mistakes.result import PropertyRow


def judged(world: World) -> dict[str, PropertyRow]:
    found = associations(world.properties, world.correct, world.targets, world.index)
    return {one.name: one for one in found}


def test_failure_on_thin_lines_is_found_and_nothing_else() -> None:
    for seed in range(3):
        found = judged(make_world(seed, thickness=0.8, of_group=0.5))
        assert found["thickness"].finding == "within classes"
        assert found["ink"].finding == found["size"].finding == "not seen"
        thin, _, thick = found["thickness"].parts
        assert thin.high <= thick.low
        assert thin.accuracy.value < thick.accuracy.value
        for estimate in (found["thickness"].difference, found["thickness"].within):
            assert estimate is not None
            assert 0 < estimate.low < estimate.value < estimate.high


def test_a_property_of_hard_classes_is_not_blamed_within_classes() -> None:
    for seed in range(3):
        found = judged(make_world(seed, of_class=1.2))
        assert found["thickness"].finding == found["ink"].finding == "between classes"
        assert found["size"].finding == "not seen"
        assert found["thickness"].p_within > 0.001


@pytest.mark.parametrize("drawn_alike", [0.0, 1.0])
def test_false_alarms_come_at_their_nominal_rate(drawn_alike: float) -> None:
    """Groups are right or wrong together, and drawn alike; 300 worlds, so 5% is 15, and 30 beyond luck."""
    alarms = {"overall": 0, "within": 0}
    for seed in range(300):
        world = make_world(seed, classes=20, of_group=1.5, drawn_alike=drawn_alike)
        ranks = scaled_ranks(world.properties["thickness"])
        for name, strata in (("overall", None), ("within", world.targets)):
            found = trend(ranks, world.correct, world.index, strata)
            assert found is not None
            alarms[name] += found.p < 0.05
    assert all(3 <= count <= 27 for count in alarms.values()), alarms


def test_drawings_taken_for_independent_would_raise_false_alarms() -> None:
    """The same worlds with every drawing a group of its own: what the groups are for."""
    alarms = 0
    for seed in range(100):
        world = make_world(seed, classes=20, of_group=1.5, drawn_alike=1.0)
        ranks = scaled_ranks(world.properties["thickness"])
        found = trend(ranks, world.correct, np.arange(len(ranks)), world.targets)
        assert found is not None
        alarms += found.p < 0.05
    assert alarms > 12


def test_the_interval_of_a_trend_holds_the_truth() -> None:
    """Right with probability 0.3 + 0.4 rank: the slope is 0.4."""
    held = 0
    for seed in range(200):
        draw = np.random.default_rng([seed, 3])
        ranks = scaled_ranks(draw.random(320))
        found = trend(ranks, draw.random(320) < 0.3 + 0.4 * ranks, np.arange(320) // 4)
        assert found is not None
        held += found.low <= 0.4 <= found.high
    assert 180 <= held <= 198


def test_turning_a_property_around_turns_the_finding() -> None:
    world = make_world(0, thickness=0.8)
    turned = World(world.correct, world.targets, world.index, {"thickness": -world.properties["thickness"]})
    before, after = judged(world)["thickness"].within, judged(turned)["thickness"].within
    assert before is not None
    assert after is not None
    assert after.value == pytest.approx(-before.value)
    assert (after.low, after.high) == pytest.approx((-before.high, -before.low))


def test_only_the_order_of_values_counts_and_not_that_of_drawings() -> None:
    world = make_world(1, thickness=0.5)
    order = np.random.default_rng(0).permutation(len(world.correct))
    stretched = {name: np.exp(3 * values)[order] for name, values in world.properties.items()}
    again = World(world.correct[order], world.targets[order], world.index[order], stretched)
    for name, one in judged(world).items():
        other = judged(again)[name]
        assert other.p_within == pytest.approx(one.p_within)
        assert other.p_overall == pytest.approx(one.p_overall)
        assert [part.accuracy.value for part in other.parts] == pytest.approx(
            [part.accuracy.value for part in one.parts]
        )


def test_what_does_not_differ_is_said_to_be_alike_and_what_is_missing_is_left_out() -> None:
    world = make_world(2, thickness=1.0)
    values = world.properties["thickness"].copy()
    values[::5] = np.nan
    given = {
        "contrast": np.full(len(values), 255.0),
        "thickness": values,
        "elongation": np.full(len(values), np.nan),
    }
    found = judged(World(world.correct, world.targets, world.index, given))
    assert found["contrast"].finding == "all alike"
    assert found["contrast"].difference is None
    assert found["elongation"].parts == ()
    assert found["thickness"].finding == "within classes"
    assert sum(part.accuracy.n for part in found["thickness"].parts) == int(np.isfinite(values).sum())


def test_an_end_of_a_few_groups_is_not_judged() -> None:
    world = make_world(3)
    rare = (world.index < 3).astype(float)
    found = judged(World(world.correct & (rare == 0), world.targets, world.index, {"objects": rare}))
    assert found["objects"].finding == "cannot tell"
    assert [part.accuracy.n for part in found["objects"].parts] == [len(rare) - 12, 12]


def test_holm_counts_both_tests_of_every_property() -> None:
    found = judged(make_world(4, thickness=0.8))
    smallest = min(p for one in found.values() for p in (one.p_overall, one.p_within))
    adjusted = min(p for one in found.values() for p in (one.p_overall_holm, one.p_within_holm))
    assert adjusted == pytest.approx(6 * smallest)


def test_parts_are_thirds_of_which_equal_values_stay_together() -> None:
    assert np.bincount(cut(np.arange(30.0))).tolist() == [10, 10, 10]
    assert cut(np.array([1.0, 1, 1, 5, 2])).tolist() == [0, 0, 0, 2, 1]
    for values in ([1.0] * 20 + [2, 3, 4, 5], [5.0] * 20 + [1, 2, 3, 4], [3.0] * 20 + [1, 2, 4, 5]):
        parts = cut(np.array(values))
        assert len(set(parts[:20])) == 1
        assert sorted(set(parts)) == list(range(max(parts) + 1))
        assert max(parts) >= 1
        order = np.argsort(values)
        assert (np.diff(parts[order]) >= 0).all()


def test_properties_that_rise_together_are_named() -> None:
    draw = np.random.default_rng(5)
    first, other = draw.normal(size=200), draw.normal(size=200)
    missing = np.where(np.arange(200) < 20, np.nan, -first)
    found = correlated({"a": first, "b": other, "c": missing, "d": np.ones(200)})
    assert [pair[:2] for pair in found] == [("a", "c")]
    assert found[0][2] == pytest.approx(-1)
