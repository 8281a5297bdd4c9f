"""A thousand simulated studies: how often a difference is claimed that is not there, and what is found.

Each bar is that the nominal rate lies within the 95% interval of the rate seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from study_worlds import World

from dessin.page.numbers import ALPHA
from dessin.statistics import contrasts
from dessin.statistics.comparison import judge
from dessin.statistics.contrasts import Contrast, contrast
from dessin.statistics.intervals import Estimate
from dessin.statistics.paired_tests import holm
from dessin.statistics.power import Assumptions, expected_detectable

STUDIES = 1000
LEVEL = {"level 1": 1.0, "level 0": -1.0}
# Images, photos, trainings and training sets all vary.
USUAL = World(training_set=0.015)

pytestmark = pytest.mark.simulation


def _unasked(values: np.ndarray, *_: object, **__: object) -> Estimate:
    return Estimate(float(values.mean()), -1.0, 1.0, len(values))


@pytest.fixture
def without_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval of the images alone is resampled, which takes most of the time; it is not looked at."""
    monkeypatch.setattr(contrasts, "bootstrap_mean", _unasked)


def _carried_out(world: World, *, first: int = 0, studies: int = STUDIES) -> list[Contrast]:
    return [contrast(world.study(number), LEVEL) for number in range(first, first + studies)]


def _interval(hits: Sequence[bool]) -> tuple[float, float]:
    found = binomtest(int(np.sum(hits)), len(hits)).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _effect(world: World, difference: float) -> float:
    """What makes levels differ by `difference` in accuracy, on the probit scale."""
    still = np.sqrt(world.image**2 + world.photo**2 + world.taste**2 + world.answer**2)
    moving = np.sqrt(still**2 + world.run**2 + world.training_set**2)
    threshold = norm.ppf(world.accuracy) * still
    return float(norm.ppf(norm.cdf(threshold / moving) + difference) * moving - threshold)


def _measured(world: World) -> Assumptions:
    """What a pilot in this world would show of it."""
    differences = [study.correct[1] - study.correct[0] for study in map(world.study, range(60))]
    photos = np.repeat(np.arange(world.photos), world.drawings)

    def spread(values: np.ndarray) -> float:
        return float(np.sum(np.bincount(photos, values - values.mean()) ** 2))

    single = float(np.mean([spread(d[0]) for d in differences]))
    repeated = float(np.mean([spread(d.mean(axis=0)) for d in differences])) / single
    # A training's luck as a difference of accuracy: the slope of the probit where a random image lies.
    slope = norm.pdf(norm.ppf(world.accuracy)) / np.hypot(world.image, world.photo)
    return Assumptions(
        answered_otherwise=float(np.mean([(d[0] != 0).mean() for d in differences])),
        grouping=single / float(np.mean([np.sum((d[0] - d[0].mean()) ** 2) for d in differences])),
        shared=(repeated - 1 / world.seeds) / (1 - 1 / world.seeds),
        run_spread=float(np.hypot(world.run, world.training_set) * slope),
    )


@pytest.mark.usefixtures("without_images_alone")
def test_false_alarms_of_a_null_study_are_five_in_a_hundred() -> None:
    verdicts = [judge(result, result.p, matters=0.02)[0] for result in _carried_out(USUAL)]
    low, high = _interval([verdict in ("better", "worse") for verdict in verdicts])
    assert low <= ALPHA <= high


@pytest.mark.usefixtures("without_images_alone")
def test_false_alarms_over_three_levels_stay_below_five_in_a_hundred() -> None:
    world = replace(USUAL, levels=4)
    alarms = []
    for number in range(STUDIES):
        study = world.study(number)
        p = [contrast(study, {level: 1.0, "level 0": -1.0}).p for level in study.levels[1:]]
        alarms.append(min(holm(p)) < ALPHA)
    low, _high = _interval(alarms)
    assert low <= ALPHA


def test_images_alone_would_raise_false_alarms() -> None:
    """The planted fault: trainings that vary. The interval that forgets them must be seen to fail."""
    results = _carried_out(replace(USUAL, run=0.08), studies=300)
    images_alone = [result.by_image.low > 0 or result.by_image.high < 0 for result in results]
    assert _interval(images_alone)[0] > 2 * ALPHA
    low, high = _interval([result.p < ALPHA for result in results])
    assert low <= ALPHA <= high


@pytest.mark.usefixtures("without_images_alone")
def test_the_interval_holds_the_truth_in_95_of_100() -> None:
    difference = 0.03
    world = replace(USUAL, effect=_effect(USUAL, difference))
    low, high = _interval([r.difference.low <= difference <= r.difference.high for r in _carried_out(world)])
    assert low <= 0.95 <= high


@pytest.mark.usefixtures("without_images_alone")
def test_what_a_design_is_said_to_see_afterwards_is_found_in_80_of_100() -> None:
    stated = float(
        np.median([result.detectable() for result in _carried_out(USUAL, first=5000, studies=300)])
    )
    world = replace(USUAL, effect=_effect(USUAL, stated))
    low, high = _interval([result.p < ALPHA for result in _carried_out(world)])
    assert low <= 0.8 <= high


@pytest.mark.usefixtures("without_images_alone")
def test_what_a_design_is_said_to_see_beforehand_is_found_in_80_of_100() -> None:
    stated, _words = expected_detectable(1200, 3, 5, assumed=_measured(USUAL))
    world = replace(USUAL, effect=_effect(USUAL, stated))
    low, high = _interval([result.p < ALPHA for result in _carried_out(world)])
    assert low <= 0.8 <= high
