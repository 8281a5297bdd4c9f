"""Whether an exported model answers as the one it was made from."""

from __future__ import annotations

import numpy as np
import torch

from dessin.answers.inference import BATCH
from dessin.images.decode import Pixels
from dessin.models.network import Network
from dessin.schema import Section
from dessin.statistics.intervals import Floats

TOLERANCE = 1e-4


class Agreement(Section):
    """On `drawings` real drawings: the largest difference of a probability, and how many have the same top-1.

    Where torch itself holds two classes for equally likely, to `TOLERANCE`, either is the same top-1.
    """

    drawings: int
    largest_difference: float
    same_top1: int

    @property
    def exact(self) -> bool:
        return self.largest_difference <= TOLERANCE and self.same_top1 == self.drawings

    @property
    def words(self) -> str:
        return (
            f"largest difference of a probability {self.largest_difference:.1e}, "
            f"same top-1 in {self.same_top1:,} of {self.drawings:,} drawings"
        )


def agreement(ours: Network, theirs: Network, drawings: Pixels, temperature: float) -> Agreement:
    """Compare two networks on drawings (n, channels, S, S) uint8, one alone and the others in batches."""
    first, second = (_probabilities(network, drawings, temperature) for network in (ours, theirs))
    rows = np.arange(len(first))
    behind = first.max(axis=1) - first[rows, second.argmax(axis=1)]
    return Agreement(
        drawings=len(drawings),
        largest_difference=float(np.abs(first - second).max()),
        same_top1=int((behind <= TOLERANCE).sum()),
    )


def _probabilities(network: Network, drawings: Pixels, temperature: float) -> Floats:
    """The first drawing alone, since a network may have been traced for more; then the others together."""
    alone, *others = np.split(drawings, [1, *range(1 + BATCH, len(drawings), BATCH)])
    with torch.inference_mode():
        logits = torch.cat(
            [network(torch.from_numpy(part)).double() for part in (alone, *others) if len(part)]
        )
        return torch.softmax(logits / temperature, dim=1).numpy()
