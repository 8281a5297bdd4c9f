from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from dessin.errors import DessinError
from dessin.models.backbones import create_body
from dessin.models.stages import parts_of, stages_of

FAMILIES = {
    # The first module of each stage with parameters, and the number of blocks.
    "resnet18": ("layer1.0", "layer2.0", "layer3.0", "layer4.0", 8),
    "resnet152": ("layer1.0", "layer2.0", "layer3.0", "layer4.0", 50),
    "efficientnet_b3": ("blocks.1.0", "blocks.2.0", "blocks.3.0", "blocks.5.0", 26),
    "tf_efficientnet_lite0": ("blocks.1.0", "blocks.2.0", "blocks.3.0", "blocks.5.0", 16),
    "mobilenetv2_100": ("blocks.1.0", "blocks.2.0", "blocks.3.0", "blocks.5.0", 17),
    "regnety_080": ("s1.b1", "s2.b1", "s3.b1", "s4.b1", 17),
    "deit_small_patch16_224": ("blocks.0", "blocks.3", "blocks.6", "blocks.9", 12),
    "swin_tiny_patch4_window7_224": (
        "layers.0.blocks.0",
        "layers.1.downsample",
        "layers.2.downsample",
        "layers.3.downsample",
        12,
    ),
    "convnext_tiny": (
        "stages.0.blocks.0",
        "stages.1.downsample.0",
        "stages.2.downsample.0",
        "stages.3.downsample.0",
        18,
    ),
    "coatnet_0_rw_224": (
        "stages.0.blocks.0",
        "stages.1.blocks.0",
        "stages.2.blocks.0",
        "stages.3.blocks.0",
        14,
    ),
    "caformer_s18": (
        "stages.0.blocks.0",
        "stages.1.downsample",
        "stages.2.downsample",
        "stages.3.downsample",
        18,
    ),
    "eva02_tiny_patch14_224": ("blocks.0", "blocks.3", "blocks.6", "blocks.9", 12),
    "vit_so400m_patch14_siglip_384": ("blocks.0", "blocks.6", "blocks.13", "blocks.20", 27),
}


def meta(name: str) -> Any:
    with torch.device("meta"):
        return create_body(name)


@pytest.mark.parametrize("backbone", FAMILIES)
def test_every_family_has_four_stages(backbone: str) -> None:
    *first, blocks = FAMILIES[backbone]
    body = meta(backbone)
    stages = stages_of(body)
    assert [stages[stage][0] for stage in (1, 2, 3, 4)] == first
    parts = parts_of(body)
    assert max(part.block for part in parts) == blocks
    # Every parameter in just one part, and neither stages nor blocks go back.
    names = [name for part in parts for name in part.parameters]
    assert sorted(names) == sorted(name for name, _ in body.named_parameters())
    assert all(a.stage <= b.stage and a.block <= b.block for a, b in pairwise(parts))
    assert {part.stage for part in parts} == {0, 1, 2, 3, 4}


def test_what_follows_the_last_block_goes_with_it() -> None:
    last = [part for part in parts_of(meta("tf_efficientnet_lite0")) if part.name in ("conv_head", "bn2")]
    assert [(part.stage, part.block) for part in last] == [(4, 16), (4, 16)]
    stem = parts_of(meta("deit_small_patch16_224"))[0]
    assert (stem.name, stem.stage, stem.block) == ("", 0, 0)
    assert stem.parameters == ("cls_token", "pos_embed")


def test_a_description_of_modules_that_do_not_exist_gives_quarters() -> None:
    parts = parts_of(meta("twins_svt_small"))
    blocks = max(part.block for part in parts)
    first = [min(part.block for part in parts if part.stage == stage) for stage in (1, 2, 3, 4)]
    assert first == [blocks * quarter // 4 + 1 for quarter in range(4)]


def test_a_chain_of_convolutions_has_a_block_for_each() -> None:
    assert max(part.block for part in parts_of(meta("vgg11"))) >= 8


def test_a_model_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(DessinError, match="too few"):
        parts_of(meta("nest_tiny"))
