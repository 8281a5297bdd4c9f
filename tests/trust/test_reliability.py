"""Reliability bins and the calibration error, in worlds whose calibration is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.temperature import fit_temperature, tempered
from dessin.trust.confidence.measure import (
    binned_error,
    binned_error_if_perfect,
    reliability_bins,
    signed_gaps,
)

pytestmark = pytest.mark.slow

N = 600


def confidences(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng([seed, 1]).uniform(0.3, 1.0, N)


def answers(confidence: NDArray[np.float64], accuracy: NDArray[np.float64], seed: int) -> NDArray[np.bool_]:
    """Which answers are right when each is with a probability of `accuracy`."""
    return np.random.default_rng([seed, 2]).uniform(size=len(confidence)) < accuracy


def gaps(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    return signed_gaps(np.stack([confidence] * 5), right, np.arange(len(right)) % 5)


def names(count: int = N) -> list[str]:
    return [f"image {i}" for i in range(count)]


def test_of_a_calibrated_world_the_error_is_nothing_on_average_and_the_usual_one_is_not() -> None:
    own, usual = [], []
    for seed in range(200):
        confidence = confidences(seed)
        right = answers(confidence, confidence, seed)
        own.append(gaps(confidence, right).mean())
        usual.append(binned_error(confidence, right))
    error = np.std(own) / np.sqrt(len(own))
    assert abs(np.mean(own)) < 3 * error + 0.001
    assert np.mean(usual) > 0.04
    expected = binned_error_if_perfect(confidences(0), names())
    assert expected == pytest.approx(np.mean(usual), abs=0.006)


def test_in_a_calibrated_world_intervals_hold_zero_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        confidence = confidences(seed)
        found = bootstrap_mean(
            gaps(confidence, answers(confidence, confidence, seed)), names(), bounds=(-1, 1)
        )
        held += found.low <= 0 <= found.high
    assert held >= 53


@pytest.mark.parametrize("too_sure", [0.2, -0.15])
def test_a_planted_error_is_found(too_sure: float) -> None:
    found = []
    for seed in range(30):
        confidence = np.random.default_rng(seed).uniform(0.4, 0.8, N)
        found.append(gaps(confidence, answers(confidence, confidence - too_sure, seed)).mean())
    assert np.mean(found) == pytest.approx(abs(too_sure), abs=0.01)


def test_an_error_of_two_signs_does_not_cancel() -> None:
    found = []
    for seed in range(30):
        confidence = np.random.default_rng(seed).uniform(0.2, 0.9, N)
        wrong = np.where(confidence > 0.55, 0.15, -0.15)
        found.append(gaps(confidence, answers(confidence, confidence - wrong, seed)).mean())
    assert np.mean(found) == pytest.approx(0.15, abs=0.02)


def test_logits_twice_too_large_have_a_temperature_of_two_and_no_error_after_it() -> None:
    draw = np.random.default_rng(4)
    logits = draw.normal(scale=1.6, size=(4000, 6))
    powers = np.exp(logits)
    true = powers / powers.sum(axis=1, keepdims=True)
    targets = (true.cumsum(axis=1) < draw.uniform(size=(4000, 1))).sum(axis=1)
    sure = true**2 / (true**2).sum(axis=1, keepdims=True)
    temperature = fit_temperature(sure, targets)
    assert temperature == pytest.approx(2.0, abs=0.15)
    right = sure.argmax(axis=1) == targets
    before, after = gaps(sure.max(axis=1), right), gaps(tempered(sure, temperature).max(axis=1), right)
    assert before.mean() > 0.1
    assert after.mean() < 0.02
    assert fit_temperature(true, targets) == pytest.approx(1.0, abs=0.08)


def test_bins_hold_all_images_once_in_order_and_as_many_each() -> None:
    confidence = confidences(3)
    right = answers(confidence, confidence, 3)
    bins = reliability_bins(confidence, right, names())
    assert [b.accuracy.n for b in bins] == [N // 10] * 10
    assert all(first.high <= second.low for first, second in pairwise(bins))
    assert sum(b.accuracy.n * b.confidence for b in bins) / N == pytest.approx(confidence.mean())
    assert sum(b.accuracy.n * b.accuracy.value for b in bins) / N == pytest.approx(right.mean())
    assert all(b.accuracy.low < b.accuracy.value < b.accuracy.high for b in bins[:-1])


def test_equal_confidences_stay_in_one_bin() -> None:
    confidence = np.repeat([0.5, 0.9], 300)
    bins = reliability_bins(confidence, np.arange(N) % 2 == 0, names())
    assert [(b.low, b.high, b.accuracy.n) for b in bins] == [(0.5, 0.5, 300), (0.9, 0.9, 300)]


def test_the_order_of_images_does_not_matter() -> None:
    confidence = confidences(5)
    right = answers(confidence, confidence - 0.1, 5)
    order = np.random.default_rng(9).permutation(N)
    parts = np.arange(N) % 5
    straight = signed_gaps(np.stack([confidence] * 5), right, parts)
    shuffled = signed_gaps(np.stack([confidence[order]] * 5), right[order], parts[order])
    assert np.array_equal(straight[order], shuffled)
    ids = np.array(names())
    assert binned_error_if_perfect(confidence, names()) == pytest.approx(
        binned_error_if_perfect(confidence[order], ids[order].tolist())
    )
