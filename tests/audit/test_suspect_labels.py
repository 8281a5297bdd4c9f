"""Suspect labels: planted wrong ones are found in worlds of confusions, and nothing depends on any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.audit.judgement import Judgement, judge_labels, self_confidence
from dessin.errors import DessinError

SEEDS = range(6)
WRONG = 0.06


@dataclass(frozen=True, eq=False)
class World:
    """Answers (N, C) of a weak model that confuses neighbouring classes and reads some classes badly."""

    probabilities: NDArray[np.float64]
    given: NDArray[np.int64]
    truth: NDArray[np.int64]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        return np.not_equal(self.given, self.truth)

    def judged(self) -> Judgement:
        return judge_labels(self.probabilities, self.given, [""] * len(self.given))

    def self_confidence(self) -> NDArray[np.float64]:
        return self.probabilities[np.arange(len(self.given)), self.given]


def confident_labels(probabilities: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most probable of the classes that reach their threshold, (N,); -1 where none does."""
    reached = probabilities >= self_confidence(probabilities, given)
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), best, -1).astype(np.int64)


def confident_joint(probabilities: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.float64]:
    """The joint distribution (C, C) of the given label (row) and the confident one (column); sums to 1.

    Rows are calibrated to how many drawings bear the label. The mass off the diagonal is the noise rate of
    confident learning, which judgements are held against here: it takes every confident other answer for a
    wrong label, so a weak model's own errors are in it.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(given, minlength=classes).astype(np.float64)
    confident = confident_labels(probabilities, given)
    sure = confident != -1
    joint = np.zeros((classes, classes))
    np.add.at(joint, (given[sure], confident[sure]), 1.0)
    # A class in which no drawing is sure says nothing against its labels.
    silent = joint.sum(axis=1) == 0
    joint[silent, silent] = 1.0
    joint *= (counts / joint.sum(axis=1))[:, None]
    total: NDArray[np.float64] = joint / joint.sum()
    return total


def world(
    seed: int,
    *,
    wrong: float = WRONG,
    classes: int = 20,
    each: int = 25,
    timid: float = 0.0,
    skill: float = 3.0,
) -> World:
    """`timid` is taken off every logit of class 0."""
    draw = np.random.default_rng([7, seed])
    truth = np.repeat(np.arange(classes), each)
    clarity = skill * draw.uniform(0.5, 1.5, classes)[truth]
    logits = draw.normal(0.0, 1.2, (len(truth), classes))
    every = np.arange(len(truth))
    logits[every, truth] += clarity
    logits[every, truth ^ 1] += 0.6 * clarity
    logits[:, 0] -= timid
    given = truth.copy()
    chosen = draw.permutation(len(truth))[: round(wrong * len(truth))]
    given[chosen] = (truth[chosen] + draw.integers(1, classes, len(chosen))) % classes
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return World(raised / raised.sum(axis=1, keepdims=True), given, truth)


def average_precision(wrong: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    hits = wrong[np.argsort(score, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def test_planted_wrong_labels_rank_far_above_chance_and_above_plain_self_confidence() -> None:
    worlds = [world(seed) for seed in SEEDS]
    ours = np.array([average_precision(w.wrong, w.judged().quality) for w in worlds])
    plain = np.array([average_precision(w.wrong, w.self_confidence()) for w in worlds])
    assert ours.min() > 5 * WRONG
    assert (ours - plain).mean() > 0.01
    assert (ours > plain).all()


def test_the_found_set_is_mostly_wrong_labels_and_as_many_as_the_estimate_says() -> None:
    judged = [(w, w.judged()) for w in map(world, SEEDS)]
    for w, judgement in judged:
        assert judgement.suspects.sum() == round(judgement.noise.value * len(w.given))
        assert judgement.quality[judgement.suspects].max() <= judgement.quality[~judgement.suspects].min()
        assert judgement.noise.low <= judgement.noise.value <= judgement.noise.high
    precision = [w.wrong[judgement.suspects].mean() for w, judgement in judged]
    assert np.mean(precision) > 8 * WRONG
    assert np.mean([judgement.noise.value for _, judgement in judged]) == pytest.approx(WRONG, abs=0.03)


def test_right_labels_raise_few_suspects_where_confident_learning_counts_the_errors_of_the_model() -> None:
    worlds = [world(seed, wrong=0.0) for seed in SEEDS]
    assert np.mean([w.judged().suspects.mean() for w in worlds]) < 0.02
    assert np.mean([1.0 - np.trace(confident_joint(w.probabilities, w.given)) for w in worlds]) > 0.1


def test_the_suggestion_is_another_class_and_usually_the_right_one() -> None:
    w = world(0)
    judgement = w.judged()
    found = judgement.suspects & w.wrong
    assert (judgement.suggested != w.given).all()
    assert (judgement.suggested[found] == w.truth[found]).mean() > 0.5


def test_the_order_of_drawings_and_of_classes_changes_nothing() -> None:
    w = world(1)
    judgement = w.judged()
    draw = np.random.default_rng(3)
    rows = draw.permutation(len(w.given))
    classes = draw.permutation(w.probabilities.shape[1])
    number = np.argsort(classes)
    moved = judge_labels(w.probabilities[rows][:, classes], number[w.given[rows]], [""] * len(rows))
    np.testing.assert_allclose(moved.quality, judgement.quality[rows], rtol=1e-6)
    np.testing.assert_array_equal(moved.suspects, judgement.suspects[rows])
    np.testing.assert_array_equal(classes[moved.suggested], judgement.suggested[rows])
    assert moved.noise.value == judgement.noise.value


def test_a_class_that_the_model_is_always_shy_of_does_not_flood_the_ranking() -> None:
    """By plain self-confidence the right drawings of the shy class come first."""
    shares: dict[str, list[float]] = {"ours": [], "plain": []}
    for seed in SEEDS:
        w = world(seed, timid=5.0)
        right = (w.truth == 0) & ~w.wrong
        top = round(0.1 * len(w.given))
        for name, score in (("ours", w.judged().quality), ("plain", w.self_confidence())):
            first = np.argsort(score, kind="stable")[:top]
            shares[name].append(right[first].sum() / right.sum())
    assert np.mean(shares["plain"]) > 0.6
    assert np.mean(shares["ours"]) < 0.25


@pytest.mark.parametrize("each", [1, 2, 3])
def test_classes_of_few_drawings_and_models_at_chance_do_not_explode(each: int) -> None:
    w = world(0, each=each, skill=0.0)
    judgement = w.judged()
    assert np.isfinite(judgement.quality).all()
    assert ((judgement.quality >= 0) & (judgement.quality <= 1)).all()
    thresholds = self_confidence(w.probabilities, w.given)
    own = w.self_confidence()
    assert ((thresholds > own.min() / 2) & (thresholds < own.max())).all()


def test_answers_that_are_sure_or_all_alike_are_judged_too() -> None:
    truth = np.repeat(np.arange(4), 10)
    given = truth.copy()
    given[[0, 25]] = [3, 1]
    sure = judge_labels(np.eye(4)[truth], given, [""] * 40)
    assert set(sure.ranking[:2]) == {0, 25}
    assert sure.suggested[[0, 25]].tolist() == [0, 2]
    alike = judge_labels(np.full((40, 4), 0.25), given, [""] * 40)
    np.testing.assert_allclose(alike.quality, alike.quality[0], atol=0.2)


def test_the_confident_joint_of_sure_answers_is_the_table_of_labels_and_answers() -> None:
    truth = np.repeat(np.arange(3), 20)
    given = truth.copy()
    given[:4] = 1
    joint = confident_joint(np.eye(3)[truth] * 0.94 + 0.02, given)
    expected = np.zeros((3, 3))
    np.add.at(expected, (given, truth), 1 / len(truth))
    np.testing.assert_allclose(joint, expected)


def test_the_rows_of_the_confident_joint_are_the_shares_of_the_labels() -> None:
    w = world(2)
    joint = confident_joint(w.probabilities, w.given)
    np.testing.assert_allclose(joint.sum(axis=1), np.bincount(w.given) / len(w.given))
    # A class without any drawing has no row, and takes none from the others.
    wider = np.pad(w.probabilities, ((0, 0), (0, 1)))
    np.testing.assert_allclose(confident_joint(wider, w.given).sum(axis=1)[:-1], joint.sum(axis=1))


def test_tables_that_do_not_fit_are_refused() -> None:
    for table, labels in ((np.ones((3, 1)), [0, 0, 0]), (np.ones((3, 2)), [0, 1]), (np.ones((0, 2)), [])):
        with pytest.raises(DessinError, match="cannot be judged"):
            judge_labels(table, labels, [""] * len(labels))
