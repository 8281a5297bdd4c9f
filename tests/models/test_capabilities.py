from __future__ import annotations

import pytest

from dessin.errors import DessinError
from dessin.models.capabilities import Capabilities, capabilities, check_regularisers


@pytest.mark.parametrize(
    ("backbone", "drop_path", "drop_block", "lora"),
    [
        ("resnet18", True, True, False),
        ("resnetrs50", True, True, False),
        ("tf_efficientnet_lite0", True, False, False),
        ("vit_small_patch16_224", True, False, True),
        ("convnext_tiny", True, False, True),
        ("vgg11", False, False, False),
    ],
)
def test_the_table(backbone: str, drop_path: bool, drop_block: bool, lora: bool) -> None:
    assert capabilities(backbone) == Capabilities(drop_path, drop_block, lora)


def test_what_a_backbone_has_not_is_refused_and_what_it_has_is_named() -> None:
    check_regularisers("resnet18", drop_path=0.1, drop_block=0.1)
    check_regularisers("vgg11", drop_path=0.0, drop_block=0.0)
    with pytest.raises(DessinError, match=r"no drop_block\. It has drop_rate and drop_path"):
        check_regularisers("tf_efficientnet_lite0", drop_path=0.1, drop_block=0.1)
    with pytest.raises(DessinError, match="no drop_path and no drop_block"):
        check_regularisers("vgg11", drop_path=0.1, drop_block=0.1)
    with pytest.raises(DessinError, match="Unknown backbone"):
        check_regularisers("resnet17", drop_path=0.1, drop_block=0.0)
