"""Clusters of confused classes: found where they were planted, and not claimed where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from mistake_kit import hand_answers

from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.measure import find_clusters

pytestmark = pytest.mark.slow

LABELS = tuple(f"class {number:02d}" for number in range(12))


def confused(seed: int, *, inside: float) -> Answered:
    """Sixteen drawings a class, half of them wrong; wrong ones stay among the next four with `inside`."""
    draw = np.random.default_rng([seed, 11])
    targets = np.repeat(np.arange(12), 16)
    block = targets // 4
    near = block * 4 + (targets % 4 + draw.integers(1, 4, len(targets))) % 4
    far = (targets + draw.integers(1, 12, len(targets))) % 12
    named = np.where(draw.random(len(targets)) < inside, near, far)
    return hand_answers(
        LABELS, targets, np.where(draw.random(len(targets)) < 0.5, targets, named), of_group=4
    )


def test_planted_clusters_are_found_with_their_mistakes() -> None:
    given = confused(0, inside=0.9)
    structure, rows = find_clusters(given)
    assert structure.beyond_chance
    assert structure.agreement is not None
    assert structure.agreement > 0.8
    assert {frozenset(row.labels) for row in rows} == {frozenset(LABELS[k : k + 4]) for k in (0, 4, 8)}
    wrong = int((~given.correct).sum())
    assert sum(row.mistakes for row in rows) == wrong
    for row in rows:
        assert row.inside <= row.mistakes
        assert row.share == row.inside / wrong
        assert row.share > 2 * row.expected
    assert [row.inside for row in rows] == sorted((row.inside for row in rows), reverse=True)


def test_confusions_without_structure_are_seldom_called_clusters() -> None:
    called = sum(find_clusters(confused(seed, inside=0.0))[0].beyond_chance for seed in range(20))
    assert called <= 4


def test_the_order_of_drawings_changes_no_cluster() -> None:
    given = confused(1, inside=0.9)
    order = np.random.default_rng(2).permutation(len(given.rows))
    turned = Answered(
        tuple(given.rows[place] for place in order),
        given.classes,
        given.probabilities[order],
        given.targets[order],
        given.names,
    )
    before, after = find_clusters(given)[1], find_clusters(turned)[1]
    assert [(row.name, row.labels, row.inside) for row in after] == [
        (row.name, row.labels, row.inside) for row in before
    ]
    assert [row.expected for row in after] == pytest.approx([row.expected for row in before])


def test_a_perfect_model_and_two_classes_have_no_clusters() -> None:
    targets = np.repeat(np.arange(12), 4)
    perfect = hand_answers(LABELS, targets, targets)
    sure = Answered(perfect.rows, LABELS, np.eye(12)[targets], targets, perfect.names)
    pair = hand_answers(LABELS[:2], targets % 2, np.zeros(48, dtype=np.int64))
    for given in (sure, pair):
        structure, rows = find_clusters(given)
        assert not structure.beyond_chance
        assert rows == ()
