"""A classifier's probabilities for rows of a pixel store, seen in one view or in the mean of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.progress import track
from dessin.training.data import PixelSource
from dessin.training.views import PLAIN, VIEWS

if TYPE_CHECKING:
    from dessin.images.store import PixelStore
    from dessin.models.network import Network

BATCH = 64


def predict_rows(
    classifier: Network,
    store: PixelStore,
    rows: NDArray[np.int64],
    *,
    device: torch.device,
    temperature: float = 1.0,
    views: Sequence[str] = PLAIN,
    label: str = "Predicting",
) -> NDArray[np.float32]:
    """Probabilities (n, C) float32 of the store's `rows` (n,), in evaluation mode and float32 arithmetic."""
    source = PixelSource(store, device)
    classifier.to(device).eval()
    starts = range(0, len(rows), BATCH)
    parts = []
    for start in track(starts, len(starts), label):
        pixels, background = source.gather(rows[start : start + BATCH])
        answer = look(classifier, pixels, background, temperature=temperature, views=views)
        parts.append(answer.cpu().numpy())
    if not parts:
        return np.zeros((0, classifier.classes), dtype=np.float32)
    return np.concatenate(parts).astype(np.float32)


def look(
    classifier: Network,
    pixels: Tensor,
    background: Tensor,
    *,
    temperature: float = 1.0,
    views: Sequence[str] = PLAIN,
) -> Tensor:
    """The mean probabilities (N, C) float32 over views of pixels (N, channels, S, S) uint8.

    `background` (N, channels) uint8 fills what a view looks at beyond the picture. In views that change
    nothing of a drawing the mean is the plain answer itself.
    """
    return look_with_energy(classifier, pixels, background, temperature=temperature, views=views)[0]


def look_with_energy(
    classifier: Network,
    pixels: Tensor,
    background: Tensor,
    *,
    temperature: float = 1.0,
    views: Sequence[str] = PLAIN,
) -> tuple[Tensor, Tensor]:
    """What `look` gives, and the mean energies (N,) float32: log-sum-exp of the logits before temperature."""
    with torch.inference_mode():
        total = torch.zeros((), device=pixels.device)
        energy = torch.zeros((), device=pixels.device)
        for view in views:
            logits = classifier(VIEWS[view](pixels, background)).float()
            total = total + torch.softmax(logits / temperature, dim=1)
            energy = energy + torch.logsumexp(logits, dim=1)
        return total / len(views), energy / len(views)
