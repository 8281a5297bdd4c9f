"""The losses themselves: logits (N, C) and soft targets (N, C) → one value an image, (N,).

They compute in float32 even under autocast: log-softmax over hundreds of classes loses digits in bfloat16.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# The smallest 1 - p whose power has a finite gradient for every exponent from 0 on.
_TINY = 1e-12
# Of the targets, in the asymmetric loss: it is through these shares that other classes count at all.
_ASYMMETRIC_SMOOTHING = 0.1


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross entropy of soft targets."""
    return -(_wide(targets) * _wide(logits).log_softmax(dim=1)).sum(dim=1)


def label_smoothing(logits: Tensor, targets: Tensor, amount: float) -> Tensor:
    """Cross entropy with `amount` of the target spread over all classes (Szegedy et al. 2016)."""
    return cross_entropy(logits, _smoothed(targets, amount))


def focal(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Σ_c t_c (1 - p_c)^γ (-log p_c): what is already right counts less (Lin et al. 2017)."""
    log_p = _wide(logits).log_softmax(dim=1)
    return -(_wide(targets) * _power(_one_minus(log_p), gamma) * log_p).sum(dim=1)


def asymmetric(logits: Tensor, targets: Tensor, gamma_pos: float, gamma_neg: float) -> Tensor:
    """The asymmetric loss for a single label (Ridnik et al. 2021), for soft targets.

    The cross entropy of smoothed targets, each class's part times (1 - p)^γ_pos as far as it is the target
    and p^γ_neg as far as it is not.
    """
    log_p = _wide(logits).log_softmax(dim=1)
    soft = _wide(targets)
    wrong, right = _one_minus(log_p), log_p.exp().clamp(min=_TINY)
    focus = soft * _power(wrong, gamma_pos) + (1.0 - soft) * _power(right, gamma_neg)
    return -(_smoothed(soft, _ASYMMETRIC_SMOOTHING) * focus * log_p).sum(dim=1)


def triplet(logits: Tensor, targets: Tensor, features: Tensor, margin: float) -> Tensor:
    """Cross entropy plus the batch-hard triplet loss (Hermans et al. 2017) on features (N, D) of length 1.

    For each image: its distance to the farthest of its class, minus that to the nearest of another, plus the
    margin, if positive. The class of a mixed image is its largest target. An image without a partner or
    without a stranger in its batch has cross entropy only.
    """
    return cross_entropy(logits, targets) + _batch_hard(_wide(features), targets.argmax(dim=1), margin)


def _batch_hard(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    unit = functional.normalize(features, dim=1)
    # |a - b|² = 2 - 2 a·b for unit vectors; the root has no finite gradient at 0, where two images agree.
    distance = (2.0 - 2.0 * unit @ unit.T).clamp(min=_TINY).sqrt()
    same = labels[:, None] == labels[None, :]
    partner = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    farthest = distance.masked_fill(~partner, 0.0).amax(dim=1)
    nearest = distance.masked_fill(same, 2.0).amin(dim=1)
    counts = partner.any(dim=1) & ~same.all(dim=1)
    return torch.where(counts, (farthest - nearest + margin).clamp(min=0.0), 0.0)


def _wide(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _smoothed(targets: Tensor, amount: float) -> Tensor:
    return _wide(targets) * (1.0 - amount) + amount / targets.shape[1]


def _one_minus(log_p: Tensor) -> Tensor:
    """1 - p without loss of digits where p is near 1."""
    return (-torch.expm1(log_p)).clamp(min=_TINY)


def _power(base: Tensor, exponent: float) -> Tensor:
    return torch.ones_like(base) if exponent == 0.0 else base.pow(exponent)
