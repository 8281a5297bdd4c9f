from __future__ import annotations

import pytest

from dessin.models.freezing import default_lr, default_weight_decay


@pytest.mark.parametrize(
    ("backbone", "optimizer", "mode", "rate"),
    [
        ("tf_efficientnet_lite0", "adamw", "full", 2e-4),
        ("resnet50.a1_in1k", "sgd", "full", 1e-2),
        ("mobilenetv2_100", "adam", "full", 2e-4),
        ("vit_small_patch16_224", "adamw", "full", 5e-5),
        ("vit_small_patch16_224", "adamw", "lora", 5e-4),
        ("swin_tiny_patch4_window7_224", "adamw", "full", 5e-5),
        ("eva02_tiny_patch14_224", "adamw", "full", 5e-5),
        ("convnext_tiny", "adamw", "full", 1e-4),
        ("caformer_s18", "adamw", "full", 1e-4),
        ("mixer_b16_224", "adamw", "full", 1e-4),
    ],
)
def test_a_family_has_its_rate(backbone: str, optimizer: str, mode: str, rate: float) -> None:
    assert default_lr(backbone, optimizer, mode).value == pytest.approx(rate)


def test_the_decay_goes_with_the_optimiser() -> None:
    assert [default_weight_decay(name).value for name in ("adamw", "adam", "sgd")] == [0.05, 0.0, 1e-4]
