"""The optimiser and the learning rate of every step."""

from __future__ import annotations

import math

import torch
from torch import nn

from dessin.errors import DessinError
from dessin.recipe import OptimizerSpec


def make_optimizer(model: nn.Module, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum 0.9.

    Biases and the scales of normalisation layers are not decayed: pulling them to zero is no prior for them.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": spec.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if spec.name == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=0.9, fused=True)
    return torch.optim.AdamW(groups, lr=spec.lr, fused=True)


def learning_rate_at(step: int, *, peak: float, warmup_steps: int, total_steps: int) -> float:
    """Linear warm-up to `peak`, then half a cosine that would reach 0 at `total_steps`."""
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    done = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * 0.5 * (1.0 + math.cos(math.pi * done))


def warmup_steps_of(spec: OptimizerSpec, steps_per_epoch: int, epochs: int) -> int:
    """The recipe's warm-up in steps.

    Raises:
        DessinError: the warm-up is as long as the training.
    """
    steps = round(spec.warmup_epochs * steps_per_epoch)
    if steps >= epochs * steps_per_epoch:
        raise DessinError(
            f"The warm-up of {spec.warmup_epochs:g} epochs is as long as the training of {epochs}.",
            allowed="optimizer.warmup_epochs must be smaller than train.epochs.",
            do="Shorten the warm-up or train longer.",
        )
    return steps


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
