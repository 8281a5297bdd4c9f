"""Losses by name. Each takes logits (N, C) and soft targets (N, C) that sum to 1, and gives a scalar mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dessin.errors import DessinError, unknown
from dessin.ops import Op, Value, parse_op

if TYPE_CHECKING:
    from torch import Tensor

    Loss = Callable[[Tensor, Tensor], Tensor]


def make_loss(text: str) -> Loss:
    """The loss that a recipe names, such as `cross_entropy` or `label_smoothing(0.1)`.

    Raises:
        DessinError: an unknown name (the nearest is named), or arguments that do not fit.
    """
    op = parse_op(text)
    builder = _BUILDERS.get(op.name)
    if builder is None:
        raise unknown("loss", op.name, _BUILDERS)
    return builder(op)


def check_loss(text: str) -> str:
    """The loss in its canonical spelling; raises like `make_loss`. Does not import torch."""
    op = parse_op(text)
    make_loss(text)
    return str(op)


def _cross_entropy(op: Op) -> Loss:
    _arguments(op, ())
    return _soft_cross_entropy


def _label_smoothing(op: Op) -> Loss:
    (amount,) = _arguments(op, ("amount",))
    if not 0.0 <= amount < 1.0:
        raise DessinError(
            f'The loss "{op}" smooths by {amount}.', allowed="The amount is at least 0 and below 1."
        )

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return _soft_cross_entropy(logits, targets * (1.0 - amount) + amount / targets.shape[1])

    return loss


def _soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    # In float32 even under autocast: log-softmax over hundreds of classes loses digits in bfloat16.
    return -(targets.float() * logits.float().log_softmax(dim=1)).sum(dim=1).mean()


def _arguments(op: Op, names: tuple[str, ...]) -> tuple[float, ...]:
    """The op's arguments in the order of `names`; each must be given once, by place or by name."""
    given: dict[str, Value] = dict(zip(names, op.args, strict=False))
    wrong = len(op.args) > len(names) or any(key in given or key not in names for key, _ in op.kwargs)
    given |= dict(op.kwargs)
    numbers = {k: float(v) for k, v in given.items() if isinstance(v, int | float) and type(v) is not bool}
    if wrong or set(given) != set(names) or set(numbers) != set(names):
        signature = f"{op.name}({', '.join(names)})" if names else op.name
        raise DessinError(
            f'The loss "{op}" has the wrong arguments.', allowed=f"It is written {signature}, with numbers."
        )
    return tuple(numbers[name] for name in names)


_BUILDERS: dict[str, Callable[[Op], Loss]] = {
    "cross_entropy": _cross_entropy,
    "label_smoothing": _label_smoothing,
}
