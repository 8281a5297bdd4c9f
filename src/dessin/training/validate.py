"""Validation as evaluation sees the images: no augmentation, no mixing, plain cross-entropy."""

from __future__ import annotations

import torch
from torch.nn import functional

from dessin.models.classifier import Classifier
from dessin.training.data import PixelSource, Rows


def validate(
    classifier: Classifier,
    source: PixelSource,
    rows: Rows,
    labels: Rows,
    *,
    batch_size: int,
    autocast: torch.autocast,
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0..1) on rows (n,) of the store with labels (n,).

    Leaves the classifier in evaluation mode. The host waits for the device once, at the end.
    """
    classifier.eval()
    losses = torch.zeros((), dtype=torch.float64, device=source.device)
    correct = torch.zeros((), dtype=torch.int64, device=source.device)
    for start in range(0, len(rows), batch_size):
        part = slice(start, start + batch_size)
        pixels, _background = source.gather(rows[part])
        target = torch.from_numpy(labels[part]).to(source.device, non_blocking=True)
        with torch.inference_mode(), autocast:
            logits = classifier(pixels).float()
            losses += functional.cross_entropy(logits.double(), target, reduction="sum")
            correct += (logits.argmax(1) == target).sum()
    return float(losses) / len(rows), int(correct) / len(rows)
