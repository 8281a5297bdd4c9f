"""A classifier's probabilities for rows of a pixel store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.progress import track
from dessin.training.data import PixelSource

if TYPE_CHECKING:
    from dessin.images.store import PixelStore
    from dessin.models.classifier import Classifier

BATCH = 64


def predict_rows(
    classifier: Classifier,
    store: PixelStore,
    rows: NDArray[np.int64],
    *,
    device: torch.device,
    temperature: float = 1.0,
    label: str = "Predicting",
) -> NDArray[np.float32]:
    """Probabilities (n, C) float32 of the store's `rows` (n,), in evaluation mode and float32 arithmetic."""
    source = PixelSource(store, device)
    classifier.to(device).eval()
    starts = range(0, len(rows), BATCH)
    parts = []
    with torch.inference_mode():
        for start in track(starts, len(starts), label):
            pixels, _background = source.gather(rows[start : start + BATCH])
            logits = classifier(pixels).float() / temperature
            parts.append(torch.softmax(logits, dim=1).cpu().numpy())
    if not parts:
        return np.zeros((0, classifier.head.out_features), dtype=np.float32)
    return np.concatenate(parts).astype(np.float32)
