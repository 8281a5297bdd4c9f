"""Contrasts: symmetries, hand-worked cases, missing runs, and what the parts of the variance mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from study_worlds import World

from dessin.statistics.comparison import compare, judge, what_is_seen
from dessin.statistics.contrasts import Outcomes, contrast, two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.paired_tests import holm

WORLD = World(photos=60, drawings=4, effect=0.1)
LEVEL = {"level 1": 1.0, "level 0": -1.0}


def test_the_difference_is_that_of_the_accuracies() -> None:
    study = WORLD.study(0)
    result = contrast(study, LEVEL)
    assert result.difference.value == pytest.approx(study.correct[1].mean() - study.correct[0].mean())
    assert result.difference.low < result.difference.value < result.difference.high
    assert result.by_image.value == pytest.approx(result.difference.value)
    assert (result.cells, result.images, result.scope) == (15, 240, "recipes")


def test_the_other_way_round_is_the_negative() -> None:
    study = WORLD.study(1)
    there, back = contrast(study, LEVEL), contrast(study, {"level 0": 1.0, "level 1": -1.0})
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there.p == pytest.approx(back.p)


def test_the_order_of_images_and_seeds_does_not_matter() -> None:
    study = WORLD.study(2)
    images = np.random.default_rng(0).permutation(240)
    mixed = replace(
        study,
        correct=study.correct[:, ::-1][:, :, images],
        fold_of=study.fold_of[images],
        groups=study.groups[images],
        seeds=study.seeds[::-1],
    )
    before, after = contrast(study, LEVEL), contrast(mixed, LEVEL)
    assert after.p == pytest.approx(before.p)
    assert after.difference.low == pytest.approx(before.difference.low)
    assert after.by_fold is not None
    assert before.by_fold is not None
    assert after.by_fold.low == pytest.approx(before.by_fold.low)


def test_a_level_and_its_clone_do_not_differ() -> None:
    study = WORLD.study(3)
    clone = replace(study, correct=np.stack([study.correct[0], study.correct[0]]))
    result = contrast(clone, LEVEL)
    assert result.p == 1.0
    assert result.difference.value == 0
    # 60 groups without a difference: at most 1 - 0.025^(1/60) of all groups would have one.
    assert result.difference.high == pytest.approx(1 - 0.025 ** (1 / 60))
    assert judge(result, result.p, matters=0.1)[0] == "no difference"
    assert judge(result, result.p, matters=0.02)[0] == "cannot tell"


def test_a_difference_in_every_single_image_is_certain() -> None:
    study = WORLD.study(3)
    result = contrast(replace(study, correct=np.stack([np.zeros((3, 240)), np.ones((3, 240))])), LEVEL)
    assert result.difference.value == 1
    assert result.p == 0
    assert judge(result, result.p, matters=0.02)[0] == "better"


def test_one_run_each_says_nothing_of_recipes() -> None:
    study = replace(World(seeds=1, folds=1, photos=60, drawings=4), folds=1).study(0)
    result = contrast(study, LEVEL)
    assert result.scope == "these runs"
    assert result.variance.runs == 0
    assert "luck" in judge(result, result.p, matters=0.02)[1]


def test_two_models_agree_with_the_bootstrap_over_groups() -> None:
    study = World(seeds=1, folds=1, photos=200, drawings=4).study(5)
    first, second = study.correct[1, 0], study.correct[0, 0]
    result = two_models(first, second, study.groups)
    resampled = bootstrap_mean(first - second, study.groups, bounds=(-1, 1))
    assert result.by_image == resampled
    assert result.difference.low == pytest.approx(resampled.low, abs=0.004)
    assert result.difference.high == pytest.approx(resampled.high, abs=0.004)


def test_luck_of_runs_widens_the_interval() -> None:
    calm, lucky = World(run=0.0), World(run=0.2)
    spread = [contrast(world.study(0), LEVEL) for world in (calm, lucky)]
    assert spread[1].standard_error > 1.5 * spread[0].standard_error
    # The truth: a run's luck of 0.2 on the probit scale, at this accuracy and spread of images.
    assert spread[1].variance.run_spread == pytest.approx(0.2 * np.sqrt(2) * 0.19, rel=0.35)
    assert spread[0].variance.images == pytest.approx(spread[1].variance.images, rel=0.2)


def test_training_sets_that_suit_a_level_are_noticed() -> None:
    result = contrast(World(training_set=0.3, run=0.02).study(0), LEVEL)
    assert result.variance.folds_differ
    assert "overlap" in result.difference.method
    assert not contrast(World(run=0.02).study(0), LEVEL).variance.folds_differ


def test_groups_count_not_drawings() -> None:
    """Drawings that are copies of one another add nothing."""
    single = World(photos=150, drawings=1, folds=1, seeds=1).study(0)
    copied = replace(
        single,
        correct=np.repeat(single.correct, 6, axis=2),
        fold_of=np.repeat(single.fold_of, 6),
        groups=np.repeat(single.groups, 6),
    )
    assert contrast(copied, LEVEL).standard_error == pytest.approx(contrast(single, LEVEL).standard_error)


def test_missing_runs_are_left_out_for_both() -> None:
    study = WORLD.study(6)
    missing = study.correct.copy()
    missing[1, 0, study.fold_of == 2] = np.nan
    result = contrast(replace(study, correct=missing), LEVEL)
    assert result.cells == 14
    assert result.images == 240
    assert len(result.seed_differences) == 2
    both = missing.copy()
    both[0, 0, study.fold_of == 2] = np.nan
    assert contrast(replace(study, correct=both), LEVEL).p == result.p


def test_a_fold_that_no_run_of_a_level_has_goes() -> None:
    study = WORLD.study(6)
    missing = study.correct.copy()
    missing[1, :, study.fold_of == 2] = np.nan
    kept = study.fold_of != 2
    alone = Outcomes(
        study.levels,
        study.seeds,
        (0, 1, 3, 4),
        study.correct[:, :, kept],
        study.fold_of[kept],
        study.groups[kept],
        tuple(np.array(study.image_ids)[kept]),
        5,
    )
    assert contrast(replace(study, correct=missing), LEVEL).difference == contrast(alone, LEVEL).difference


def test_nothing_in_common_is_an_error() -> None:
    study = WORLD.study(6)
    missing = study.correct.copy()
    missing[1] = np.nan
    with pytest.raises(ValueError, match="no run of the same"):
        contrast(replace(study, correct=missing), LEVEL)


@pytest.mark.parametrize("weights", [{"level 1": 1.0}, {"level 1": 2.0, "level 0": -2.0}])
def test_weights_must_be_a_contrast(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no contrast"):
        contrast(WORLD.study(0), weights)


def test_a_main_effect_is_the_mean_of_its_differences() -> None:
    study = World(levels=4, photos=60, drawings=4).study(0)
    weights = {"level 0": -0.5, "level 1": -0.5, "level 2": 0.5, "level 3": 0.5}
    means = study.correct.mean(axis=(1, 2))
    expected = (means[2] + means[3] - means[0] - means[1]) / 2
    assert contrast(study, weights).difference.value == pytest.approx(expected)


def test_verdicts_follow_from_the_interval() -> None:
    result = contrast(World(effect=0.4).study(0), LEVEL)
    verdict, text = judge(result, result.p, matters=0.02)
    assert verdict == "better"
    assert "points" in text
    back = contrast(World(effect=0.4).study(0), {"level 0": 1.0, "level 1": -1.0})
    assert judge(back, back.p, matters=0.02)[0] == "worse"
    calm = contrast(World(effect=0.0).study(4), LEVEL)
    bound = max(abs(calm.difference.low), abs(calm.difference.high))
    assert judge(calm, 0.5, matters=bound + 1e-9)[0] == "no difference"
    assert judge(calm, 0.5, matters=bound - 1e-9)[0] == "cannot tell"


def test_a_design_that_sees_nothing_says_so_in_words() -> None:
    assert what_is_seen(0.021) == "this design finds 2.1 points or more in 80 of 100 studies"
    assert "next to nothing" in what_is_seen(1.0)


def test_comparisons_share_one_correction_and_may_leave_luck_to_a_caution() -> None:
    many, one = WORLD.study(4), replace(World(seeds=1, folds=1, photos=60, drawings=4), folds=1).study(0)
    found = [contrast(many, LEVEL), contrast(one, LEVEL)]
    pairs = [(name, "level 0", result) for name, result in zip("ab", found, strict=True)]
    first, second = compare(pairs, 0.02)
    assert [first.p_holm, second.p_holm] == pytest.approx(holm([result.p for result in found]))
    assert (first.verdict, first.verdict_text) == judge(found[0], first.p_holm, 0.02, comparisons=2)
    assert ("luck" in first.verdict_text, "luck" in second.verdict_text) == (False, True)
    quiet = compare(pairs, 0.02, luck=False)[1]
    assert "luck" not in quiet.verdict_text
    assert quiet.scope == "these runs"
    (alone,) = compare(pairs[1:], 0.02)
    assert alone.p_holm == found[1].p


def test_an_interval_that_leaves_out_zero_and_a_verdict_that_cannot_tell_give_their_reason() -> None:
    """Six rules of which the first is a little better: alone it would be told, as one of six it is not."""
    random = np.random.default_rng(7)
    base = random.random(400) < 0.6
    found = []
    for number in range(6):
        changed = random.random(400) < 0.06
        right = np.where(changed, random.random(400) < (0.82 if number == 0 else 0.5), base)
        found.append((f"rule {number}", "base", two_models(right, base, np.arange(400))))
    first = compare(found, 0.001)[0]
    assert first.difference.low > 0
    assert first.p < 0.05 <= first.p_holm
    assert first.verdict == "cannot tell"
    assert "6 were compared" in first.verdict_text
    assert first.in_short == "cannot tell, as one of 6 compared"
    alone = compare(found[:1], 0.001)[0]
    assert alone.verdict == alone.in_short == "better"


@pytest.mark.parametrize("groups", [2, 4, 9])
def test_a_difference_from_few_groups_holds_the_truth_at_least_95_times_in_100(groups: int) -> None:
    """Of 3 points, where whole groups are answered alike or not; and its p agrees with its interval."""
    trials = inside = 100
    for trial in range(trials):
        random = np.random.default_rng([5, trial])
        index = np.repeat(np.arange(groups), 1 + random.negative_binomial(1.5, 0.18, groups))
        changed = random.random(len(index)) < random.beta(0.3, 0.9, groups)[index]
        base = random.random(len(index)) < 0.6
        first = np.where(changed, random.random(len(index)) < 0.56, base)
        second = np.where(changed, ~first, base)
        found = two_models(first, second, index)
        inside -= not found.difference.low <= 0.03 <= found.difference.high
        assert (found.p < 0.05) == (found.difference.low > 0 or found.difference.high < 0)
    assert inside >= binom.ppf(0.005, trials, 0.95)
