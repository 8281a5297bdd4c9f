"""Losses by name, such as `focal(2.0)`; each takes logits and soft targets. Reading a name needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError, unknown
from dessin.ops import Op, Value, parse_op

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class _Kind:
    """A loss of the table: the names of its arguments, and what each must be below."""

    names: tuple[str, ...] = ()
    below: float = math.inf
    needs_features: bool = False


# The functions themselves are in `loss_functions`, under the same names.
LOSSES: dict[str, _Kind] = {
    "cross_entropy": _Kind(),
    "label_smoothing": _Kind(("amount",), below=1.0),
    "focal": _Kind(("gamma",)),
    "asymmetric": _Kind(("gamma_pos", "gamma_neg")),
    "triplet": _Kind(("margin",), needs_features=True),
}


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
    op, kind, arguments = _parsed(text)
    from dessin.models import loss_functions

    return Loss(str(op), kind.needs_features, arguments, getattr(loss_functions, op.name))


def check_loss(text: str) -> str:
    """The loss in its canonical spelling; raises like `make_loss`. Does not import torch."""
    op, _kind, _arguments = _parsed(text)
    return str(op)


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


def _parsed(text: str) -> tuple[Op, _Kind, tuple[float, ...]]:
    op = parse_op(text)
    kind = LOSSES.get(op.name)
    if kind is None:
        raise unknown("loss", op.name, LOSSES)
    return op, kind, _arguments(op, kind)


def _arguments(op: Op, kind: _Kind) -> tuple[float, ...]:
    """The op's arguments in the order of the table; each must be given once, by place or by name."""
    names = kind.names
    given: dict[str, Value] = dict(zip(names, op.args, strict=False))
    wrong = len(op.args) > len(names) or any(key in given or key not in names for key, _ in op.kwargs)
    given |= dict(op.kwargs)
    numbers = {k: float(v) for k, v in given.items() if isinstance(v, int | float) and type(v) is not bool}
    if wrong or set(given) != set(names) or set(numbers) != set(names):
        signature = f"{op.name}({', '.join(names)})" if names else op.name
        raise DessinError(
            f'The loss "{op}" has the wrong arguments.', allowed=f"It is written {signature}, with numbers."
        )
    limit = "finite" if math.isinf(kind.below) else f"below {kind.below:g}"
    for key, number in numbers.items():
        if not 0.0 <= number < kind.below:
            raise DessinError(
                f'The loss "{op}" has {key} = {number:g}.', allowed=f"{key} is at least 0 and {limit}."
            )
    return tuple(numbers[name] for name in names)
