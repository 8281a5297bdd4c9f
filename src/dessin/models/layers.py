"""What a head reads of a body: its last features, or these joined with its last two feature maps.

An encoder is a body that does so, from raw pixels: it normalises them as its own weights want it.

Of each map the mean and the maximum over its places are taken; of a network with a class token that token and
the mean of the patches, after each of the last two blocks. Earlier maps tell strokes and their parts apart,
which the last layer of a network that was trained on photographs no longer does.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from dessin.errors import DessinError
from dessin.models.backbones import BackboneInfo, create_body, describe_backbone, pooled_features
from dessin.models.card import Features
from dessin.models.gray import gray_normalisation

MAPS = 2


class Encoder(nn.Module):
    """A timm `body` without its head: (N, channels, S, S) pixels from 0 to 255 → (N, D) features.

    It `reads` the body's last features or those of several layers.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, body: nn.Module, info: BackboneInfo, *, channels: int = 3, features: Features = "last"
    ) -> None:
        super().__init__()
        self.backbone = info.name
        self.channels = channels
        self.reads = features
        self.body = body
        mean, std = (info.mean, info.std) if channels == 3 else gray_normalisation(info)
        # In units of pixel values; not in the state, because they are on the bundle's card.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1) * 255.0, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1) * 255.0, persistent=False)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return feature_count(self.backbone, self.reads)

    def features(self, pixels: Tensor) -> Tensor:
        """(N, channels, S, S) pixels → (N, D)."""
        return read_features(self.body, self.normalise(pixels), self.reads)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(N, channels, S, S) from 0 to 255 → float32, channels-last, as the backbone wants it."""
        images = pixels.to(torch.float32, memory_format=torch.channels_last)
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def read_features(body: Any, images: Tensor, features: Features) -> Tensor:
    """Normalised images (N, channels, S, S) → (N, D) features, those of the last layer first."""
    if features == "last":
        return pooled_features(body, images)
    # A class token stands before the patches, and is a summary already; without one the maximum is taken.
    tokens = bool(getattr(body, "num_prefix_tokens", 0))
    options = {"return_prefix_tokens": True} if tokens else {}
    final, maps = body.forward_intermediates(images, indices=MAPS, **options)
    parts = [body.forward_head(final, pre_logits=True)]
    for one in maps:
        places = one[0] if tokens else one
        parts += [places.mean(dim=(2, 3)), one[1][:, 0] if tokens else places.amax(dim=(2, 3))]
    return torch.cat(parts, dim=1)


@cache
def feature_count(backbone: str, features: Features) -> int:
    """D, how many features a head reads, found without weights.

    Raises:
        DessinError: an unknown backbone, or one that does not give its feature maps.
    """
    info = describe_backbone(backbone)
    if features == "last":
        return info.features
    try:
        with torch.device("meta"), torch.no_grad():
            images = torch.zeros(2, 3, info.input_size, info.input_size)
            shape = read_features(create_body(backbone).eval(), images, features).shape
    # Each family of timm fails in its own way.
    except (AttributeError, TypeError, ValueError, RuntimeError, AssertionError, IndexError):
        shape = torch.Size()
    if len(shape) != 2:
        raise DessinError(
            f'The backbone "{backbone}" does not give its last feature maps, so no head can read them.',
            do="Set model.features to last, or choose another backbone.",
        )
    return int(shape[1])
