from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import TinyNet, make_data, make_settings, make_training, run_tiny

from dessin.training.guard import Collapsed
from dessin.training.range_test import RangeRow, RangeTest, choose_lr, find_lr

pytestmark = pytest.mark.slow


def find(model: Any = None, **changes: Any) -> RangeTest:
    recipe = make_settings(**{"optimizer": {"lr": "auto"}, **changes})
    return find_lr(make_training(model, recipe, make_data(60, 30), batch_size=10))


def test_the_weights_and_the_generators_stay() -> None:
    model = TinyNet().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    generator = torch.random.get_rng_state()
    find(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_depends_on_the_seed_alone() -> None:
    first = find()
    assert find() == first
    assert find(seed=8).rows != first.rows


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_rates_rise_geometrically_to_the_top_or_to_where_the_loss_explodes(name: str) -> None:
    found = find(optimizer={"lr": "auto", "name": name})
    rates = np.array([row.lr for row in found.rows])
    assert rates[0] == pytest.approx(1e-6)
    np.testing.assert_allclose(np.diff(np.log(rates)), np.diff(np.log(rates))[0], rtol=1e-6)
    smoothed = [row.smoothed for row in found.rows]
    top = {"adamw": 1.0, "sgd": 10.0}[name]
    assert rates[-1] == pytest.approx(top) or smoothed[-1] > 4 * min(smoothed) or len(rates) > 40


def test_the_rate_found_trains_well_and_ten_thousand_times_less_does_not(tmp_path: Any) -> None:
    lr = float(str(find().decision.value))
    assert 1e-4 < lr < 0.3
    losses = []
    for number, rate in enumerate((lr, lr / 1e4)):
        recipe = make_settings(optimizer={"lr": "auto"}, train={"epochs": 4})
        _, outcome = run_tiny(tmp_path / str(number), recipe=recipe, data=make_data(60, 9), lr=rate)
        losses.append(outcome.curve[-1].train_loss)
    assert losses[0] < 0.8 * losses[1]


def valley(bottom: float, depth: float = 2.0) -> list[RangeRow]:
    """A loss that falls, is lowest at the rate `bottom`, and rises."""
    rates = np.geomspace(1e-6, 1.0, 80)
    away = np.log10(rates / bottom)
    losses = 5.0 - depth * np.exp(-(np.where(away < 0, away, 4 * away) ** 2))
    return [RangeRow(float(rate), float(loss), float(loss)) for rate, loss in zip(rates, losses, strict=True)]


def test_the_steepest_descent_or_a_tenth_of_the_minimum_whichever_is_lower() -> None:
    # The steepest point of exp(-x²) is at x = -1/√2, higher than a tenth.
    decision = choose_lr(valley(1e-2))
    assert decision.value == pytest.approx(1e-3, rel=0.25)
    assert "tenth" in decision.reason
    rates = np.geomspace(1e-6, 1.0, 80)
    losses = np.interp(np.log10(rates), [-6, -5, -4.5, -1, 0], [5.0, 4.9, 3.0, 2.0, 9.0])
    rows = [RangeRow(float(r), float(v), float(v)) for r, v in zip(rates, losses, strict=True)]
    decision = choose_lr(rows)
    assert 1e-5 <= float(str(decision.value)) <= 10**-4.5
    assert "steeply" in decision.reason


def test_a_fitted_head_takes_the_rate_at_the_minimum() -> None:
    decision = choose_lr(valley(1e-2), fitted=True)
    assert decision.value == pytest.approx(1e-2, rel=0.25)


def test_where_nothing_falls_it_is_a_tenth_of_what_does_no_harm() -> None:
    rates = np.geomspace(1e-6, 1.0, 80)
    losses = np.where(rates < 1e-3, 1.5, 3.0)
    rows = [RangeRow(float(r), float(v), float(v)) for r, v in zip(rates, losses, strict=True)]
    decision = choose_lr(rows)
    assert decision.value == pytest.approx(1e-4, rel=0.25)
    assert "no harm" in decision.reason


def test_a_loss_that_is_no_number_from_the_start_is_said() -> None:
    model = TinyNet()
    with torch.no_grad():
        model.head.bias.fill_(math.nan)
    with pytest.raises(Collapsed, match="became nan at step 1"):
        find(model)
