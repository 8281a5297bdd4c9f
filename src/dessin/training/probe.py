"""A linear probe on frozen features: which classes a backbone already tells apart, in seconds.

The penalty is chosen by cross-validation inside the given samples, with whole groups on one side, so nothing
outside them (a validation fold, the holdout) can have a say. The logits are calibrated on the same
out-of-fold predictions (temperature scaling, Guo et al., ICML 2017), so their softmax is a probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.progress import track
from dessin.randomness import image_keys, permutation
from dessin.training.linear import Axes, fit_logistic, fit_ridge, principal_axes

Kind = Literal["logistic", "ridge"]
Floats = NDArray[np.float32]

# From strong to weak, so that each logistic fit starts from the solution of the one before it.
PENALTIES: dict[Kind, tuple[float, ...]] = {
    "logistic": (0.03, 0.01, 0.003, 0.001),
    "ridge": (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01),
}
_DEFAULT_PENALTY: dict[Kind, float] = {"logistic": 0.01, "ridge": 0.1}
_INNER_FOLDS = 3


@dataclass(frozen=True)
class Probe:
    """A linear classifier of raw features: weight (C, D) and bias (C,), float32, with the temperature inside.

    `path` holds (penalty, accuracy, loss) of the inner cross-validation, on images as they are.
    """

    kind: Kind
    weight: Floats
    bias: Floats
    penalty: float
    temperature: float
    path: tuple[tuple[float, float, float], ...]
    decision: Decision

    def logits(self, features: Floats) -> Floats:
        """Raw features (N, D) → logits (N, C)."""
        result: Floats = features @ self.weight.T + self.bias
        return result

    def probabilities(self, features: Floats) -> Floats:
        """Raw features (N, D) → probabilities (N, C) that sum to 1."""
        return torch.from_numpy(self.logits(features)).softmax(dim=1).numpy()


def fit_probe(
    features: Floats,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    classes: int,
    *,
    kind: Kind = "logistic",
    seed: int = 0,
) -> Probe:
    """Fit a probe; views are extra samples, and the penalty is chosen on the first view of unseen groups.

    Args:
        features: (V, N, D) float32, the same images in V views; the first is the image as it is.
        labels: (N,) class numbers, 0..classes - 1.
        groups: (N,) what belongs together; an empty string is a group of its own.

    Raises:
        DessinError: fewer than two classes among the labels, or features that are not finite.
    """
    if len(np.unique(labels)) < 2:
        raise DessinError(
            "A probe needs images of at least two classes.", do="Check the split: this side holds one class."
        )
    if not np.isfinite(features).all():
        raise DessinError("Some features are not finite numbers.", do="Check the backbone and its weights.")
    penalty, temperature, path, reason = _choose(features, labels, groups, classes, kind, seed)
    axes, targets = _axes(features, labels, np.ones(len(labels), dtype=bool))
    fits = _fit_path(axes, targets, classes, kind, [p for p in PENALTIES[kind] if p >= penalty])
    weight, bias = axes.fold_back(*fits[-1])
    return Probe(
        kind=kind,
        weight=(weight / temperature).float().numpy(),
        bias=(bias / temperature).float().numpy(),
        penalty=penalty,
        temperature=temperature,
        path=path,
        decision=Decision("probe penalty", penalty, reason),
    )


def _choose(
    features: Floats,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    classes: int,
    kind: Kind,
    seed: int,
) -> tuple[float, float, tuple[tuple[float, float, float], ...], str]:
    """The penalty, its temperature, the path and the reason."""
    folds = inner_folds(labels, groups, seed)
    used = [k for k in range(folds.max() + 1) if len(np.unique(labels[folds != k])) > 1]
    if folds.max() < 1 or not used:
        return _DEFAULT_PENALTY[kind], 1.0, (), "the usual one: too few groups to choose by cross-validation"
    penalties = PENALTIES[kind]
    held: list[list[Tensor]] = [[] for _ in penalties]
    for fold in track(used, len(used), f"Probe ({kind}), choosing its penalty"):
        axes, targets = _axes(features, labels, folds != fold)
        unseen = axes.place(torch.from_numpy(features[0, folds == fold])).double()
        for logits, (weight, bias) in zip(
            held, _fit_path(axes, targets, classes, kind, penalties), strict=True
        ):
            logits.append(unseen @ weight + bias)
    truth = torch.from_numpy(np.concatenate([labels[folds == fold] for fold in used]))
    results = [_calibrated(torch.cat(logits), truth) for logits in held]
    best = min(range(len(penalties)), key=lambda i: (-results[i][1], results[i][2]))
    temperature, accuracy, loss = results[best]
    path = tuple((p, r[1], r[2]) for p, r in zip(penalties, results, strict=True))
    reason = (
        f"highest accuracy ({accuracy:.1%}, loss {loss:.3f}) of {len(penalties)} penalties on {len(truth):,} "
        f"training images, each predicted from other groups"
    )
    return penalties[best], temperature, path, reason


def inner_folds(labels: NDArray[np.int64], groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Deal whole groups into at most three folds, classes spread evenly, (N,) int64.

    Depends on the names of the groups and the seed, and not on the order of the images.
    """
    names = np.array([group or f"\x00alone {row}" for row, group in enumerate(groups)])
    unique, index = np.unique(names, return_inverse=True)
    members = np.zeros((len(unique), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(members, (index, labels), 1)
    order = permutation(seed, "inner folds", 0, image_keys(unique.tolist()))
    # Large groups first: a small one can still even out what a large one left.
    order = order[np.argsort(-members.sum(axis=1)[order], kind="stable")]
    count = min(_INNER_FOLDS, len(unique))
    filled = np.zeros((count, members.shape[1]), dtype=np.int64)
    fold_of = np.empty(len(unique), dtype=np.int64)
    for group in order:
        present = members[group] > 0
        crowding = filled[:, present].sum(axis=1) * (len(labels) + 1) + filled.sum(axis=1)
        fold_of[group] = int(np.argmin(crowding))
        filled[fold_of[group]] += members[group]
    return fold_of[index]


def _axes(features: Floats, labels: NDArray[np.int64], rows: NDArray[np.bool_]) -> tuple[Axes, Tensor]:
    samples = torch.from_numpy(features[:, rows].reshape(-1, features.shape[2]))
    return principal_axes(samples), torch.from_numpy(np.tile(labels[rows], len(features)))


def _fit_path(
    axes: Axes, targets: Tensor, classes: int, kind: Kind, penalties: Sequence[float]
) -> list[tuple[Tensor, Tensor]]:
    if kind == "ridge":
        return [fit_ridge(axes, targets, classes, penalty) for penalty in penalties]
    fits: list[tuple[Tensor, Tensor]] = []
    for penalty in penalties:
        fits.append(fit_logistic(axes, targets, classes, penalty, fits[-1] if fits else None))
    return fits


def _calibrated(logits: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """The temperature that minimises the loss, the accuracy, and that loss."""

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits / float(np.exp(log_temperature)), truth))

    found = minimize_scalar(loss, bounds=(-6.0, 3.0), method="bounded", options={"xatol": 1e-3})
    accuracy = float((logits.argmax(dim=1) == truth).double().mean())
    return float(np.exp(found.x)), accuracy, float(found.fun)
