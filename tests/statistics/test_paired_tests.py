"""Exact tests against hand-worked cases and their symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.statistics.paired_tests import holm, mcnemar, sign_flip


def test_mcnemar_counts_who_was_right_alone() -> None:
    first = np.array([1, 1, 1, 1, 1, 1, 0, 0, 1])
    second = np.array([0, 0, 0, 0, 0, 1, 1, 0, 1])
    alone, other, p = mcnemar(first, second)
    assert (alone, other) == (5, 1)
    assert p == pytest.approx(2 * (1 + 6) / 2**6)  # 0 or 1 of 6 coins, both sides


def test_mcnemar_does_not_care_which_model_comes_first() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 2, (2, 200))
    assert mcnemar(first, second)[2] == mcnemar(second, first)[2]


def test_models_that_answer_alike_cannot_be_told_apart() -> None:
    assert mcnemar([1, 0, 1], [1, 0, 1]) == (0, 0, 1.0)


def test_mcnemar_refuses_other_images() -> None:
    with pytest.raises(ValueError, match="same images"):
        mcnemar([1, 0], [1, 0, 1])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_holm_follows_the_order_given() -> None:
    p = [0.2, 0.001, 0.04, 0.03]
    turned = [2, 0, 3, 1]
    adjusted = holm(p)
    assert holm([p[i] for i in turned]) == [adjusted[i] for i in turned]
    assert all(after >= before for before, after in zip(p, adjusted, strict=True))


@pytest.mark.parametrize(("pairs", "least"), [(3, 0.25), (6, 0.03125)])
def test_sign_flips_cannot_go_below_what_so_few_pairs_allow(pairs: int, least: float) -> None:
    assert sign_flip([0.01] * pairs) == pytest.approx(least)


def test_sign_flip_by_hand() -> None:
    # ±3 ±1: sums 4, 2, -2, -4, of which 4 and 2 ... all four are at least 2 away from nothing.
    assert sign_flip([3.0, -1.0]) == pytest.approx(1.0)
    assert sign_flip([3.0, 1.0]) == pytest.approx(0.5)
