"""Low-rank adaptation (Hu et al. 2022): W x + B A x, where only A and B are trained, and B starts at 0.

It acts on the linear layers of attention and MLP inside the blocks. The update is not scaled further (the
paper's α equals the rank).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.models.stages import parts_of
from dessin.randomness import derive

_OWNERS = ("attn", "mlp", "token_mixer")
# Narrower layers make tables of relative positions; they read no image.
_NARROWEST = 32


class LoraLinear(nn.Module):
    """A linear layer: frozen `base_weight` and `bias`, trained `lora_a` (r, in) and `lora_b` (out, r)."""

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.in_features, self.out_features = base.in_features, base.out_features
        self.base_weight, self.bias = base.weight, base.bias
        limit = 1.0 / math.sqrt(base.in_features)
        drawn = torch.empty(rank, base.in_features).uniform_(-limit, limit, generator=generator)
        self.lora_a = nn.Parameter(drawn.to(base.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device))

    @property
    def weight(self) -> Tensor:
        """W + B A, for models that read a layer's weight and do not call it."""
        return self.base_weight + self.lora_b @ self.lora_a

    def forward(self, x: Tensor) -> Tensor:
        low = functional.linear(x, self.lora_a)
        return functional.linear(x, self.base_weight, self.bias) + functional.linear(low, self.lora_b)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain layer that computes the same."""
        with torch.device("meta"):
            plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None)
        update = self.lora_b.double() @ self.lora_a.double()
        plain.weight = nn.Parameter((self.base_weight.double() + update).to(self.base_weight.dtype))
        plain.bias = self.bias
        return plain


def add_lora(classifier: Classifier, rank: int, *, seed: int = 0) -> tuple[str, ...]:
    """Put a rank-`rank` update, which at first is 0, on every target in the body; returns their names.

    Raises:
        DessinError: a backbone without such layers, or a rank above the width of one.
    """
    targets = lora_targets(classifier.body)
    if not targets:
        raise DessinError(
            f'The backbone "{classifier.backbone}" has no linear layers of attention or MLP for LoRA.',
            do="Choose another finetune.mode, or a transformer or ConvNeXt as the backbone.",
        )
    narrowest = min(min(layer.weight.shape) for layer in targets.values())
    if rank > narrowest:
        raise DessinError(
            f'LoRA of rank {rank} is no low rank for "{classifier.backbone}".',
            allowed=f"finetune.lora_rank is at most {narrowest} here.",
        )
    for name, layer in targets.items():
        generator = torch.Generator().manual_seed(derive(seed, "lora", name))
        classifier.body.set_submodule(name, LoraLinear(layer, rank, generator))
    return tuple(targets)


def merge_lora(classifier: Classifier) -> None:
    """Add every update to its layer: the same function, and a state with plain names."""
    for name, layer in list(classifier.body.named_modules()):
        if isinstance(layer, LoraLinear):
            classifier.body.set_submodule(name, layer.merged())


def lora_targets(body: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of attention and MLP in the blocks of a body, by name, in order; {} if none."""
    try:
        blocks = tuple(f"{part.name}." for part in parts_of(body) if part.block)
    except DessinError:
        return {}
    return {
        name: module
        for name, module in body.named_modules()
        if type(module) is nn.Linear
        and name.startswith(blocks)
        and any(part.startswith(_OWNERS) for part in name.split("."))
        and min(module.weight.shape) >= _NARROWEST
    }
