"""Averages of weights along the training: an exponential one, and the mean of the last epochs.

Both are kept beside the weights that are trained, and exchanged with them to be validated and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dessin.errors import DessinError


class WeightAverage:
    """An average of a model's state, in the memory that it began with; integers are those of the last update.

    `tensors` are named like the model's state. The model's own tensors must stay where they are in memory.
    """

    def __init__(self, model: nn.Module) -> None:
        self._live = dict(model.state_dict())
        self.tensors = {name: tensor.clone() for name, tensor in self._live.items()}
        real = [name for name, tensor in self._live.items() if tensor.is_floating_point()]
        self._averages, self._sources = ([kept[name] for name in real] for kept in (self.tensors, self._live))
        self._counters = [name for name in self._live if name not in set(real)]

    @torch.no_grad()
    def update(self, share: float) -> None:
        """Move by `share` (0..1) of the way to the model's present state."""
        torch._foreach_lerp_(self._averages, self._sources, share)
        for name in self._counters:
            self.tensors[name].copy_(self._live[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model has the average; what the block changes there is kept in the average."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, live in self._live.items():
            kept = live.clone()
            live.copy_(self.tensors[name])
            self.tensors[name].copy_(kept)


class Averages:
    """The averages that a recipe asks for; either may be absent."""

    def __init__(self, model: nn.Module, *, ema: bool, mean: bool) -> None:
        self.ema = WeightAverage(model) if ema else None
        self.mean = WeightAverage(model) if mean else None

    def tensors(self) -> dict[str, Tensor]:
        """Everything for a checkpoint."""
        present = {"ema": self.ema, "mean": self.mean}
        return {
            f"{kind}.{name}": tensor
            for kind, average in present.items()
            if average is not None
            for name, tensor in average.tensors.items()
        }

    def fill(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave to a checkpoint."""
        own = self.tensors()
        if own.keys() != tensors.keys():
            raise DessinError(
                "The averaged weights in the checkpoint are of another model.",
                do="Start a new run with another --out.",
            )
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def ema_share(decay: float, step: int) -> float:
    """How far an exponential moving average moves at a step, counted from 0.

    The decay is warmed up, min(decay, (1 + t) / (10 + t)): otherwise the first weights would count for long.
    """
    return 1.0 - min(decay, (1 + step) / (10 + step))
