from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dessin.errors import DessinError
from dessin.models.backbones import create_body, describe_backbone
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.gray import first_convolution, fold_to_gray
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import Weights, resolve_weights

pytestmark = pytest.mark.slow

SIDE = 64
PIXELS = torch.randint(
    0, 256, (2, 1, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def pair(backbone: str, path: Path, size: int = SIDE) -> tuple[Classifier, Classifier]:
    """A gray and an RGB classifier from one file of random RGB weights with random batch statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = import_timm().create_model(backbone, num_classes=3)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2.0)
    save_file(model.state_dict(), path)
    weights = resolve_weights(backbone, str(path))
    gray = build_classifier(backbone, 3, weights, channels=1, image_size=size).eval()
    return gray, build_classifier(backbone, 3, weights, image_size=size).eval()


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@torch.inference_mode()
def test_equal_mean_and_std_fold_exactly(tmp_path: Path) -> None:
    gray, rgb = pair("tf_efficientnet_lite0", tmp_path / "w.safetensors")
    assert gray.mean.shape == (1, 1, 1, 1)
    assert gray.body.get_parameter("conv_stem.weight").shape[1] == 1
    torch.testing.assert_close(gray.features(PIXELS), rgb.features(PIXELS), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("backbone", ["test_convnext", "test_vit"])
def test_a_convolution_without_padding_folds_exactly(backbone: str, tmp_path: Path) -> None:
    gray, rgb = pair(backbone, tmp_path / "w.safetensors")
    assert relative(gray.features(PIXELS), rgb.features(PIXELS)) < 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("backbone", ["resnet18", "test_resnet", "mobilenetv2_100", "regnety_002"])
def test_only_the_padding_of_the_first_convolution_differs(backbone: str, tmp_path: Path) -> None:
    gray, rgb = pair(backbone, tmp_path / "w.safetensors")
    maps = []
    for classifier in (gray, rgb):
        seen: list[torch.Tensor] = []
        layers = list(classifier.body.modules())
        stem = classifier.body.get_submodule(first_convolution(classifier.body))
        norm = layers[layers.index(stem) + 1]
        handle = norm.register_forward_hook(lambda _m, _i, output, seen=seen: seen.append(output))
        features = classifier.features(PIXELS)
        handle.remove()
        maps.append((seen[0], features))
    (gray_map, gray_features), (rgb_map, rgb_features) = maps
    inside = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    assert relative(gray_map[inside], rgb_map[inside]) < 1e-4
    # The largest difference that the border brings, of the largest feature of such noise.
    assert relative(gray_features, rgb_features) < 0.05


def test_gray_weights_are_taken_as_they_are(tmp_path: Path) -> None:
    gray, _ = pair("test_resnet", tmp_path / "w.safetensors")
    path = tmp_path / "gray.safetensors"
    save_file({name: t.contiguous() for name, t in gray.body.state_dict().items()}, path)
    again = build_classifier("test_resnet", 3, resolve_weights("test_resnet", str(path)), channels=1).eval()
    with torch.inference_mode():
        assert torch.equal(again.features(PIXELS), gray.features(PIXELS))
    with pytest.raises(DessinError, match=r"conv1\.0\.weight is \(\d+, 1, 3, 3\) and not"):
        build_classifier("test_resnet", 3, resolve_weights("test_resnet", str(path)))


def test_a_model_without_a_first_convolution_is_refused() -> None:
    with torch.device("meta"):
        body = create_body("test_resnet", channels=1)
    body.pretrained_cfg = {**body.pretrained_cfg, "first_conv": None}
    with pytest.raises(DessinError, match=r"Set image\.colour to rgb"):
        fold_to_gray({}, body, describe_backbone("test_resnet"))


def test_random_weights_need_no_folding() -> None:
    weights = Weights("test_resnet", "none", None, "", "none")
    classifier = build_classifier("test_resnet", 3, weights, channels=1).eval()
    assert classifier(PIXELS).shape == (2, 3)
