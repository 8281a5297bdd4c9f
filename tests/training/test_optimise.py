from __future__ import annotations

import pytest
import torch
from tiny_training import TinyNet, make_settings
from torch import nn

from dessin.errors import DessinError
from dessin.recipe import OptimizerSpec
from dessin.training.optimise import (
    make_optimizer,
    perturbed,
    set_learning_rate,
    statistics_kept,
    steps_per_epoch,
)

NAMES = ["adamw", "adam", "sgd"]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_trained_and_only_matrices_decay(name: str) -> None:
    model = TinyNet()
    optimizer = make_optimizer(model, OptimizerSpec(name=name, weight_decay=0.1))
    decay = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == len(list(model.parameters()))
    for parameter in model.parameters():
        assert decay[parameter] == (0.1 if parameter.ndim > 1 else 0.0)


def test_an_open_weight_decay_is_the_usual_one() -> None:
    decays = {group["weight_decay"] for group in make_optimizer(TinyNet(), OptimizerSpec()).param_groups}
    assert decays == {0.0, 0.05}


def test_frozen_parameters_are_left_out() -> None:
    model = TinyNet()
    model.body[0].requires_grad_(False)
    optimizer = make_optimizer(model, OptimizerSpec())
    parameters = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert id(model.body[0].weight) not in parameters
    assert len(parameters) == len(list(model.parameters())) - 2


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_that_of_the_textbook(name: str) -> None:
    """The first step of a weight of 1 with a gradient of 2, worked by hand."""
    model = TinyNet()
    optimizer = make_optimizer(model, OptimizerSpec(name=name, weight_decay=0.5))
    set_learning_rate(optimizer, 0.1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.full_like(parameter, 2.0)
    optimizer.step()
    expected = {
        # Decay apart from the step, whose size is the rate.
        "adamw": 1.0 * (1 - 0.1 * 0.5) - 0.1,
        # Decay inside the gradient, which Adam's first step then divides by itself.
        "adam": 1.0 - 0.1,
        # Nesterov: the gradient 2 + 0.5, and 0.9 of the first momentum, which is the same.
        "sgd": 1.0 - 0.1 * (1 + 0.9) * 2.5,
    }[name]
    torch.testing.assert_close(model.head.weight, torch.full_like(model.head.weight, expected))


def test_a_channels_last_step_is_a_plain_step() -> None:
    """The fused kernels walk parameter, gradient and state side by side: their memory formats must agree."""
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = TinyNet(noise=False).to(memory_format=memory_format)
        optimizer = make_optimizer(model, OptimizerSpec())
        set_learning_rate(optimizer, 0.1)
        pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
        for _ in range(3):
            optimizer.zero_grad()
            model(pixels).square().mean().backward()
            optimizer.step()
        results.append(model.body[0].weight.detach().contiguous())
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)


def test_the_rate_reaches_every_group_in_its_share() -> None:
    optimizer = make_optimizer(TinyNet(), OptimizerSpec())
    optimizer.param_groups[0]["lr_scale"] = 0.5
    set_learning_rate(optimizer, 0.2)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]


def test_the_perturbed_weights_are_a_radius_away_along_the_gradient_and_come_back_exactly() -> None:
    model = TinyNet()
    model(torch.rand(4, 3, 16, 16) * 255).square().mean().backward()
    parameters = list(model.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    with perturbed(parameters, 0.3):
        moved = torch.cat([(p.detach() - b).flatten() for p, b in zip(parameters, before, strict=True)])
        gradient = torch.cat([p.grad.flatten() for p in parameters])
    assert moved.norm() == pytest.approx(0.3, rel=1e-4)
    assert torch.cosine_similarity(moved, gradient, dim=0) == pytest.approx(1.0, abs=1e-4)
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))


def test_batch_statistics_act_and_are_not_updated_while_they_are_kept() -> None:
    model = TinyNet().train()
    pixels = torch.rand(4, 3, 16, 16) * 255
    norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    with torch.no_grad():
        outputs = []
        for kept in (True, False):
            torch.manual_seed(0)
            before = {name: value.clone() for name, value in norm.state_dict().items()}
            if kept:
                with statistics_kept(model):
                    outputs.append(model(pixels))
            else:
                outputs.append(model(pixels))
            same = all(torch.equal(before[name], value) for name, value in norm.state_dict().items())
            assert same == kept
    assert torch.equal(*outputs)


def test_steps_count_copies_and_accumulation_and_the_warm_up_must_end() -> None:
    recipe = make_settings(copies=["rotate(90)", "hflip(1)"], train={"accumulate": 2})
    assert steps_per_epoch(recipe, 100, 10) == 15
    assert steps_per_epoch(make_settings(), 100, 10) == 10
    with pytest.raises(DessinError, match="as long as the training"):
        steps_per_epoch(make_settings(optimizer={"warmup_epochs": 2}), 100, 10)
