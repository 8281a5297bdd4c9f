from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dessin.models.card import Features
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import Weights
from dessin.training.folding import _grow_kernels, deviation, folded, in_bfloat16

Conv2dSame = import_timm().layers.Conv2dSame
pytestmark = pytest.mark.slow

PIXELS = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def with_statistics(backbone: str, features: Features = "last") -> Classifier:
    """Random weights, and normalisations that do something: fresh ones are nearly the identity."""
    classifier = build_classifier(backbone, 2, Weights(backbone, "none", None, "", "none"), features=features)
    generator = torch.Generator().manual_seed(1)
    for module in classifier.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.data.uniform_(0.5, 1.5, generator=generator)
    return classifier.eval()


def norms(classifier: Classifier) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in classifier.modules())


@pytest.mark.parametrize(
    ("backbone", "features"),
    [("test_resnet", "last"), ("tf_efficientnet_lite0", "last"), ("test_resnet", "several")],
)
def test_the_features_stay_and_the_normalisations_go(backbone: str, features: Features) -> None:
    classifier = with_statistics(backbone, features)
    before = norms(classifier)
    fast = folded(classifier, PIXELS)
    assert (norms(fast), norms(classifier)) == (0, before)
    assert before > 3
    other = PIXELS.flip(0, 3)
    with torch.inference_mode():
        expected, found = classifier.features(other), fast.features(other)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("side", [40, 41, 47, 56])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_grown_kernel_gives_what_a_side_padded_more_gives(side: int, kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(Conv2dSame(3, 6, kernel, stride, groups=3), nn.BatchNorm2d(6)).eval()
    images = torch.randn(2, 3, side, side + 3)
    with torch.inference_mode():
        expected = body(images)
        _grow_kernels(body)
        torch.testing.assert_close(body(images), expected)
    assert not any(isinstance(module, Conv2dSame) for module in body)


@pytest.mark.parametrize(
    ("backbone", "features"),
    [("test_resnet", "last"), ("test_resnet", "several"), ("test_vit", "several")],
)
def test_in_bfloat16_the_features_are_near_and_float32(backbone: str, features: Features) -> None:
    classifier = with_statistics(backbone, features)
    side = 160 if backbone == "test_vit" else 40
    noise = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (6, 3, side, side), dtype=torch.uint8, generator=noise)
    with torch.inference_mode():
        exact, found = classifier.features(pixels), in_bfloat16(classifier).features(pixels)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    assert (found - exact).norm() < 0.03 * exact.norm()
    assert next(classifier.body.parameters()).dtype == torch.float32, "a copy was made"


def test_deviation_is_a_share_of_what_varies() -> None:
    expected = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    assert deviation(expected, expected) == 0
    assert deviation(expected + 0.1, expected + 100) > 99
    assert deviation(expected + 0.1, expected) == pytest.approx(0.1 * 2**0.5)


class Misleading(nn.Module):
    """Defined in the order convolution, normalisation; carried out the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        assert self.norm.running_mean is not None
        self.norm.running_mean += torch.tensor([1.0, -2.0, 0.5])

    def forward_features(self, images: Tensor) -> Tensor:
        return self.conv(self.norm(images))

    def forward_head(self, features: Tensor, pre_logits: bool) -> Any:
        return features.mean(dim=(2, 3))


def test_a_wrong_guess_is_noticed_and_nothing_is_folded() -> None:
    classifier = with_statistics("test_resnet")
    classifier.body = Misleading().eval()
    assert folded(classifier, PIXELS) is classifier
    assert norms(classifier) == 1


def test_a_body_without_normalisations_is_returned_as_it_is() -> None:
    classifier = with_statistics("test_vit")
    assert folded(classifier, torch.zeros(1, 3, 160, 160)) is classifier
