"""The table of default backbones says what timm says, and its memory and cost are those of the models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dessin.models.backbones import create_body, describe_backbone, pooled_features, resize_body
from dessin.models.default_backbones import ALWAYS, DEMO, RECIPE, TABLE, Backbone
from dessin.models.hub import hub_file
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
    row = next(row for row in TABLE if row.name == name)
    with torch.device("meta"):
        body = create_body(name)
    weights = sum(parameter.numel() for parameter in body.parameters())
    an_image = saved_bytes(body, 3, row.size) - saved_bytes(body, 2, row.size)
    assert row.tuning_gib == pytest.approx((16 * weights + 10 * an_image) / 2**30, rel=0.05)
    body.eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counted:
        pooled_features(body, torch.zeros(1, 3, row.size, row.size, device="meta"))
    assert row.gmacs == pytest.approx(counted.get_total_flops() / 2e9, abs=0.06)


def saved_bytes(body: nn.Module, images: int, size: int) -> int:
    """What a forward pass of so many images keeps for the backward pass, weights aside."""
    held: dict[int, tuple[Tensor, int]] = {}

    def count(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            held[storage._cdata] = tensor, storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        pooled_features(body.train(), torch.zeros(images, 3, size, size, device="meta"))
    return sum(size for _, size in held.values())


def test_what_is_always_there_is_packaged() -> None:
    packaged = {row.name for row in TABLE if row.tier == "packaged"}
    assert {RECIPE, *DEMO, *ALWAYS} <= packaged == set(PACKAGED)
