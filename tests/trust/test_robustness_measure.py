"""Asking a model about the suite: planted models whose accuracies are known, in any order of drawings."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.collection.split.files import Assignment
from dessin.errors import DessinError
from dessin.trust.robustness.asking import SetImages, ahead, choose_seconds, right_answers
from dessin.trust.robustness.corruption import STRENGTHS
from dessin.trust.robustness.suite import SUITE

SIZE = 24
COUNT = 70
NAMES = [corruption.name for corruption in SUITE]
Pixels = NDArray[np.uint8]


def a_set(size: int = SIZE) -> SetImages:
    """More drawings than a batch holds: rings of growing size on white."""
    pages = np.full((COUNT, 1, 4 * SIZE, 4 * SIZE), 255, np.uint8)
    for number in range(COUNT):
        cv2.circle(pages[number, 0], (2 * SIZE, 2 * SIZE), 12 + number // 4, 0, 4)
    small = np.stack(
        [cv2.resize(page[0], (size, size), interpolation=cv2.INTER_AREA)[None] for page in pages]
    )
    ids = tuple(f"ring-{number}" for number in range(COUNT))
    seconds = choose_seconds([Assignment(name, str(n % 5), "", 0) for n, name in enumerate(ids)])
    return SetImages(small, np.full((COUNT, 1), 255, np.uint8), np.arange(COUNT), ids, seconds)


def one_hot(chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.eye(2, dtype=np.float32)[chosen]


def sees_dark_corners(batches: Sequence[Pixels]) -> NDArray[np.float32]:
    """Class 1 where more than half of the corners are dark, else 0."""
    corners = batches[0][:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    return one_hot((np.count_nonzero(corners < 128, axis=1) > 2).astype(np.int64))


def test_a_model_that_sees_only_brightness_fails_where_it_is_planted_to() -> None:
    targets = np.zeros(COUNT, dtype=np.int64)
    correct = right_answers([a_set()], np.arange(COUNT), targets, sees_dark_corners)
    accuracy = correct.mean(axis=2)
    assert correct.shape == (len(SUITE), STRENGTHS, COUNT)
    assert np.all(accuracy[NAMES.index("inverted"), -1] == 0)
    for name in ("line_thicker", "faded_ink", "rotation", "shift", "second_drawing", "scale", "blur"):
        assert np.all(accuracy[NAMES.index(name)] == 1), name


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_right_labels_of_a_constant_model_is_its_accuracy_everywhere(share: float) -> None:
    targets = np.zeros(COUNT, dtype=np.int64)
    targets[round(share * COUNT) :] = 1
    correct = right_answers(
        [a_set()], np.arange(COUNT), targets, lambda batches: one_hot(np.zeros(len(batches[0]), np.int64))
    )
    np.testing.assert_array_equal(correct, np.broadcast_to(targets == 0, correct.shape))


def test_a_permuted_order_of_drawings_permutes_the_answers() -> None:
    def picky(batches: Sequence[Pixels]) -> NDArray[np.float32]:
        # An answer that hangs on every pixel of a picture and on nothing else.
        return one_hot(batches[0].reshape(len(batches[0]), -1).astype(np.int64).sum(axis=1) % 2)

    targets = (np.arange(COUNT) % 2).astype(np.int64)
    order = np.random.default_rng(3).permutation(COUNT)
    plain = right_answers([a_set()], np.arange(COUNT), targets, picky)
    permuted = right_answers([a_set()], order, targets[order], picky)
    np.testing.assert_array_equal(permuted, plain[:, :, order])
    some = np.array([3, 60, 41])
    np.testing.assert_array_equal(right_answers([a_set()], some, targets[some], picky), plain[:, :, some])
    assert 0.3 < plain.mean() < 0.7


def test_models_of_two_sizes_are_shown_the_same_corruption() -> None:
    apart: list[float] = []

    def compare(batches: Sequence[Pixels]) -> NDArray[np.float32]:
        small, large = batches
        assert len(small) == len(large)
        for a, b in zip(small, large, strict=True):
            reduced = cv2.resize(b[0], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            apart.append(float(np.abs(reduced.astype(int) - a[0]).mean()))
        return one_hot(np.zeros(len(small), np.int64))

    sets = [a_set(), a_set(2 * SIZE)]
    right_answers(sets, np.arange(5), np.zeros(5, dtype=np.int64), compare)
    assert len(apart) == 5 * len(SUITE) * STRENGTHS
    # Another second drawing, side or place would be as far apart as two drawings are: 30 levels and more.
    assert np.median(apart) < 4
    assert np.quantile(apart, 0.9) < 16


def test_the_drawing_beside_is_of_another_class_of_the_same_fold_whatever_the_order() -> None:
    rows = [Assignment(f"image-{n}", f"class-{n % 4}", "", n % 3) for n in range(40)]
    chosen = choose_seconds(rows)
    for place, other in enumerate(chosen):
        assert rows[place].label != rows[other].label
        assert rows[place].fold == rows[other].fold
    assert len(set(chosen.tolist())) > 15
    order = np.random.default_rng(0).permutation(40)
    again = choose_seconds([rows[place] for place in order])
    assert [rows[order[other]] for other in again] == [rows[chosen[place]] for place in order]


def test_a_fold_of_one_class_is_refused_in_words() -> None:
    with pytest.raises(DessinError, match='of fold 1 are of the class "b"'):
        choose_seconds([Assignment(str(n), "b" if n else "a", "", n // 2) for n in range(4)])


def test_items_made_ahead_come_in_order_from_one_other_thread_and_errors_arrive() -> None:
    makers = []

    def make() -> object:
        for number in range(5):
            makers.append(threading.current_thread())
            yield number
        raise ValueError("the sixth")

    items = ahead(make())
    assert [next(items) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="the sixth"):
        next(items)
    assert len(set(makers)) == 1
    assert threading.current_thread() not in makers
