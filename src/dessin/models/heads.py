"""Heads: features (N, D) → logits (N, C). Each kind can start from a fitted linear head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dessin.models.card import HeadKind

_COSINE_SCALE = 10.0
# Relative to the mean square of the features: enough where there are fewer images than features.
_RIDGE = 1e-3


class Head(nn.Module):
    """What all kinds have: `in_features` (D), `out_features` (C) and `start`."""

    in_features: int
    out_features: int

    def start(self, weight: Tensor, bias: Tensor) -> None:
        """Begin as the linear head weight (C, D), bias (C,)."""
        raise NotImplementedError


class LinearHead(nn.Linear, Head):
    """One linear layer."""

    @torch.no_grad()
    def start(self, weight: Tensor, bias: Tensor) -> None:
        self.weight.copy_(weight)
        self.bias.copy_(bias)


class CosineHead(Head):
    """A learned scale times the cosine of the angle between the features and each class's direction.

    Neither the length of the features nor that of a class's row counts (Gidaris and Komodakis 2018).
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.in_features, self.out_features = width, classes
        self.weight = nn.Parameter(torch.zeros(classes, width))
        self.scale = nn.Parameter(torch.tensor(_COSINE_SCALE))

    def forward(self, features: Tensor) -> Tensor:
        # In float32 even under autocast: the scale multiplies the error of the cosine.
        with torch.autocast(features.device.type, enabled=False):
            unit = functional.normalize(features.float(), dim=1)
            return self.scale * functional.linear(unit, functional.normalize(self.weight, dim=1))

    @torch.no_grad()
    def start(self, weight: Tensor, bias: Tensor) -> None:  # noqa: ARG002
        """With the directions of the linear rows; neither their lengths nor the bias can be kept."""
        self.weight.copy_(functional.normalize(weight, dim=1))

    @torch.no_grad()
    def start_near(self, weight: Tensor, bias: Tensor, features: Tensor) -> None:
        """With the directions and the scale whose logits on features (n, D) are nearest to the linear ones.

        Nearest in the least squares; exactly equal they cannot be, since lengths no longer count.
        """
        rows, offsets, inputs = (tensor.double().cpu() for tensor in (weight, bias, features))
        logits = functional.linear(inputs, rows, offsets)
        # What is added to all logits of an image changes no probability.
        logits -= logits.mean(dim=1, keepdim=True)
        unit = functional.normalize(inputs, dim=1)
        square = unit.T @ unit
        square.diagonal().add_(_RIDGE * square.diagonal().mean())
        directions = functional.normalize(torch.linalg.solve(square, unit.T @ logits).T, dim=1)
        cosines = functional.linear(unit, directions)
        cosines -= cosines.mean(dim=1, keepdim=True)
        self.weight.copy_(directions)
        self.scale.copy_((logits * cosines).sum() / (cosines * cosines).sum())


class MlpHead(Head):
    """Two layers, 2 D wide between them, with ReLU."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.in_features, self.out_features = width, classes
        self.hidden = nn.Linear(width, 2 * width)
        self.output = nn.Linear(2 * width, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.output(self.hidden(features).relu())  # type: ignore[no-any-return]

    @torch.no_grad()
    def start(self, weight: Tensor, bias: Tensor) -> None:
        """Exactly the linear head: x = relu(x) - relu(-x) (Balduzzi et al. 2017)."""
        one = torch.eye(self.in_features)
        self.hidden.weight.copy_(torch.cat([one, -one]))
        self.hidden.bias.zero_()
        self.output.weight.copy_(torch.cat([weight, -weight], dim=1))
        self.output.bias.copy_(bias)


HEADS: dict[HeadKind, type[LinearHead | CosineHead | MlpHead]] = {
    "linear": LinearHead,
    "cosine": CosineHead,
    "mlp": MlpHead,
}
