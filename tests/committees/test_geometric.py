"""The geometric vote: a logarithmic opinion pool, and weights under which it is most likely."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from dessin.answers.tree import vote
from dessin.committees.rules.choice import fit_exponents

Floats = NDArray[np.float64]


def draw(members: int, images: int = 80, classes: int = 6, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    dice = np.random.default_rng([seed, members])
    targets = dice.integers(0, classes, images)
    logits = dice.normal(size=(members, images, classes))
    logits[:, np.arange(images), targets] += dice.uniform(0.3, 2.0, (members, 1))
    powers = np.exp(logits)
    return powers / powers.sum(axis=2, keepdims=True), targets


def loss(weights: Floats, probabilities: Floats, targets: NDArray[np.int64]) -> float:
    joined = vote(list(probabilities), list(weights), "geometric")
    return float(-np.log(joined[np.arange(len(targets)), targets]).mean())


def test_it_is_the_geometric_mean_made_to_sum_to_one() -> None:
    found = vote([np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])], [1.0, 1.0], "geometric")
    odds = (0.9 * 0.2) ** 0.5 / (0.1 * 0.8) ** 0.5
    assert found == pytest.approx(np.array([[odds / (1 + odds), 1 / (1 + odds)]]))


def test_a_vote_of_clones_is_the_clone_and_a_weight_of_nothing_changes_nothing() -> None:
    (one, other), _ = draw(2)
    assert vote([one, one, one], [0.2, 3.0, 1.0], "geometric") == pytest.approx(one)
    assert vote([one, other], [1.0, 0.0], "geometric") == pytest.approx(one)


def test_an_answer_does_not_depend_on_what_is_asked_beside_it() -> None:
    probabilities, _ = draw(3)
    probabilities[0, 5] = np.eye(6)[2]
    whole = vote(list(probabilities), [1.0, 2.0, 1.0], "geometric")
    alone = vote([part[5:6] for part in probabilities], [1.0, 2.0, 1.0], "geometric")
    assert whole[5:6] == pytest.approx(alone, abs=1e-15)
    assert np.isfinite(whole).all()
    assert whole.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("members", [1, 2, 5])
def test_weights_are_as_good_as_those_of_a_general_search(members: int) -> None:
    probabilities, targets = draw(members)
    fitted = fit_exponents(probabilities, targets)
    assert fitted.sum() == pytest.approx(1.0)
    assert fitted.min() >= 0
    general = minimize(
        lambda point: loss(np.exp(point), probabilities, targets),
        np.zeros(members),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 4000},
    )
    assert loss(fitted, probabilities, targets) <= general.fun + 1e-5


def test_the_order_of_members_does_not_matter() -> None:
    probabilities, targets = draw(3)
    fitted = fit_exponents(probabilities, targets)
    assert fit_exponents(probabilities[[2, 0, 1]], targets) == pytest.approx(fitted[[2, 0, 1]], abs=1e-3)
