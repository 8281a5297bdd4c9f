"""The optimisers, their parameter groups, the learning rate of every step, and sharpness-aware steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.models.freezing import default_weight_decay, layer_groups
from dessin.recipe import OptimizerSpec, Recipe
from dessin.training.batches import StepSize
from dessin.training.curve import CurveRow


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
        {"params": list(g.parameters), "lr_scale": g.lr_scale, "weight_decay": decay if g.decays else 0.0}
        for g in layer_groups(classifier, layer_decay)
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


# One cycle (Smith and Topin 2018): where it begins, how long it rises, where it ends.
_CYCLE_START, _CYCLE_RISE, _CYCLE_END = 1 / 25, 0.3, 1e-4
_PATIENCE, _PLATEAU_FACTOR = 2, 1 / 3


@dataclass(frozen=True)
class Schedule:
    """A named schedule with its peak, its linear warm-up and its length, both in steps.

    After the warm-up: `cosine` falls by half a cosine that would reach 0 at the end (Loshchilov and Hutter
    2017); `step` has a tenth of the peak from 1/2 and a hundredth from 3/4 of all steps; `plateau` has a
    third of the rate before after every 2 epochs without a smaller validation loss; `constant` stays.
    `one_cycle` has a rise of its own, over its first 30%, then falls to a ten-thousandth of the peak.
    """

    name: str
    peak: float
    warmup_steps: int
    total_steps: int

    def rate(self, step: int, curve: Sequence[CurveRow] = ()) -> float:
        """The rate of a step, counted from 0; `curve` holds the epochs that ended before it."""
        if self.name == "one_cycle":
            done = step / max(1, self.total_steps - 1)
            if done < _CYCLE_RISE:
                return self.peak * _between(_CYCLE_START, 1.0, done / _CYCLE_RISE)
            return self.peak * _between(1.0, _CYCLE_END, (done - _CYCLE_RISE) / (1.0 - _CYCLE_RISE))
        if step < self.warmup_steps:
            return self.peak * (step + 1) / (self.warmup_steps + 1)
        if self.name == "cosine":
            done = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
            return self.peak * 0.5 * (1.0 + math.cos(math.pi * done))
        if self.name == "step":
            quarters = 4 * step / self.total_steps
            return self.peak * 0.1 ** ((quarters >= 2) + (quarters >= 3))
        if self.name == "plateau":
            return self.peak * _PLATEAU_FACTOR ** _plateaus(curve)
        return self.peak

    @property
    def rise_steps(self) -> int:
        """The steps before the peak."""
        return round(_CYCLE_RISE * self.total_steps) if self.name == "one_cycle" else self.warmup_steps


def make_schedule(spec: OptimizerSpec, peak: float, steps_per_epoch: int, epochs: int) -> Schedule:
    """The schedule of a recipe; raises like `warmup_steps_of`."""
    warmup = warmup_steps_of(spec, steps_per_epoch, epochs)
    return Schedule(spec.schedule, peak, warmup, steps_per_epoch * epochs)


def warmup_steps_of(spec: OptimizerSpec, steps_per_epoch: int, epochs: int) -> int:
    """The recipe's warm-up in steps; none for `one_cycle`, which begins with a rise of its own.

    Raises:
        DessinError: the warm-up is as long as the training.
    """
    if spec.schedule == "one_cycle":
        return 0
    steps = round(spec.warmup_epochs * steps_per_epoch)
    if steps >= epochs * steps_per_epoch:
        raise DessinError(
            f"The warm-up of {spec.warmup_epochs:g} epochs is as long as the training of {epochs}.",
            allowed="optimizer.warmup_epochs must be smaller than train.epochs.",
            do="Shorten the warm-up or train longer.",
        )
    return steps


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


def _plateaus(curve: Sequence[CurveRow]) -> int:
    """How often the validation loss stood still for `_PATIENCE` epochs in a row."""
    best, waited, count = math.inf, 0, 0
    for row in curve:
        if row.validation_loss is None or row.averaged:
            continue
        if row.validation_loss < best:
            best, waited = row.validation_loss, 0
        else:
            waited += 1
        if waited == _PATIENCE:
            count, waited = count + 1, 0
    return count


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
    norms = (module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))
    updating = [norm for norm in norms if norm.training and norm.track_running_stats]
    for module in updating:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in updating:
            module.track_running_stats = True
