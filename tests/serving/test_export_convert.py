"""One ONNX file for every family: the same answers for any number of drawings, nothing of this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from dessin.images.ground import Pixels
from dessin.models.backbones import describe_backbone, resize_body
from dessin.models.card import BundleCard, BundleImage, Features, HeadKind
from dessin.models.classifier import Classifier, empty_classifier
from dessin.models.lora import add_lora, merge_lora
from dessin.models.network import OnnxNetwork
from dessin.serving.export.convert import to_int8, to_onnx
from dessin.serving.export.measure import agreement
from dessin.serving.export.result import Agreement

pytestmark = pytest.mark.slow

CLASSES = ("a", "b", "c", "d")


def make(
    backbone: str,
    *,
    size: int,
    head: HeadKind = "linear",
    colour: str = "rgb",
    channels: int = 3,
    features: Features = "last",
) -> tuple[Classifier, BundleCard]:
    """Random weights with batch statistics that are not those of a new network, and answers far apart."""
    info = describe_backbone(backbone)
    classifier = empty_classifier(
        backbone, len(CLASSES), seed=1, head=head, channels=channels, features=features
    )
    resize_body(classifier.body, info, size)
    generator = torch.Generator().manual_seed(0)
    for module in classifier.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator).mul_(0.1)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    for weight in classifier.head.parameters():
        if weight.ndim == 2 and head != "mlp":
            torch.nn.init.normal_(weight, std=0.3, generator=generator)
    image = BundleImage(
        size=size,
        mean=info.mean,
        std=info.std,
        interpolation=info.interpolation,
        fit="letterbox",
        colour=colour,
    )
    card = BundleCard(
        classes=CLASSES, backbone=backbone, head=head, features=features, image=image, licence="none"
    )
    return classifier.eval(), card


def drawings(count: int, channels: int, size: int) -> Pixels:
    draw = np.random.default_rng([count, channels, size])
    return draw.integers(0, 256, (count, channels, size, size), dtype=np.uint8)


@pytest.mark.parametrize(
    ("backbone", "size", "kind"),
    [
        ("test_resnet", 32, {"head": "cosine", "colour": "gray"}),
        ("test_efficientnet", 32, {"colour": "gray", "channels": 1}),
        ("test_convnext", 32, {"head": "mlp"}),
        ("test_vit", 64, {}),
        ("test_efficientnet", 32, {"features": "several"}),
        ("test_vit", 64, {"features": "several"}),
    ],
)
def test_every_family_answers_the_same(backbone: str, size: int, kind: dict[str, object]) -> None:
    classifier, card = make(backbone, size=size, **kind)
    shown = drawings(7, 1 if card.image.colour == "gray" else 3, size)
    model = to_onnx(classifier, card, shown)
    network = OnnxNetwork(model, threads=1)
    assert network.channels == shown.shape[1]
    found = agreement(classifier, network, shown, 1.0)
    assert found.exact, found.words
    quantised = OnnxNetwork(to_int8(model, card, shown), threads=1)
    near = agreement(classifier, quantised, shown, 1.0)
    assert found.largest_difference < near.largest_difference < 0.25


def test_merged_low_ranks_are_in_it() -> None:
    classifier, card = make("test_vit", size=64)
    shown = drawings(3, 3, 64)
    with torch.inference_mode():
        before = classifier(torch.from_numpy(shown))
    add_lora(classifier, 2)
    for name, weight in classifier.named_parameters():
        if name.endswith("lora_b"):
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(len(name)))
    merge_lora(classifier)
    exported = OnnxNetwork(to_onnx(classifier.eval(), card, shown))
    assert agreement(classifier, exported, shown, 1.0).exact
    assert not torch.allclose(exported(torch.from_numpy(shown)), before, atol=1e-3)


def test_the_file_is_whole_and_says_nothing_of_this_machine() -> None:
    classifier, card = make("test_resnet", size=32)
    shown = drawings(2, 3, 32)
    model = to_onnx(classifier, card, shown)
    for data in (model, to_int8(model, card, shown)):
        proto = onnx.load_from_string(data)
        assert not any(tensor.external_data for tensor in proto.graph.initializer)
        onnx.checker.check_model(proto)
        for path in (Path.home(), Path.cwd(), Path(torch.__file__).parent):
            assert str(path).encode() not in data
    assert to_onnx(classifier, card, shown) == model


def test_one_drawing_is_enough_to_trace_it() -> None:
    classifier, card = make("test_resnet", size=32)
    model = to_onnx(classifier, card, drawings(1, 3, 32))
    assert agreement(classifier, OnnxNetwork(model), drawings(1, 3, 32), 1.0).exact


def test_a_tie_may_fall_either_way_and_a_swap_may_not() -> None:
    class Fixed(OnnxNetwork):
        def __init__(self, logits: list[float]) -> None:
            torch.nn.Module.__init__(self)
            self.logits = torch.tensor(logits)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(len(pixels), -1)

    def compared(ours: list[float], theirs: list[float]) -> Agreement:
        return agreement(Fixed(ours), Fixed(theirs), drawings(3, 3, 16), 1.0)

    assert compared([1.0, 1.00001, 0.0], [1.00001, 1.0, 0.0]).exact
    assert compared([1.0, 1.001, 0.0], [1.001, 1.0, 0.0]).same_top1 == 0
    far = compared([3.0, 0.0, 0.0], [2.0, 0.0, 0.0])
    assert far.same_top1 == 3
    assert not far.exact
