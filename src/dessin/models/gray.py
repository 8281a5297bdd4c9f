"""Weights for RGB made to read one gray channel: the same function as of the gray image repeated.

The network's own normalisation takes another mean and standard deviation from each channel. The standard
deviations go into the weights of the first convolution, and the means into its bias or into the mean of the
batch normalisation that follows. Only where the convolution pads with zeros, which then stand for another
gray, a trace of the difference is left.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from dessin.errors import DessinError
from dessin.models.backbones import BackboneInfo


def gray_normalisation(info: BackboneInfo) -> tuple[tuple[float], tuple[float]]:
    """The mean and the standard deviation of the one channel: the means of those of the three."""
    return (sum(info.mean) / 3.0,), (sum(info.std) / 3.0,)


def first_convolution(body: Any) -> str:
    """The name of the convolution that reads the image; "" for a model that does not begin with one."""
    name = body.pretrained_cfg.get("first_conv")
    return name if isinstance(name, str) and isinstance(body.get_submodule(name), nn.Conv2d) else ""


def fold_to_gray(state: dict[str, Tensor], body: Any, info: BackboneInfo) -> dict[str, Tensor]:
    """The state of an RGB model for a `body` that reads one channel; one that is gray already is returned.

    Raises:
        DessinError: a model that does not begin with one convolution.
    """
    stem = first_convolution(body)
    if not stem:
        raise DessinError(
            f"A {type(body).__name__} does not begin with one convolution, so its weights cannot be folded "
            "to read gray images.",
            do="Set image.colour to rgb, or choose another backbone.",
        )
    kernel = state.get(f"{stem}.weight")
    if kernel is None or kernel.shape[1] != 3:
        return state
    (mean,), (std,) = gray_normalisation(info)
    means, stds = torch.tensor(info.mean), torch.tensor(info.std)
    # (g - mean_c) / std_c = x std / std_c + (mean - mean_c) / std_c, where x = (g - mean) / std.
    slope = (kernel * (std / stds).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    offset = (kernel.sum(dim=(2, 3)) * ((mean - means) / stds)).sum(dim=1)
    folded = {**state, f"{stem}.weight": slope}
    bias, running = f"{stem}.bias", _mean_after(stem, body)
    if bias in state:
        folded[bias] = state[bias] + offset
    elif running in state:
        folded[running] = state[running] - offset
    return folded


def _mean_after(stem: str, body: nn.Module) -> str:
    for (name, conv), (after, norm) in pairwise(body.named_modules()):
        if name == stem and isinstance(norm, nn.BatchNorm2d) and norm.num_features == conv.out_channels:
            return f"{after}.running_mean"
    return ""
