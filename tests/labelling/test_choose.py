"""What is asked next: every kind of drawing once before any twice, then what lies between kinds."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.labelling.choose import choose, clusters, outlook, reduced, spread, suggest, unsure

KINDS, EACH, WIDE = 12, 30, 40


def world(seed: int, *, spread_of: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) of kinds that lie apart, of very different sizes, and the kind of each (N,)."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(KINDS, WIDE))
    sizes = [EACH * (3 if kind == 0 else 1) for kind in range(KINDS)]
    kinds = np.repeat(np.arange(KINDS), sizes)
    features = centres[kinds] + spread_of * random.normal(size=(len(kinds), WIDE))
    order = random.permutation(len(kinds))
    return features[order].astype(np.float32), kinds[order]


@pytest.mark.parametrize("seed", range(5))
def test_each_kind_is_asked_about_once_before_any_is_twice(seed: int) -> None:
    features, kinds = world(seed)
    first = spread(reduced(features), np.array([], dtype=np.int64), KINDS, seed)
    assert len(set(kinds[first].tolist())) >= KINDS - 1
    # Random ones find about seven of twelve, fewer where one kind is large.
    drawn = np.random.default_rng(seed).permutation(len(kinds))[:KINDS]
    assert len(set(kinds[first].tolist())) > len(set(kinds[drawn].tolist()))


def test_nothing_is_asked_twice_and_all_are_asked_in_the_end() -> None:
    features, kinds = world(0)
    places, labels, passed = reduced(features), dict[int, str](), {3}
    while len(labels) + len(passed) < len(kinds):
        for row in choose(features, places, labels, passed, 50).tolist():
            assert row not in labels
            assert row not in passed
            labels[row] = str(kinds[row])
    assert sorted(labels) == [row for row in range(len(kinds)) if row != 3]
    assert choose(features, places, labels, passed, 50).tolist() == []


def test_what_is_asked_is_a_function_of_what_was_said() -> None:
    features, kinds = world(1)
    labels = {row: str(kinds[row]) for row in range(20)}
    backwards = dict(reversed(labels.items()))
    places = reduced(features)
    assert (
        choose(features, places, labels, {30, 40}, 9).tolist()
        == choose(features, places, backwards, {40, 30}, 9).tolist()
    )


def test_doubt_is_asked_about_and_not_the_same_twice() -> None:
    places = np.array([[0.0, 1.0], [0.01, 1.0], [1.0, 0.0], [0.7, 0.7], [0.71, 0.7], [-1.0, 0.0]], np.float32)
    sure, torn = [0.98, 0.02], [0.51, 0.49]
    probabilities = np.array([sure, sure, sure, torn, torn, torn])
    asked = unsure(places, probabilities, np.array([2]), 2)
    assert set(asked.tolist()) == {5, 3} or set(asked.tolist()) == {5, 4}


def test_a_suggestion_is_the_kind_that_was_named() -> None:
    features, kinds = world(2)
    labels = {int(np.flatnonzero(kinds == kind)[0]): f"kind {kind}" for kind in range(KINDS)}
    found = suggest(features, labels)
    assert found is not None
    named = [found.classes[number] for number in found.probabilities.argmax(axis=1)]
    assert np.mean([name == f"kind {kind}" for name, kind in zip(named, kinds, strict=True)]) > 0.95
    assert np.allclose(found.probabilities.sum(axis=1), 1.0)
    assert suggest(features, {0: "one", 1: "one"}) is None


def test_what_more_labels_bring_is_little_where_all_is_known_and_much_where_it_is_not() -> None:
    easy, kinds = world(3)
    hard, _ = world(3, spread_of=1.5)
    labels = {row: str(kinds[row] % 4) for row in range(120)}
    known = {row: str(kinds[row]) for row in range(120)}
    done, open_ = outlook(easy, known, 50), outlook(hard, labels, 50)
    assert done is not None
    assert open_ is not None
    assert done.accuracy.value > 0.95
    assert done.gain.value < 0.02 < open_.gain.value
    assert open_.gain.low <= open_.gain.value <= open_.gain.high <= 1 - open_.accuracy.value + 0.15
    assert outlook(easy, {0: "a", 1: "b"}, 50) is None


def test_groups_do_not_depend_on_the_order_of_the_drawings() -> None:
    features, kinds = world(4)
    groups = clusters(reduced(features), KINDS)
    for kind in range(KINDS):
        assert len(set(groups[kinds == kind].tolist())) <= 2
