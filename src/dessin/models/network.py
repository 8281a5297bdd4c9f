"""What can answer: a classifier with weights, or an exported one that a runtime computes."""

from __future__ import annotations

from torch import nn


class Network(nn.Module):
    """All that an answer needs: (N, channels, S, S) pixels from 0 to 255, uint8 or float → (N, C) logits."""

    channels: int

    @property
    def classes(self) -> int:
        """C, the number of logits."""
        raise NotImplementedError
