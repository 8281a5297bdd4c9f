from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from dessin.errors import DessinError
from dessin.recipe import OptimizerSpec
from dessin.training.optimise import learning_rate_at, make_optimizer, set_learning_rate, warmup_steps_of


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_rates_rise_to_the_peak_and_fall_by_a_cosine() -> None:
    rates = [learning_rate_at(step, peak=1.0, warmup_steps=4, total_steps=24) for step in range(24)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[14] == pytest.approx(0.5)
    assert all(a > b > 0 for a, b in itertools.pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 19 / 20)))


def test_without_warm_up_it_starts_at_the_peak() -> None:
    assert learning_rate_at(0, peak=0.3, warmup_steps=0, total_steps=1) == 0.3


def test_warm_up_is_counted_in_steps_and_must_end() -> None:
    assert warmup_steps_of(OptimizerSpec(warmup_epochs=0.5), 10, 5) == 5
    with pytest.raises(DessinError, match="warm-up of 3 epochs is as long as the training of 3"):
        warmup_steps_of(OptimizerSpec(warmup_epochs=3), 10, 3)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_every_parameter_is_trained_and_only_matrices_decay(name: str) -> None:
    model = network()
    optimizer = make_optimizer(model, OptimizerSpec(name=name, weight_decay=0.1))
    decay = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == len(list(model.parameters()))
    for parameter in model.parameters():
        assert decay[parameter] == (0.1 if parameter.ndim > 1 else 0.0)


def test_frozen_parameters_are_left_out() -> None:
    model = network()
    model[0].requires_grad_(False)
    optimizer = make_optimizer(model, OptimizerSpec())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


def test_a_channels_last_step_is_a_plain_step() -> None:
    """The fused kernels walk parameter, gradient and state side by side: their memory formats must agree."""
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 4, 3).to(memory_format=memory_format)
        pixels = torch.randn(2, 3, 8, 8).to(memory_format=memory_format)
        optimizer = make_optimizer(layer, OptimizerSpec(lr=0.1))
        for _ in range(3):
            optimizer.zero_grad()
            layer(pixels).square().mean().backward()
            optimizer.step()
        results.append(layer.weight.detach().contiguous())
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)


def test_the_rate_reaches_every_group() -> None:
    optimizer = make_optimizer(network(), OptimizerSpec())
    set_learning_rate(optimizer, 0.123)
    assert {group["lr"] for group in optimizer.param_groups} == {0.123}
