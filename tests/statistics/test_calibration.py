"""Temperature scaling: planted temperatures are found, and odd probabilities do no harm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from dessin.errors import DessinError
from dessin.statistics.temperature import COLDEST, HOTTEST, fit_temperature


def made(temperature: float, *, seed: int = 0, images: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that would be calibrated at `temperature`, with labels drawn so."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2.0, size=(images, 7))
    honest = softmax(logits)
    targets = (honest.cumsum(axis=1) > random.random((images, 1))).argmax(axis=1)
    return softmax(logits * temperature), targets


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(probabilities: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    scaled = softmax(np.log(probabilities) / temperature)
    return float(-np.log(scaled[np.arange(len(targets)), targets]).mean())


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 6.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    probabilities, targets = made(temperature)
    assert fit_temperature(probabilities, targets) == pytest.approx(temperature, rel=0.07)


def test_it_is_the_minimum_to_the_fourth_digit() -> None:
    probabilities, targets = made(1.7, images=400)
    found = fit_temperature(probabilities, targets)
    best = minimize_scalar(
        lambda t: log_loss(probabilities, targets, t),
        bounds=(0.5, 5.0),
        method="bounded",
        options={"xatol": 1e-8},
    )
    assert found == pytest.approx(float(best.x), abs=1e-4)


def test_fitting_again_finds_one() -> None:
    probabilities, targets = made(3.0, images=400)
    scaled = softmax(np.log(probabilities) / fit_temperature(probabilities, targets))
    assert fit_temperature(scaled, targets) == pytest.approx(1.0, abs=1e-4)


def test_permuted_images_and_classes_change_nothing() -> None:
    probabilities, targets = made(2.0, images=200)
    random = np.random.default_rng(1)
    rows, columns = random.permutation(200), random.permutation(7)
    moved = fit_temperature(probabilities[rows][:, columns], np.argsort(columns)[targets[rows]])
    assert moved == pytest.approx(fit_temperature(probabilities, targets), abs=1e-6)


def test_probabilities_of_zero_are_taken_for_small_ones() -> None:
    # Three of four sure answers are right: p / (1 - p) = 3, from a logit of ln(1e7).
    sure = np.array([[1.0, 0.0]] * 4)
    found = fit_temperature(sure, np.array([0, 0, 0, 1]))
    assert found == pytest.approx(np.log(1e7) / np.log(3.0), abs=1e-4)


def test_where_the_loss_only_falls_a_bound_is_returned() -> None:
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7]])
    assert fit_temperature(probabilities, [0, 1]) == COLDEST
    assert fit_temperature(probabilities, [1, 0]) == HOTTEST
    assert fit_temperature(np.full((3, 4), 0.25), [0, 1, 2]) == 1.0


def test_shapes_that_do_not_agree_are_refused() -> None:
    with pytest.raises(DessinError, match="with labels"):
        fit_temperature(np.full((3, 2), 0.5), [0, 1])
    with pytest.raises(DessinError, match="cannot be fitted"):
        fit_temperature(np.zeros((0, 2)), [])
