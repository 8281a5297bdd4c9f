"""Intervals: their coverage, their determinism, and the cases where resampling says nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import beta, binom

from dessin.statistics import intervals
from dessin.statistics.headline import METRICS, metric_lines
from dessin.statistics.intervals import Estimate, bootstrap_mean, resample_counts, wilson

pytestmark = pytest.mark.slow


def clustered(seed: int, groups: int, size: int, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Bernoulli values whose groups have their own probability, so that a group's members agree."""
    random = np.random.default_rng(seed)
    own = random.beta(mean * 2, (1 - mean) * 2, groups)
    return (random.random((groups, size)) < own[:, None]).ravel(), np.repeat(np.arange(groups), size)


@pytest.mark.parametrize(("groups", "size", "mean"), [(20, 4, 0.6), (60, 4, 0.85)])
def test_the_interval_holds_the_truth_about_95_times_in_100(groups: int, size: int, mean: float) -> None:
    trials, grouped, alone = 120, 0, 0
    for trial in range(trials):
        values, index = clustered(trial, groups, size, mean)
        inside = bootstrap_mean(values, index)
        grouped += inside.low <= mean <= inside.high
        naive = bootstrap_mean(values, np.arange(len(values)))
        alone += naive.low <= mean <= naive.high
    low, high = binom.ppf([0.005, 0.995], trials, 0.95)
    assert low <= grouped <= high
    assert alone < low, "ignoring the groups must be seen to be too narrow, or this test proves nothing"


def test_the_same_numbers_give_the_same_interval_and_another_seed_another() -> None:
    values, index = clustered(1, 60, 3, 0.5)
    assert bootstrap_mean(values, index, seed=4) == bootstrap_mean(values, index, seed=4)
    assert bootstrap_mean(values, index, seed=4) != bootstrap_mean(values, index, seed=5)


def test_the_names_of_groups_do_not_matter_but_what_they_join_does() -> None:
    values = np.array([True, False] * 30)
    joined = [f"photo{i // 2:02d}" for i in range(60)]
    assert bootstrap_mean(values, joined) == bootstrap_mean(values, [int(name[5:]) for name in joined])
    assert bootstrap_mean(values, [""] * 60) == bootstrap_mean(values, range(60))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_right_or_all_wrong_still_has_a_width(value: float) -> None:
    estimate = bootstrap_mean(np.full(40, value), np.arange(40) // 2)
    assert estimate.value == value
    assert estimate.method == "Wilson on 20 groups"
    assert estimate.high - estimate.low == pytest.approx(1.959964**2 / (20 + 1.959964**2), abs=1e-6)


def test_one_group_says_almost_nothing() -> None:
    estimate = bootstrap_mean([1.0, 0.0, 1.0], ["a", "a", "a"])
    assert estimate.method == "Wilson on 1 group"
    assert estimate.low < 0.15
    assert estimate.high > 0.95


def uneven(seed: int, groups: int, mean: float, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Bernoulli values in groups of 1 to some 30, each with its own probability."""
    random = np.random.default_rng(seed)
    sizes = 1 + random.negative_binomial(1.5, 0.18, groups)
    spread = (1 - correlation) / correlation
    own = random.beta(mean * spread, (1 - mean) * spread, groups)
    index = np.repeat(np.arange(groups), sizes)
    return random.random(len(index)) < own[index], index


@pytest.mark.parametrize("groups", [2, 3, 5, 9])
@pytest.mark.parametrize(("mean", "correlation"), [(0.8, 0.5), (0.5, 0.05), (0.95, 0.2)])
def test_few_groups_hold_the_truth_at_least_95_times_in_100(
    groups: int, mean: float, correlation: float
) -> None:
    """The whole table is that of benchmarks/few_groups.py."""
    trials = 200
    inside = 0
    for trial in range(trials):
        estimate = bootstrap_mean(*uneven(trial, groups, mean, correlation))
        inside += estimate.low <= mean <= estimate.high
    assert inside >= binom.ppf(0.005, trials, 0.95)


def test_without_it_few_groups_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "FEW_GROUPS", 0)
    trials = 100
    found = [bootstrap_mean(*uneven(trial, 2, 0.5, 0.2)) for trial in range(trials)]
    assert sum(one.low <= 0.5 <= one.high for one in found) < binom.ppf(0.005, trials, 0.95)


def test_eleven_groups_are_resampled_and_ten_are_not() -> None:
    values = (np.arange(44) % 3 > 0).astype(float)
    assert bootstrap_mean(values, np.arange(44) % 11).method == "bootstrap over 11 groups"
    assert "bootstrap" not in bootstrap_mean(values, np.arange(44) % 10).method


def test_single_drawings_have_the_exact_interval_of_the_binomial() -> None:
    values, count = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]), 6
    estimate = bootstrap_mean(values, np.arange(count))
    assert estimate.low == pytest.approx(float(beta.ppf(0.025, 4, 3)), abs=1e-9)
    assert estimate.high == pytest.approx(float(beta.ppf(0.975, 5, 2)), abs=1e-9)


def test_three_pupils_are_too_few_and_three_that_agree_on_much_are_not_fewer_than_one() -> None:
    pupils = np.repeat(["anna", "ben", "cleo"], 20)
    unlike = bootstrap_mean(np.repeat([1.0, 0.5, 0.1], 20) > np.tile(np.arange(20) / 20, 3), pupils)
    assert unlike.too_few
    assert unlike.method == "3 groups, too few to tell"
    alike = bootstrap_mean(np.tile(np.arange(20) < 16, 3), pupils)
    assert alike.high - alike.low < unlike.high - unlike.low
    many = bootstrap_mean(np.tile(np.arange(20) < 16, 20), np.repeat(np.arange(20), 20))
    assert not many.too_few
    accuracy = METRICS[0]
    assert metric_lines("holdout", [(accuracy, unlike)], 3)[-1] == "holdout: 3 groups, too few to tell"
    assert len(metric_lines("holdout", [(accuracy, many)], 3)) == 1


def test_wilson_agrees_with_the_textbook() -> None:
    estimate = wilson(0.5, 10, n=10)  # Newcombe 1998: 5 of 10 is 0.2366 to 0.7634
    assert (estimate.low, estimate.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    shifted = wilson(0.0, 10, n=10, bounds=(-1.0, 1.0))
    assert (shifted.low, shifted.high) == pytest.approx((2 * 0.2366 - 1, 2 * 0.7634 - 1), abs=2e-4)


def test_resamples_hold_as_many_groups_as_there_are_and_treat_them_alike() -> None:
    counts = np.concatenate(list(resample_counts(50, 2000, seed=0)))
    assert counts.shape == (2000, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 / np.sqrt(2000)
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.02)


def test_differences_may_be_negative_and_what_is_out_of_range_is_refused() -> None:
    differences = np.array([-1.0, 0.0, 1.0, 1.0] * 20)
    estimate = bootstrap_mean(differences, np.arange(80))
    assert estimate.low < estimate.value == 0.25 < estimate.high
    with pytest.raises(ValueError, match="outside"):
        bootstrap_mean([0.0, 3.0], ["a", "b"])
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([], [])


def test_an_estimate_reads_well() -> None:
    estimate = Estimate(0.4878, 0.451, 0.524, 1689)
    assert str(estimate) == "48.8% [45.1, 52.4], n = 1,689"


def test_a_contest_sized_interval_takes_under_a_second() -> None:
    values, index = clustered(2, 8000, 2, 0.8)
    start = time.process_time()
    bootstrap_mean(values, index)
    assert time.process_time() - start < 2.0  # 0.3 s on a quiet machine
