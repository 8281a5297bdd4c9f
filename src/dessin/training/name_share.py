"""How much the names of classes count in a head beside the drawings: a share, chosen as the penalty is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

NAMES = "class names"
# Of what the names say in the head; what the drawings say has the rest.
SHARES = tuple(number / 10 for number in range(11))


class Mix(NamedTuple):
    """The share of the names in the head, and the spread of each side's logits, which makes both one size."""

    share: float = 0.0
    drawn: float = 1.0
    named: float = 1.0

    def of(self, drawn: Tensor, named: Tensor) -> Tensor:
        """Of two sides' logits, or of their weights."""
        if not self.share:
            return drawn
        return (1 - self.share) / self.drawn * drawn + self.share / self.named * named


PROBE_ALONE = Mix()


@dataclass(frozen=True)
class Names:
    """What the names say of each image, logits (N, C), and the classes `drawn` (S,) that have images."""

    logits: Tensor
    drawn: NDArray[np.int64]

    @property
    def undrawn(self) -> int:
        return self.logits.shape[1] - len(self.drawn)

    def whole(self, logits: Tensor, drawn: NDArray[np.int64]) -> Tensor:
        """(m, S) of the classes `drawn` → (m, C): any other is as likely as the mean of these."""
        result = logits.mean(dim=1, keepdim=True).repeat(1, self.logits.shape[1])
        result[:, drawn] = logits
        return result

    def mixes(self, drawn: Tensor, named: Tensor) -> list[Mix]:
        """Each share, for logits (m, C) of both sides."""
        one, other = (float((each - each.mean(dim=1, keepdim=True)).std()) or 1.0 for each in (drawn, named))
        return [Mix(share, one, other) for share in SHARES]

    def choose(
        self, logits: Tensor, named: Tensor, truth: Tensor, share: float | None
    ) -> tuple[Mix, list[tuple[float, float, float]]]:
        """The share of the highest accuracy, unless it is known, for logits (m, S) by drawings and (m, C) by
        names; and of each share temperature, accuracy and loss."""
        drawn, labels = self.whole(logits, self.drawn), torch.from_numpy(self.drawn)[truth]
        mixes = self.mixes(drawn, named)
        results = [calibrated(mix.of(drawn, named), labels) for mix in mixes]
        return mixes[best_of(results) if share is None else SHARES.index(share)], results


def best_of(results: Sequence[tuple[float, float, float]]) -> int:
    """The number of the highest accuracy; of equal ones that of the smaller loss."""
    return min(range(len(results)), key=lambda number: (-results[number][1], results[number][2]))


def calibrated(logits: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """The temperature that minimises the loss, the accuracy, and that loss."""

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits / float(np.exp(log_temperature)), truth))

    found = minimize_scalar(loss, bounds=(-6.0, 3.0), method="bounded", options={"xatol": 1e-3})
    accuracy = float((logits.argmax(dim=1) == truth).double().mean())
    return float(np.exp(found.x)), accuracy, float(found.fun)
