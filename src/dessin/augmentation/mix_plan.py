"""Mixing two images of a batch, as numbers: MixUp (Zhang et al., 2018), CutMix (Yun et al., 2019), either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation.draws import Draws, beta


@dataclass(frozen=True, eq=False)
class MixPlan:
    """How each of N images mixes with the next of its batch (the last with the first).

    Inside `boxes` (N, 4) int64, as left, top, right, bottom in pixels (right and bottom outside), there is
    the partner; elsewhere the image with `weights` (N,) float32 and the partner with the rest. `shares` (N,)
    float32 is the image's own part of the result and so of its target.
    """

    size: int
    weights: NDArray[np.float32]
    boxes: NDArray[np.int64]
    shares: NDArray[np.float32]

    def describe(self, image: int) -> str:
        left, top, right, bottom = (int(edge) for edge in self.boxes[image])
        if self.weights[image] < 1.0:
            return f"mixup {self.shares[image]:.0%} own"
        return f"cutmix {self.shares[image]:.0%} own, box {right - left}×{bottom - top}"


def mixup(draws: Draws, size: int, alpha: float) -> MixPlan:
    """The whole picture blended by a weight from Beta(alpha, alpha); takes 1 draw an image."""
    own = beta(draws[:, 0], alpha).astype(np.float32)
    return MixPlan(size, own, np.zeros((len(own), 4), dtype=np.int64), own)


def cutmix(draws: Draws, size: int, alpha: float) -> MixPlan:
    """A box of the partner, of area 1 - Beta(alpha, alpha) before it is clipped; takes 3 draws an image."""
    side = size * np.sqrt(1.0 - beta(draws[:, 0], alpha))
    middle = size * draws[:, 1:3]
    low = np.clip(np.rint(middle - side[:, None] / 2), 0, size).astype(np.int64)
    high = np.clip(np.rint(middle + side[:, None] / 2), 0, size).astype(np.int64)
    area = (high - low).prod(axis=1) / size**2
    count = len(draws)
    return MixPlan(
        size, np.ones(count, dtype=np.float32), np.hstack([low, high]), (1.0 - area).astype(np.float32)
    )


def mixup_or_cutmix(draws: Draws, size: int, alpha_mixup: float, alpha_cutmix: float) -> MixPlan:
    """One or the other for each image, as likely; takes 4 draws an image."""
    blended, boxed = mixup(draws[:, 1:], size, alpha_mixup), cutmix(draws[:, 1:], size, alpha_cutmix)
    cut = draws[:, 0] < 0.5
    return MixPlan(
        size,
        np.where(cut, boxed.weights, blended.weights),
        np.where(cut[:, None], boxed.boxes, blended.boxes),
        np.where(cut, boxed.shares, blended.shares),
    )
