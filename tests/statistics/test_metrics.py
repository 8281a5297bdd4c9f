"""Metrics against scikit-learn, and the tables of classes and confusions against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, precision_score, recall_score, top_k_accuracy_score

from dessin.errors import DessinError
from dessin.statistics.headline import rank_of
from dessin.statistics.metrics import measure


def guesses(seed: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    targets = random.integers(0, classes, n)
    table = random.dirichlet(np.full(classes, 0.5), n)
    table[np.arange(n), targets] += 0.3 * (np.arange(n) % 3 > 0)
    table[::7, :3] += 0.5
    return table / table.sum(axis=1, keepdims=True), targets


@pytest.mark.parametrize("classes", [7, 40])
def test_the_values_are_scikit_learns(classes: int) -> None:
    table, targets = guesses(classes, 300, classes)
    names = [f"class {i}" for i in range(classes)]
    metrics = measure(table, targets, np.arange(300), names)
    predicted = table.argmax(axis=1)
    assert metrics.accuracy.value == pytest.approx((predicted == targets).mean())
    assert metrics.results["top5"].value == pytest.approx(
        top_k_accuracy_score(targets, table, k=5, labels=range(classes))
    )
    f1 = f1_score(targets, predicted, average="macro")
    assert metrics.results["macro_f1"].value == pytest.approx(f1)
    assert metrics.loss.value == pytest.approx(log_loss(targets, table, labels=range(classes)), rel=1e-6)
    kwargs = {"average": None, "zero_division": 0.0, "labels": list(range(classes))}
    recalls = [row.recall.value if row.recall else 0.0 for row in metrics.per_class]
    assert recalls == pytest.approx(recall_score(targets, predicted, **kwargs))
    assert [row.precision or 0.0 for row in metrics.per_class] == pytest.approx(
        precision_score(targets, predicted, **kwargs)
    )
    for estimate in metrics.results.values():
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 300


def test_the_accuracy_interval_is_that_of_the_bare_mean() -> None:
    from dessin.statistics.intervals import bootstrap_mean

    table, targets = guesses(3, 200, 6)
    groups = [f"photo{i // 3}" for i in range(200)]
    metrics = measure(table, targets, groups, list("abcdef"), seed=9)
    assert metrics.accuracy == bootstrap_mean(table.argmax(axis=1) == targets, groups, seed=9)


def test_permuting_the_images_changes_nothing() -> None:
    table, targets = guesses(5, 120, 6)
    groups = np.array([f"photo{i // 4:02d}" for i in range(120)])
    order = np.random.default_rng(0).permutation(120)
    first = measure(table, targets, groups, list("abcdef"))
    second = measure(table[order], targets[order], groups[order], list("abcdef"))
    for name, estimate in first.results.items():
        other = second.results[name]
        assert (other.value, other.low, other.high) == pytest.approx(
            (estimate.value, estimate.low, estimate.high)
        )
    assert first.per_class == second.per_class


def test_a_set_without_one_class_says_so() -> None:
    table = np.eye(3)[[0, 0, 1, 2]]
    metrics = measure(table, np.array([0, 0, 1, 1]), list("wxyz"), ["cat", "dog", "owl"])
    assert metrics.absent == ("owl",)
    cat, dog, owl = metrics.per_class
    assert owl.n == 0
    assert owl.recall is None
    assert owl.f1 is None
    assert owl.precision == 0.0
    assert (dog.confused_with, dog.confused_count) == ("owl", 1)
    assert cat.confused_with == ""
    assert metrics.results["macro_f1"].value == pytest.approx((1 + 2 / 3) / 2)


def test_confusions_come_sorted_with_their_share() -> None:
    predicted = [1, 1, 1, 0, 2, 1, 0, 0]
    metrics = measure(np.eye(3)[predicted], np.array([0, 0, 0, 0, 1, 1, 2, 2]), range(8), ["a", "b", "c"])
    found = [(c.label, c.predicted, c.count, c.share) for c in metrics.confusions]
    assert found == [("a", "b", 3, 0.75), ("c", "a", 2, 1.0), ("b", "c", 1, 0.5)]


def test_few_classes_and_ties_are_ranked_without_luck() -> None:
    metrics = measure(np.full((4, 3), 1 / 3), np.array([0, 1, 2, 0]), range(4), ["a", "b", "c"])
    assert metrics.results["top5"].value == 1.0
    assert metrics.accuracy.value == 0.5
    assert rank_of(np.full((3, 3), 1 / 3), np.array([0, 1, 2])).tolist() == [0, 1, 2]


def test_certain_and_wrong_is_a_finite_loss() -> None:
    metrics = measure(np.eye(2)[[0, 0]], np.array([1, 1]), ["a", "b"], ["x", "y"])
    assert metrics.loss.value == pytest.approx(-np.log(1e-7))
    assert metrics.loss.low < metrics.loss.value


@pytest.mark.parametrize(
    ("table", "targets", "seen"),
    [
        (np.zeros((0, 2)), [], "no image"),
        (np.full((2, 3), 1 / 3), [0, 1], r"\(2, 3\)"),
        (np.full((2, 2), 0.5), [0, 2], "0 to 2"),
        (np.array([[0.5, np.nan], [0.5, 0.5]]), [0, 1], "distribution"),
        (np.array([[0.5, 0.1], [0.5, 0.5]]), [0, 1], "distribution"),
    ],
)
def test_what_cannot_be_measured_is_refused(table: np.ndarray, targets: list[int], seen: str) -> None:
    with pytest.raises(DessinError, match=seen):
        measure(table, np.array(targets), [str(i) for i in range(len(targets))], ["x", "y"])
