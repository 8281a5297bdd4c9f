"""What `calibrate` measures, in worlds whose temperature, errors and unknown classes are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from dessin.committees.rules.nested import deal_groups
from dessin.statistics.intervals import group_index
from dessin.trust.confidence.evidence import Answers, Bank, Evidence
from dessin.trust.confidence.measure import measure_calibration, measure_selection, temper
from dessin.trust.confidence.unknown import measure_rejection, scores_of

pytestmark = pytest.mark.slow

CLASSES = 20
N = 1200


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = special.softmax(logits.astype(np.float64), axis=1)
    return found


def world(*, too_sure: float = 1.0, seed: int = 0, scale: float = 2.5) -> Evidence:
    """Logits from which the labels were drawn, then multiplied by `too_sure`; groups of two images."""
    draw = np.random.default_rng([seed, 11])
    logits = draw.normal(scale=scale, size=(N, CLASSES))
    true = softmax(logits.astype(np.float32))
    targets = (true.cumsum(axis=1) < draw.uniform(size=(N, 1)) * true.sum(axis=1, keepdims=True)).sum(axis=1)
    return evidence((too_sure * logits).astype(np.float32), targets)


def evidence(logits: NDArray[np.float32], targets: NDArray[np.int64], bank: Bank | None = None) -> Evidence:
    ids = tuple(f"{number:05d}.png" for number in range(len(targets)))
    groups = np.array([f"photo {number // 2}" for number in range(len(targets))])
    return Evidence(
        answers=Answers(ids, softmax(logits), logits, None),
        targets=targets,
        groups=groups,
        parts=deal_groups(group_index(groups), ids),
        classes=tuple(f"class {number:02d}" for number in range(CLASSES)),
        bank=bank,
        seed=0,
    )


def test_logits_twice_too_large_get_a_temperature_of_two_and_lose_their_error() -> None:
    made = world(too_sure=2.0)
    corrected = temper(made)
    found = measure_calibration(made, corrected)
    assert found.temperature == pytest.approx(2.0, abs=0.2)
    assert found.ece.before.low > 0.05
    assert found.ece.after.low == 0.0
    assert found.ece.difference.high < 0
    assert found.overconfidence.before.low > 0
    assert found.overconfidence.after.low < 0 < found.overconfidence.after.high
    assert found.log_loss.difference.high < 0
    assert found.brier.difference.high < 0
    assert found.ece.before.value == pytest.approx(found.overconfidence.before.value, abs=0.02)


def test_a_calibrated_model_is_left_as_it_is() -> None:
    made = world()
    found = measure_calibration(made, temper(made))
    assert found.temperature == pytest.approx(1.0, abs=0.1)
    assert found.ece.before.low == 0.0
    assert found.ece.before.value < 0.02
    assert found.binned_ece[0] == pytest.approx(found.binned_ece_if_perfect[0], abs=0.02)
    assert abs(found.log_loss.difference.value) < 0.01


def test_no_part_is_judged_by_what_it_gave() -> None:
    made = world(too_sure=2.0)
    before = temper(made)
    # Labels of one part that say the opposite change what the others get, and not what that part gets.
    mine = made.parts == 0
    targets = np.where(mine, made.answers.probabilities.argmin(axis=1), made.targets)
    after = temper(replace(made, targets=targets))
    np.testing.assert_array_equal(before.crossed[mine], after.crossed[mine])
    assert not np.allclose(before.crossed[~mine], after.crossed[~mine])


def test_the_threshold_keeps_its_precision_on_fresh_images() -> None:
    kept = 0
    for seed in range(20):
        made, fresh = world(too_sure=2.0, seed=seed), world(too_sure=2.0, seed=1000 + seed)
        corrected = temper(made)
        selection = measure_selection(made, corrected, 0.85)
        if selection.threshold is None:
            kept += 1
            continue
        assert fresh.answers.logits is not None
        answered = softmax(fresh.answers.logits / corrected.temperature).max(axis=1) >= selection.threshold
        # How likely they are to be right: the world draws labels by half the logits.
        kept += softmax(fresh.answers.logits / 2).max(axis=1)[answered].mean() >= 0.85
        assert selection.precision is None or selection.precision.high > 0.85
        assert selection.coverage.n == N
    assert kept >= 19


def test_a_target_out_of_reach_is_said_with_what_can_be_reached() -> None:
    made = world(scale=0.5)
    selection = measure_selection(made, temper(made), 0.95)
    assert selection.threshold is None
    assert selection.reachable < 0.5
    assert selection.curve[-1].coverage == 1.0


def told_apart(strength: float, *, noise: int = 0) -> Evidence:
    """A network whose logit for the true class is `strength`, and noise for all others."""
    draw = np.random.default_rng(noise)
    targets = np.arange(N) % CLASSES
    logits = draw.normal(size=(N, CLASSES))
    logits[np.arange(N), targets] += strength
    return evidence(logits.astype(np.float32), targets)


def test_hidden_classes_are_told_where_only_the_own_class_responds() -> None:
    found = measure_rejection(told_apart(30.0), 1.0, None, None)
    assert found.held_out is not None
    assert found.held_out.of("energy").auroc.value > 0.999
    assert found.held_out.of("energy").detection.value > 0.99
    assert found.held_out.classes == CLASSES
    assert found.false_alarms.value == pytest.approx(0.05, abs=0.02)


def test_hidden_classes_are_not_told_where_nothing_responds() -> None:
    found = measure_rejection(told_apart(0.0), 1.0, None, None)
    assert found.held_out is not None
    for row in found.held_out.scores:
        assert row.auroc.low < 0.5 < row.auroc.high
        assert row.detection.value == pytest.approx(0.05, abs=0.03)


def test_a_hidden_class_leaves_no_trace_in_the_scores() -> None:
    draw = np.random.default_rng(3)
    bank = Bank(draw.normal(size=(200, 6)).astype(np.float32), np.arange(200) % CLASSES)
    made = replace(told_apart(3.0), bank=bank)
    features = draw.normal(size=(N, 6)).astype(np.float32)
    made = replace(made, answers=replace(made.answers, features=features))
    kept = np.arange(CLASSES) != 4
    before = scores_of(made, made.answers, 1.3, kept)
    logits = np.array(made.answers.logits)
    logits[:, 4] = draw.normal(size=N) * 9
    other = Bank(np.where((bank.targets == 4)[:, None], 7.0, bank.features).astype(np.float32), bank.targets)
    changed = Answers(made.answers.image_ids, softmax(logits), logits, features)
    after = scores_of(replace(made, bank=other), changed, 1.3, kept)
    assert before.keys() == after.keys() == {"energy", "max_probability", "negative_entropy", "nearest"}
    for score in before:
        np.testing.assert_allclose(before[score], after[score], atol=1e-6)


def test_with_two_classes_none_can_be_hidden() -> None:
    made = told_apart(3.0)
    two = replace(
        made,
        classes=made.classes[:2],
        targets=made.targets % 2,
        answers=Answers(made.answers.image_ids, softmax(made.answers.logits[:, :2]), None, None),  # type: ignore[index]
    )
    found = measure_rejection(two, 1.0, None, None)
    assert found.held_out is None
    assert found.folder is None
    assert found.chosen.score == "max_probability"
