from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from dessin.committees.rules.choice import fit_weights


def likelihood(weights: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    return float(np.log(weights @ own).mean())


def draw_own(members: int, images: int, seed: int) -> NDArray[np.float64]:
    draw = np.random.default_rng([seed, members])
    return draw.beta(draw.uniform(0.4, 3.0, (members, 1)), 1.0, (members, images)) + 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_as_good_as_a_general_optimiser(seed: int) -> None:
    own = draw_own(5, 200, seed)
    general = minimize(
        lambda weights: -likelihood(weights, own),
        np.full(5, 0.2),
        bounds=[(0.0, 1.0)] * 5,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1.0},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    fitted = fit_weights(own)
    assert likelihood(fitted, own) >= -general.fun - 1e-8
    assert fitted == pytest.approx(general.x, abs=1e-3)


@pytest.mark.parametrize("members", [2, 7, 20])
def test_no_direction_leads_up(members: int) -> None:
    """Karush, Kuhn and Tucker: the gradient is 1 where there is weight, and nowhere more."""
    own = draw_own(members, 300, 1)
    weights = fit_weights(own)
    gradient = (own / (weights @ own)).mean(axis=1)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights.min() >= 0
    assert gradient.max() <= 1 + 1e-7
    assert gradient[weights > 1e-3] == pytest.approx(1.0, abs=1e-4)


def test_members_that_share_the_images_weigh_as_many_as_they_have() -> None:
    own = np.array([[1.0] * 7 + [0.0] * 3, [0.0] * 7 + [1.0] * 3])
    assert fit_weights(own) == pytest.approx([0.7, 0.3], abs=1e-5)


def test_a_member_that_knows_nothing_gets_nothing() -> None:
    own = np.stack([draw_own(1, 100, 0)[0], np.zeros(100)])
    assert fit_weights(own) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_clones_weigh_alike_and_the_vote_stays() -> None:
    own = draw_own(4, 300, 2)
    alone, doubled = fit_weights(own), fit_weights(own[[0, 1, 2, 3, 0]])
    assert doubled[0] == pytest.approx(doubled[4], abs=1e-9)
    assert doubled @ own[[0, 1, 2, 3, 0]] == pytest.approx(alone @ own, abs=1e-3)


def test_permuted_members_have_permuted_weights() -> None:
    own, order = draw_own(6, 300, 3), np.array([4, 0, 5, 2, 1, 3])
    assert fit_weights(own[order]) == pytest.approx(fit_weights(own)[order], abs=1e-8)


def test_one_member_has_it_all_and_none_is_refused() -> None:
    assert fit_weights(np.array([[0.0, 0.5]])).tolist() == [1.0]
    with pytest.raises(ValueError, match="own probabilities"):
        fit_weights(np.zeros((0, 4)))
