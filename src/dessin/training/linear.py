"""Linear classifiers of standardised features: ridge in closed form, logistic in principal axes by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

Kind = Literal["logistic", "ridge"]

_ITERATIONS = 20
_TOLERANCE = 1e-5
# A relative gain of the objective below which the accuracy of a probe no longer changes (measured).
_PROGRESS = 1e-4


@dataclass(frozen=True)
class Axes:
    """Standardised samples in principal axes.

    `samples` (n, r) float32; `variances` (r,) float64 along each axis; `turn` (D, r) and `mean`, `scale` (D,)
    lead back to raw features.
    """

    samples: Tensor
    variances: Tensor
    turn: Tensor
    mean: Tensor
    scale: Tensor

    def place(self, features: Tensor) -> Tensor:
        """Other raw features (m, D) in these axes, (m, r)."""
        return ((features - self.mean) / self.scale) @ self.turn

    def fold_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A fit in these axes, (r, C) and (C,), as weight (C, D) and bias (C,) on raw features; float64."""
        raw = (self.turn.double() @ weight.double()) / self.scale.double()[:, None]
        return raw.T.contiguous(), bias.double() - self.mean.double() @ raw


@dataclass(frozen=True)
class Standard:
    """Standardised samples (n, D) float32 as they are.

    `gram` float64 are the mean products of features, (D, D), or where samples are fewer those of samples,
    (n, n), over n. `mean`, `scale` (D,) lead back to raw features.
    """

    samples: Tensor
    gram: Tensor
    mean: Tensor
    scale: Tensor

    def place(self, features: Tensor) -> Tensor:
        """Other raw features (m, D), standardised."""
        return (features - self.mean) / self.scale

    def fold_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A fit (D, C) and (C,) as weight (C, D) and bias (C,) on raw features; float64."""
        raw = weight.double() / self.scale.double()[:, None]
        return raw.T.contiguous(), bias.double() - self.mean.double() @ raw


def _scales(features: Tensor) -> tuple[Tensor, Tensor]:
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    return mean, torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation))


def standardise(features: Tensor) -> Standard:
    """Features (n, D) float32, ready for ridge at any penalty."""
    mean, scale = _scales(features)
    samples = (features - mean) / scale
    count, width = samples.shape
    gram = (samples @ samples.T if count < width else samples.T @ samples).double() / count
    return Standard(samples, gram, mean, scale)


def principal_axes(features: Tensor) -> Axes:
    """Standardise features (n, D) float32 and turn them; r = min(n - 1, D) at most, without empty axes."""
    mean, scale = _scales(features)
    standard = (features - mean) / scale
    count, width = standard.shape
    few = count < width
    values, vectors = torch.linalg.eigh((standard @ standard.T if few else standard.T @ standard).double())
    kept = values > values[-1] * 1e-7
    values, turn = values[kept], vectors[:, kept]
    turned = (standard.T.double() @ (turn / values.sqrt()) if few else turn).float()
    return Axes(standard @ turned, values / count, turned, mean, scale)


def fit_ridge(data: Standard, labels: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """Least squares on centred class indicators, (D, C) and (C,); `penalty` is relative to unit variance.

    A Cholesky factor each time costs a fraction of the eigenvectors that would serve all penalties.
    """
    indicators = torch.nn.functional.one_hot(labels, classes).float()
    centre = indicators.mean(dim=0)
    count, width = data.samples.shape
    shrunk = data.gram.clone()
    shrunk.diagonal().add_(penalty)
    factor = torch.linalg.cholesky(shrunk)
    if count < width:
        duals = torch.cholesky_solve((indicators - centre).double() / count, factor)
        return (data.samples.T @ duals.float()).double(), centre.double()
    correlation = (data.samples.T @ (indicators - centre)).double() / count
    return torch.cholesky_solve(correlation, factor), centre.double()


def fit_logistic(
    axes: Axes, labels: Tensor, classes: int, penalty: float, start: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by L-BFGS, (r, C) and (C,): mean cross-entropy + penalty / 2 · |W|².

    The bias is not penalised. `start` is the solution for a neighbouring penalty.
    """
    width = axes.samples.shape[1]
    # At the start every class has probability 1 / C, so this is the true curvature there.
    curvature = axes.variances * (1.0 / classes) * (1.0 - 1.0 / classes)
    unit = (1.0 / (curvature + penalty).sqrt()).float()[:, None]
    bias_unit = float(1.0 / np.sqrt((1.0 / classes) * (1.0 - 1.0 / classes)))
    scaled = axes.samples * unit.T
    rows = torch.arange(len(labels))
    shrink = penalty * unit.double() ** 2

    def objective(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        point = torch.from_numpy(vector).view(width + 1, classes)
        weight, bias = point[:width], point[width] * bias_unit
        logits = scaled @ weight.float() + bias.float()
        log_probabilities = logits.log_softmax(dim=1)
        loss = -log_probabilities[rows, labels].double().mean() + 0.5 * (shrink * weight**2).sum()
        error = log_probabilities.exp_()
        error[rows, labels] -= 1.0
        error /= len(labels)
        gradient = torch.empty_like(point)
        gradient[:width] = (scaled.T @ error).double() + shrink * weight
        gradient[width] = error.double().sum(dim=0) * bias_unit
        return float(loss), gradient.flatten().numpy()

    first = torch.zeros(width + 1, classes, dtype=torch.float64)
    if start is not None:
        first[:width], first[width] = start[0] / unit.double(), start[1] / bias_unit
    options = {"maxiter": _ITERATIONS, "maxcor": 10, "gtol": _TOLERANCE, "ftol": _PROGRESS}
    found: Any = minimize(objective, first.flatten().numpy(), jac=True, method="L-BFGS-B", options=options)
    point = torch.from_numpy(found.x).view(width + 1, classes)
    return point[:width] * unit.double(), point[width] * bias_unit


Space = Axes | Standard


def space_of(features: Tensor, kind: Kind) -> Space:
    """Samples (n, D) as a kind of fit wants them."""
    return standardise(features) if kind == "ridge" else principal_axes(features)


def fit_linear(
    space: Space, targets: Tensor, classes: int, penalty: float, start: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """One fit, ridge or logistic as the samples were made ready; only the latter makes use of a start.

    `targets` (n,) are the class numbers of the samples.
    """
    if isinstance(space, Standard):
        return fit_ridge(space, targets, classes, penalty)
    return fit_logistic(space, targets, classes, penalty, start)
