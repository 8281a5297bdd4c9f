"""The table of default backbones says what timm says, and its memory and cost are those of the models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from dessin.models.backbones import create_body, describe_backbone, pooled_features, resize_body
from dessin.models.default_backbones import ALWAYS, DEMO, RECIPE, ROWS, TABLE, Backbone
from dessin.models.hub import hub_file
from dessin.models.lora import LoraLinear, lora_targets
from dessin.models.weights import PACKAGED

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_says_what_timm_says(row: Backbone) -> None:
    info = describe_backbone(row.name)
    assert info.licence.lower() == row.licence.lower()
    assert info.parameters / 1e6 == pytest.approx(row.millions, abs=0.06)
    assert info.input_size == row.size
    assert all(hub_file(row.name)), "published as safetensors"
    # It reads the sides that auto may ask for.
    with torch.device("meta"):
        for most in (160, 224):
            resize_body(create_body(row.name), info, row.side(most))


@pytest.mark.parametrize(
    "name",
    [
        "tf_efficientnet_lite0",
        "convnext_small.fb_in22k_ft_in1k",
        "eva02_large_patch14_448.mim_m38m_ft_in22k_in1k",
    ],
)
def test_memory_and_cost_are_those_of_the_model(name: str) -> None:
    row = ROWS[name]
    assert (row.tuning_gib, row.lora_gib or 0.0) == pytest.approx(calculated(row), rel=0.05)
    with torch.device("meta"):
        body = create_body(name).eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counted:
        pooled_features(body, torch.zeros(1, 3, row.size, row.size, device="meta"))
    assert row.gmacs == pytest.approx(counted.get_total_flops() / 2e9, abs=0.06)


def calculated(row: Backbone) -> tuple[float, float]:
    """GiB of a step of 8 images: weights, gradients, AdamW's moments, and what the backward pass needs.

    A quarter is for the gradients of activations. In half precision there are copies of the weights too, and
    a fifth is for what autocast keeps in float32.
    """
    half = row.tier in ("strong", "named")
    with torch.device("meta"):
        body = create_body(row.name).to(torch.bfloat16 if half else torch.float32)
    weights = sum(parameter.numel() for parameter in body.parameters())
    an_image = 10 * saved_an_image(body, row.size, fused=half)
    if not half:
        return (16 * weights + an_image) / 2**30, 0.0
    put_lora(body)
    lora = 10 * saved_an_image(body, row.size, fused=True)
    return (18 * weights + 1.2 * an_image) / 2**30, (6 * weights + 1.2 * lora) / 2**30


def put_lora(body: nn.Module, rank: int = 8) -> None:
    body.requires_grad_(False)
    for name, layer in lora_targets(body).items():
        update = LoraLinear(layer, rank, torch.Generator())
        body.set_submodule(name, update.to(layer.weight.dtype))


class Fused(torch.autograd.Function):
    """Attention as a fused kernel does it, which keeps no matrix of all pairs of places."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, out)
        return out


def saved_an_image(body: nn.Module, size: int, *, fused: bool) -> int:
    """What the forward pass of an image keeps for the backward pass, weights aside, in bytes."""
    dtype = next(body.parameters()).dtype
    held: dict[int, tuple[Tensor, int]] = {}

    def count(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            held[storage._cdata] = tensor, storage.nbytes()
        return tensor

    sums = []
    with pytest.MonkeyPatch.context() as patch:
        if fused:
            attention = lambda q, k, v, *_, **__: Fused.apply(q, k, v)  # noqa: E731
            patch.setattr(functional, "scaled_dot_product_attention", attention)
        for images in (2, 3):
            held.clear()
            with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
                pooled_features(body.train(), torch.zeros(images, 3, size, size, device="meta", dtype=dtype))
            sums.append(sum(size for _, size in held.values()))
    return sums[1] - sums[0]


def test_what_is_always_there_is_packaged() -> None:
    packaged = {row.name for row in TABLE if row.tier == "packaged"}
    usual = {name.partition(":")[0] for name in (RECIPE, *DEMO, *ALWAYS)}
    assert usual <= packaged == set(PACKAGED)
