"""The threshold of a target precision keeps its promise on drawings that it was not chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.trust.confidence.measure import choose_threshold, risk_curve

Floats = NDArray[np.float64]


def world(seed: int, n: int = 800, *, of_a_group: int = 1) -> tuple[Floats, NDArray[np.bool_], list[str]]:
    """Answers that are right as often as they claim; those of one group are right or wrong together."""
    draw = np.random.default_rng([seed, n])
    confidence = np.repeat(draw.uniform(0.4, 1.0, n // of_a_group), of_a_group)
    right = np.repeat(draw.uniform(size=n // of_a_group), of_a_group) < confidence
    return confidence, right, [f"group {i // of_a_group}" for i in range(len(confidence))]


def true_precision(threshold: float) -> float:
    """Of confidences from 0.4 to 1 that keep what they claim, those at the threshold and above."""
    return (max(threshold, 0.4) + 1.0) / 2


@pytest.mark.parametrize(("of_a_group", "fewest"), [(1, 110), (4, 40)])
def test_the_precision_is_reached_in_nearly_all_worlds_and_not_by_silence(
    of_a_group: int, fewest: int
) -> None:
    chosen = [choose_threshold(risk_curve(*world(seed, of_a_group=of_a_group)), 0.85) for seed in range(150)]
    thresholds = [choice.threshold for choice in chosen if choice.threshold is not None]
    broken = sum(true_precision(threshold) < 0.85 for threshold in thresholds)
    assert broken <= 0.05 * len(chosen)
    assert len(thresholds) >= fewest


def test_more_drawings_need_less_silence() -> None:
    few, many = (choose_threshold(risk_curve(*world(3, n)), 0.8).threshold for n in (400, 6000))
    assert few is not None
    assert many is not None
    assert 0.6 < many < few


def test_a_precision_that_all_answers_have_needs_no_silence() -> None:
    confidence, _, groups = world(1)
    choice = choose_threshold(risk_curve(confidence, np.ones(len(confidence), dtype=bool), groups), 0.9)
    assert choice.threshold == 0.0
    assert choice.reachable_coverage == 1.0
    assert choice.reachable > 0.98


def test_a_precision_out_of_reach_gives_no_threshold_and_says_how_far_one_comes() -> None:
    confidence, _, groups = world(2)
    right = np.random.default_rng(5).uniform(size=len(confidence)) < 0.6
    choice = choose_threshold(risk_curve(confidence, right, groups), 0.9)
    assert choice.threshold is None
    assert 0.4 < choice.reachable < 0.62


def test_too_few_drawings_promise_nothing() -> None:
    confidence, right, groups = (
        np.linspace(0.5, 1.0, 12),
        np.ones(12, dtype=bool),
        [str(i) for i in range(12)],
    )
    assert choose_threshold(risk_curve(confidence, right, groups), 0.95).threshold is None


def test_drawings_of_one_group_count_once() -> None:
    confidence, right, _ = world(4)
    alone = risk_curve(confidence, right, [str(i) for i in range(len(right))])
    together = risk_curve(confidence, right, [str(i // 8) for i in range(len(right))])
    assert np.array_equal(alone.precision, together.precision)
    assert alone.groups[-1] == 800
    assert together.groups[-1] == 100
    assert (together.lower(0.05) <= alone.lower(0.05)).all()


def test_a_curve_begins_with_the_surest_and_ends_with_all() -> None:
    confidence, right, groups = world(6)
    curve = risk_curve(confidence, right, groups)
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.coverage) > 0).all()
    assert curve.threshold[-1] == 0.0
    assert curve.precision[-1] == pytest.approx(right.mean())
    for threshold, coverage, precision in zip(curve.threshold, curve.coverage, curve.precision, strict=True):
        answered = confidence >= threshold
        assert answered.mean() == pytest.approx(coverage)
        assert right[answered].mean() == pytest.approx(precision)


def test_equal_confidences_are_never_parted_and_order_does_not_matter() -> None:
    confidence = np.repeat([0.9, 0.6, 0.3], 50)
    right = np.random.default_rng(1).uniform(size=150) < confidence
    groups = np.array([str(i) for i in range(150)])
    curve = risk_curve(confidence, right, groups)
    assert curve.coverage == pytest.approx([1 / 3, 2 / 3, 1.0])
    order = np.random.default_rng(2).permutation(150)
    again = risk_curve(confidence[order], right[order], groups[order])
    assert np.array_equal(curve.threshold, again.threshold)
    assert np.array_equal(curve.precision, again.precision)
    assert np.array_equal(curve.groups, again.groups)
