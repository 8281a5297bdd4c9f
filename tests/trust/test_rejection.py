"""Scores of familiarity: planted features that tell all, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.trust.confidence.rejection import (
    crossfitted_alarms,
    detection,
    energy,
    max_probability,
    nearest,
    negative_entropy,
    quantile_threshold,
    similarities,
)

pytestmark = pytest.mark.slow

KNOWN = np.arange(400) < 250
GROUPS = [f"image {i}" for i in range(400)]


def scores(seed: int, *, apart: float) -> NDArray[np.float64]:
    """Normal scores, those of known images higher by `apart`."""
    return np.random.default_rng(seed).normal(size=400) + apart * KNOWN


def auroc(values: NDArray[np.float64], known: NDArray[np.bool_]) -> float:
    """That of one way of dividing images that are all alone in their groups."""
    alone = [str(number) for number in range(len(values))]
    return detection(values[None], known[None], np.zeros(1), alone)[0].value


def test_a_score_that_tells_all_and_one_that_tells_nothing() -> None:
    assert auroc(scores(1, apart=20.0), KNOWN) == 1.0
    assert auroc(-scores(1, apart=20.0), KNOWN) == 0.0
    assert np.mean([auroc(scores(seed, apart=0.0), KNOWN) for seed in range(50)]) == pytest.approx(
        0.5, abs=0.02
    )
    assert auroc(np.zeros(400), KNOWN) == 0.5


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    values = np.round(scores(2, apart=1.0), 1)
    first, second = values[KNOWN][:, None], values[~KNOWN][None]
    assert auroc(values, KNOWN) == pytest.approx(((first > second) + 0.5 * (first == second)).mean())
    order = np.random.default_rng(3).permutation(400)
    assert auroc(values[order], KNOWN[order]) == pytest.approx(auroc(values, KNOWN))


def test_intervals_hold_the_truth_and_narrow_ones_do_not_come_from_few_groups() -> None:
    held = 0
    for seed in range(40):
        area, caught = detection(scores(seed, apart=1.0)[None], KNOWN[None], np.array([0.0]), GROUPS)
        # Of a normal difference of 1 with variance 2; of unknown ones half lie below 0.
        held += area.low <= 0.7602 <= area.high
        assert area.n == caught.n == 150
        assert caught.low < 0.5 + 0.1
        assert caught.high > 0.5 - 0.1
    assert held >= 34
    values = scores(0, apart=1.0)[None]
    alone, _ = detection(values, KNOWN[None], np.array([0.0]), GROUPS)
    few, _ = detection(values, KNOWN[None], np.array([0.0]), [str(i % 6) for i in range(400)])
    assert few.value == alone.value


def test_several_ways_of_dividing_count_by_their_unknown_images() -> None:
    values = scores(4, apart=1.0)
    other = ~KNOWN
    area, _ = detection(np.stack([values, -values]), np.stack([KNOWN, other]), np.zeros(2), GROUPS)
    expected = (150 * auroc(values, KNOWN) + 250 * auroc(-values, other)) / 400
    assert area.value == pytest.approx(expected)
    assert area.n == 400


def test_scores_are_high_for_the_sure_and_low_for_the_torn() -> None:
    logits = np.array([[9.0, 0.0, 0.0], [1.0, 0.9, 1.1]])
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    for values in (energy(logits), max_probability(probabilities), negative_entropy(probabilities)):
        assert values[0] > values[1]
    assert energy(logits) == pytest.approx(np.log(powers.sum(axis=1)))
    assert negative_entropy(np.full((1, 4), 0.25)) == pytest.approx(-np.log(4))
    assert negative_entropy(np.array([[1.0, 0.0]]))[0] == 0.0


def test_a_planted_feature_tells_the_near_from_the_far() -> None:
    draw = np.random.default_rng(7)
    bank = draw.normal(size=(60, 8)) * 0.1 + np.eye(8)[draw.integers(0, 4, 60)]
    near = draw.normal(size=(40, 8)) * 0.1 + np.eye(8)[draw.integers(0, 4, 40)]
    far = draw.normal(size=(40, 8)) * 0.1 + np.eye(8)[draw.integers(4, 8, 40)]
    values = nearest(similarities(np.concatenate([near, far]), bank))
    assert auroc(values, np.arange(80) < 40) == 1.0
    assert nearest(similarities(3.0 * near, 0.5 * bank)) == pytest.approx(nearest(similarities(near, bank)))
    assert nearest(similarities(bank[:1], np.repeat(bank[:1], 5, axis=0)))[0] == pytest.approx(0.0, abs=1e-7)


def test_own_images_are_rejected_as_often_as_meant() -> None:
    own = np.random.default_rng(8).normal(size=2000)
    parts = np.arange(2000) % 5
    assert crossfitted_alarms(own, parts, 0.05).mean() == pytest.approx(0.05, abs=0.01)
    assert (own < quantile_threshold(own, 0.05)).mean() <= 0.05
    # An image is judged by others alone: one far below all of them is always rejected.
    own[0] = -50.0
    assert crossfitted_alarms(own, parts, 0.05)[0]
