from __future__ import annotations

import pytest
import torch

from dessin.errors import DessinError
from dessin.models.backbones import (
    create_body,
    describe_backbone,
    pooled_features,
    resize_body,
)

pytestmark = pytest.mark.slow


def test_lite0_is_described_by_its_own_config() -> None:
    info = describe_backbone("tf_efficientnet_lite0")
    assert info.mean == info.std == (0.5, 0.5, 0.5)
    assert (info.interpolation, info.input_size, info.features) == ("bicubic", 224, 1280)
    assert info.parameters == 3_371_008


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "vgg11", "vit_tiny_patch16_224"])
def test_the_width_is_that_of_the_real_features(name: str) -> None:
    info = describe_backbone(name)
    with torch.device("meta"):
        images = torch.zeros(2, 3, info.input_size, info.input_size)
        assert pooled_features(create_body(name).eval(), images).shape == (2, info.features)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(DessinError, match="tf_efficientnet_lite0"):
        describe_backbone("tf_eficientnet_lite0")
    with pytest.raises(DessinError, match="nosuchtag"):
        describe_backbone("resnet18.nosuchtag")
    # A name that would make timm reach for the network or a folder.
    with pytest.raises(DessinError, match="Unknown backbone"):
        describe_backbone("hf-hub:someone/something")


def test_another_interpolation_is_mapped_with_a_reason() -> None:
    from dessin.models.backbones import _interpolation

    assert _interpolation("bilinear") == ("bilinear", "the backbone's own")
    assert _interpolation("lanczos")[0] == "bicubic"
    assert "lanczos" in _interpolation("lanczos")[1]


def test_a_regulariser_that_would_do_nothing_is_refused() -> None:
    with torch.device("meta"):
        with pytest.raises(DessinError, match="no drop_path"):
            create_body("vgg11", drop_path=0.1)
        with pytest.raises(DessinError, match="no drop_block"):
            create_body("tf_efficientnet_lite0", drop_block=0.1)
        create_body("resnet18", drop_path=0.1, drop_block=0.1)


def test_a_transformer_is_resized_where_it_can_be() -> None:
    name = "test_vit"
    info = describe_backbone(name)
    assert info.fixed_size
    body = create_body(name).eval()
    resize_body(body, info, 96)
    assert pooled_features(body, torch.zeros(1, 3, 96, 96)).shape == (1, info.features)
    with pytest.raises(DessinError, match="224 pixels only"):
        resize_body(torch.nn.Identity(), describe_backbone("mixer_s32_224"), 128)


def test_a_size_too_small_for_the_architecture_is_refused() -> None:
    info = describe_backbone("inception_v3")
    with pytest.raises(DessinError, match="cannot read images of 32 pixels"):
        resize_body(torch.nn.Identity(), info, 32)
