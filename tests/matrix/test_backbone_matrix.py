"""Every backbone that dessin answers for: a step of training, a bundle and a gradient of its input."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dessin.images.spec import Colour
from dessin.models.backbones import create_body, describe_backbone
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import BundleCard, BundleImage
from dessin.models.classifier import build_classifier
from dessin.models.freezing import apply_finetune, layer_groups
from dessin.models.lora import lora_targets
from dessin.models.losses import make_loss, mean_loss
from dessin.models.stages import stages_of
from dessin.models.weights import Weights

pytestmark = pytest.mark.matrix

# The side in pixels: small where the architecture allows.
BACKBONES = {
    "resnet18": 64,
    "resnet50": 64,
    "resnet101": 64,
    "resnet152": 64,
    "resnetrs50": 64,
    "efficientnet_b3": 64,
    "mobilenetv2_100": 64,
    "tf_efficientnet_lite0": 64,
    "tf_efficientnet_lite1": 64,
    "tf_efficientnet_lite2": 64,
    "regnety_080": 64,
    "deit_small_patch16_224": 64,
    "vit_small_patch16_224": 64,
    "swin_tiny_patch4_window7_224": 64,
    "convnext_tiny": 64,
    "coatnet_0_rw_224": 224,
    "caformer_s18": 64,
    "eva02_tiny_patch14_224": 56,
}
# Trained in gray too; all others differ there in their first layer alone.
GRAY = ("resnet18", "mobilenetv2_100", "tf_efficientnet_lite0", "eva02_tiny_patch14_224")
# By name only: never built, but described, divided and searched.
LARGE = {
    "eva02_large_patch14_448": (448, 1024),
    "vit_so400m_patch14_siglip_384": (384, 1152),
    "convnext_base": (224, 1024),
    "eva_giant_patch14_336": (336, 1408),
    "vit_large_patch14_dinov2": (518, 1024),
    "swin_large_patch4_window7_224": (224, 1536),
}


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    torch.set_num_threads(1)
    yield
    gc.collect()


@pytest.mark.parametrize(
    ("backbone", "colour"), [*((name, "rgb") for name in BACKBONES), *((name, "gray") for name in GRAY)]
)
def test_a_backbone_trains_travels_and_can_be_explained(
    backbone: str, colour: Colour, tmp_path: Path
) -> None:
    size, channels = BACKBONES[backbone], 3 if colour == "rgb" else 1
    weights = Weights(backbone, "none", None, "", "none")
    classifier = build_classifier(backbone, 3, weights, image_size=size, channels=channels, drop_path=0.1)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(2, channels, size, size, generator=generator) * 255
    freezing = apply_finetune(classifier, mode="full")
    assert freezing.trained == freezing.total
    groups = layer_groups(classifier, 0.8)
    assert sum(len(group.parameters) for group in groups) == len(list(classifier.parameters()))
    optimizer = torch.optim.AdamW([{"params": list(group.parameters)} for group in groups], lr=1e-3)
    classifier.train()
    for _ in range(2):
        optimizer.zero_grad()
        targets = torch.eye(3)[:2]
        loss = mean_loss(make_loss("cross_entropy")(classifier(pixels), targets), targets, None)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss.isfinite()
    # Whatever is trained got a gradient: after the first step the head is no longer the only one.
    idle = [name for name, p in classifier.named_parameters() if p.grad is None]
    assert not idle
    card = BundleCard(
        classes=("a", "b", "c"),
        backbone=backbone,
        image=BundleImage(
            size=size,
            mean=describe_backbone(backbone).mean,
            std=describe_backbone(backbone).std,
            interpolation="bicubic",
            fit="letterbox",
            colour=colour,
        ),
        licence="none",
    )
    save_bundle(tmp_path / "bundle", classifier.eval(), card)
    loaded = load_bundle(tmp_path / "bundle").classifier
    pixels.requires_grad_()
    logits = loaded(pixels)
    assert torch.equal(logits, classifier(pixels))
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), pixels)
    assert (gradient.abs().sum(dim=(1, 2, 3)) > 0).all()
    (tmp_path / "bundle" / "model.safetensors").unlink()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_gray_body_reads_one_channel_and_is_the_same_behind_it(backbone: str) -> None:
    with torch.device("meta"):
        bodies = [create_body(backbone, channels=channels) for channels in (3, 1)]
    rgb, gray = ({name: tuple(one.shape) for name, one in body.state_dict().items()} for body in bodies)
    assert rgb.keys() == gray.keys()
    (first,) = [name for name in rgb if rgb[name] != gray[name]]
    assert gray[first] == (rgb[first][0], 1, *rgb[first][2:])


@pytest.mark.parametrize("backbone", LARGE)
def test_a_large_backbone_is_known_by_name(backbone: str) -> None:
    info = describe_backbone(backbone)
    assert (info.input_size, info.features) == LARGE[backbone]
    with torch.device("meta"):
        body = create_body(backbone)
        assert create_body(backbone, channels=1, drop_path=0.1) is not None
    assert all(stages_of(body)[stage] for stage in (1, 2, 3, 4))
    assert lora_targets(body)
