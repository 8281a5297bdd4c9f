"""The running loss of an epoch, read from the device without making the host wait at every step."""

from __future__ import annotations

import torch
from torch import Tensor

from dessin.training.checkpoint import TrainingState
from dessin.training.guard import check_finite

# On a GPU the host runs ahead; each look at a loss makes it wait until the device has come so far.
_STEPS_BETWEEN_LOOKS = 16


class LossesSeen:
    """Sums losses times images in float64, in the order of the steps, however often it looks."""

    def __init__(self, state: TrainingState, device: torch.device) -> None:
        self._total, self._curve = state.loss_sum, state.curve
        self._epoch = state.epochs_done + 1
        self._between = 1 if device.type == "cpu" else _STEPS_BETWEEN_LOOKS
        self._waiting: list[tuple[Tensor, int, int, float]] = []

    def add(self, loss: Tensor, *, images: int, step: int, rate: float) -> None:
        """Note the mean loss of a step (counted from 0) of so many images; raises like `settle`."""
        self._waiting.append((loss, images, step, rate))
        if len(self._waiting) >= self._between:
            self.settle()

    def settle(self) -> float:
        """The sum so far.

        Raises:
            Collapsed: one of the losses is not finite.
        """
        if self._waiting:
            values = torch.stack([loss for loss, *_ in self._waiting]).tolist()
            for value, (_, images, step, rate) in zip(values, self._waiting, strict=True):
                check_finite(
                    value, "training", epoch=self._epoch, step=step + 1, rate=rate, curve=self._curve
                )
                self._total += value * images
            self._waiting.clear()
        return self._total
