"""The optimisers, their parameter groups, and sharpness-aware steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from dessin.models.classifier import Classifier
from dessin.models.defaults import default_weight_decay
from dessin.models.freezing import layer_groups
from dessin.recipe import OptimizerSpec, Recipe
from dessin.training.batches import StepSize
from dessin.training.schedules import warmup_steps_of


def steps_per_epoch(recipe: Recipe, images: int, batch_size: int) -> int:
    """The optimiser's steps in an epoch on so many training images; raises like `warmup_steps_of`."""
    steps = StepSize(batch_size, recipe.train.accumulate).steps(images * recipe.pipeline.factor)
    warmup_steps_of(recipe.optimizer, steps, recipe.train.epochs)
    return steps


def make_optimizer(
    classifier: Classifier, spec: OptimizerSpec, *, layer_decay: float = 1.0
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), Adam with coupled decay, or SGD with Nesterov's momentum of 0.9.

    Its learning rate is 0 until `set_learning_rate`. Biases and the scales of normalisation layers are not
    decayed: pulling them to zero is no prior for them. With `layer_decay` below 1 each layer's rate is that
    share of the rate of the layer after it.
    """
    decay = spec.weight_decay
    if decay is None:
        decay = float(str(default_weight_decay(spec.name).value))
    groups = [
        {
            "params": list(group.parameters),
            "lr_scale": group.lr_scale,
            "weight_decay": decay if group.decays else 0.0,
        }
        for group in layer_groups(classifier, layer_decay)
    ]
    if spec.name == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True, fused=True)
    kind = torch.optim.AdamW if spec.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=0.0, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def trained_parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@contextmanager
def perturbed(parameters: Sequence[Tensor], radius: float) -> Iterator[None]:
    """Within the block the weights are at the sharpest point nearby: w + radius · g / ‖g‖.

    The first half of a step of sharpness-aware minimisation (Foret et al., ICLR 2021); g are the gradients
    that the parameters hold at the beginning. Afterwards the weights are what they were, to the byte.
    """
    moved = [parameter for parameter in parameters if parameter.grad is not None]
    gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
    before = [parameter.detach().clone() for parameter in moved]
    with torch.no_grad():
        scale = radius / (get_total_norm(gradients) + 1e-12)
        torch._foreach_add_(moved, torch._foreach_mul(gradients, scale))
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(moved, before)


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Within the block batch normalisation normalises as it did, and does not update its statistics."""
    updating = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.training
        and module.track_running_stats
    ]
    for module in updating:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in updating:
            module.track_running_stats = True
