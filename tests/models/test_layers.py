"""Features of several layers: what they are, by a look at the body's own modules, and who has none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from dessin.errors import DessinError
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.layers import feature_count
from dessin.models.weights import Weights
from dessin.recipe import make_recipe

pytestmark = pytest.mark.slow


def build(backbone: str, **options: Any) -> Classifier:
    return build_classifier(backbone, 3, Weights(backbone, "none", None, "", "none"), **options).eval()


def pixels(classifier: Classifier) -> Tensor:
    size = describe_backbone(classifier.backbone).input_size
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"])
def test_the_last_layer_comes_first_and_to_the_bit(backbone: str) -> None:
    several, last = build(backbone, features="several"), build(backbone)
    images = pixels(last)
    with torch.inference_mode():
        joined, usual = several.features(images), last.features(images)
    assert joined.shape[1] == several.width == feature_count(backbone, "several")
    assert several.width > last.width == feature_count(backbone, "last") == usual.shape[1]
    assert torch.equal(joined[:, : last.width], usual)


def test_maps_give_their_mean_and_maximum() -> None:
    classifier = build("test_resnet", features="several")
    body: Any = classifier.body
    seen = _outputs(classifier, [body.layer3, body.layer4])
    expected = [part for one in seen for part in (one.mean(dim=(2, 3)), one.flatten(2).max(dim=2).values)]
    _compare(classifier, expected)


def test_tokens_give_the_class_token_and_the_mean_of_the_patches() -> None:
    classifier = build("test_vit", features="several")
    body: Any = classifier.body
    seen = _outputs(classifier, list(body.blocks[-2:]))
    assert body.num_prefix_tokens == 1
    expected = [part for one in seen for part in (one[:, 1:].mean(dim=1), one[:, 0])]
    _compare(classifier, expected)


def _outputs(classifier: Classifier, modules: list[torch.nn.Module]) -> list[Tensor]:
    found: list[Tensor] = []
    handles = [module.register_forward_hook(lambda _m, _i, out: found.append(out)) for module in modules]
    with torch.inference_mode():
        classifier(pixels(classifier))
    for handle in handles:
        handle.remove()
    return found


def _compare(classifier: Classifier, expected: list[Tensor]) -> None:
    with torch.inference_mode():
        joined = classifier.features(pixels(classifier))
    width = feature_count(classifier.backbone, "last")
    torch.testing.assert_close(joined[:, width:], torch.cat(expected, dim=1))


def test_gray_pixels_and_another_size_are_read_too() -> None:
    classifier = build("test_efficientnet", features="several", channels=1, image_size=48)
    assert classifier(torch.zeros(2, 1, 48, 48)).shape == (2, 3)


def test_what_gives_no_maps_is_refused_before_anything_is_read() -> None:
    with pytest.raises(DessinError, match=r"cait_xxs24_224.*feature maps") as refused:
        build("cait_xxs24_224", features="several")
    assert "model.features" in str(refused.value.do)


def test_rows_of_imagenet_do_not_fit_several_layers() -> None:
    wanted = {"finetune": {"mode": "full", "head_start": "imagenet"}}
    make_recipe(wanted)
    with pytest.raises(DessinError, match="ImageNet's rows are for features: last"):
        make_recipe({**wanted, "model": {"features": "several"}})


def test_the_usual_features_leave_a_recipe_as_it_was_written_before() -> None:
    usual, several = (make_recipe({"model": {"features": one}}) for one in ("last", "several"))
    assert usual == make_recipe({})
    assert "features" not in usual.model_dump(mode="json")["model"]
    assert make_recipe(several.model_dump(mode="json")) == several
