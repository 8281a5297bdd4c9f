"""Probabilities made softer or sharper; without torch, so that votes of files start at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def tempered(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """p^(1/T) of probabilities (N, C), renormalised (float64): what dividing the logits by T gives."""
    wide = np.asarray(probabilities, dtype=np.float64)
    if temperature == 1.0:
        return wide
    powers = (wide / wide.max(axis=1, keepdims=True)) ** (1.0 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
