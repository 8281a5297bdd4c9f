"""Losses by name, such as `focal(2.0)`; each takes logits and soft targets. Reading a name needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError, quoted, unknown
from dessin.ops import Op, Value, parse_op
from dessin.plugins import Table

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LossSpec:
    """A loss of the table.

    Attributes:
        function: `module:function` (see `loss_functions`), imported when the loss is made; it takes logits
            (N, C), soft targets (N, C), the features (N, D) where it needs them, then the arguments.
        arguments: their names; each is a number of at least 0 and below `below`.
    """

    name: str
    function: str
    arguments: tuple[str, ...] = ()
    below: float = math.inf
    needs_features: bool = False


LOSSES = Table(
    "loss",
    LossSpec,
    (
        LossSpec("cross_entropy", ".loss_functions:cross_entropy"),
        LossSpec("label_smoothing", ".loss_functions:label_smoothing", ("amount",), below=1.0),
        LossSpec("focal", ".loss_functions:focal", ("gamma",)),
        LossSpec("asymmetric", ".loss_functions:asymmetric", ("gamma_pos", "gamma_neg")),
        LossSpec("triplet", ".loss_functions:triplet", ("margin",), needs_features=True),
    ),
)


@dataclass(frozen=True)
class Loss:
    """A loss as the recipe names it.

    Takes logits (N, C), soft targets (N, C) that sum to 1 and, where `needs_features`, the features (N, D)
    that the head read; gives one value an image, (N,), in float32 (float64 for float64 logits).
    """

    text: str
    needs_features: bool
    arguments: tuple[float, ...]
    function: Callable[..., Tensor]

    def __call__(self, logits: Tensor, targets: Tensor, features: Tensor | None = None) -> Tensor:
        if not self.needs_features:
            return self.function(logits, targets, *self.arguments)
        if features is None:
            raise ValueError(f"the loss {self.text} needs the features, and was given none")
        return self.function(logits, targets, features, *self.arguments)


def make_loss(text: str) -> Loss:
    """The loss that a recipe names.

    Raises:
        DessinError: an unknown name (the nearest is named), or arguments that do not fit.
    """
    op, spec, arguments = _parsed(text)
    module, _, name = spec.function.partition(":")
    return Loss(str(op), spec.needs_features, arguments, getattr(import_module(module, __package__), name))


def check_loss(text: str) -> str:
    """The loss in its canonical spelling; raises like `make_loss`. Does not import torch."""
    return str(_parsed(text)[0])


def class_weights(labels: NDArray[np.int64], classes: int, rule: str) -> Tensor:
    """How much each class counts, (C,) float32: 1 (`none`), or n / (C n_c), whose mean over images is 1.

    A class without an image gets the weight 0 under `balanced`.
    """
    import torch

    if rule == "none":
        return torch.ones(classes)
    if rule != "balanced":
        raise unknown("rule for class weights", rule, ("none", "balanced"))
    counts = np.bincount(labels, minlength=classes)
    with np.errstate(divide="ignore"):
        weights = np.where(counts > 0, len(labels) / (classes * counts), 0.0)
    return torch.from_numpy(weights.astype(np.float32))


def mean_loss(values: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """The weighted mean of the values (N,) of images; one counts as its classes do: targets (N, C) @ (C,)."""
    if weights is None:
        return values.mean()
    shares = targets.to(values.dtype) @ weights.to(values.dtype)
    return (shares * values).sum() / shares.sum()


def _parsed(text: str) -> tuple[Op, LossSpec, tuple[float, ...]]:
    """With the arguments in the order of the table; each must be given once, by place or by name."""
    op = parse_op(text)
    if op.name not in LOSSES:
        raise unknown("loss", op.name, LOSSES)
    spec = LOSSES[op.name]
    names = spec.arguments
    given: dict[str, Value] = dict(zip(names, op.args, strict=False))
    wrong = len(op.args) > len(names) or any(key in given or key not in names for key, _ in op.kwargs)
    given |= dict(op.kwargs)
    numbers = {k: float(v) for k, v in given.items() if isinstance(v, int | float) and type(v) is not bool}
    if wrong or set(given) != set(names) or set(numbers) != set(names):
        signature = f"{op.name}({', '.join(names)})" if names else op.name
        raise DessinError(
            f'The loss "{quoted(str(op))}" has the wrong arguments.',
            allowed=f"It is written {signature}, with numbers.",
        )
    limit = "finite" if math.isinf(spec.below) else f"below {spec.below:g}"
    for key, number in numbers.items():
        if not 0.0 <= number < spec.below:
            raise DessinError(
                f'The loss "{quoted(str(op))}" has {quoted(key)} = {number:g}.',
                allowed=f"{key} is at least 0 and {limit}.",
            )
    return op, spec, tuple(numbers[name] for name in names)
