"""Maps of every family of networks: they exist, lie the right way round, and leave nothing behind."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from explain_kit import class_maps, noise, untrained

from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.trust.explain.maps import norm_before_class_token, split_forward

pytestmark = pytest.mark.slow

# The side in pixels, and the cells a side that the map must have.
FAMILIES = {
    "resnet18": (128, 4),
    "regnety_002": (128, 4),
    "efficientnet_b0": (128, 4),
    "mobilenetv2_050": (128, 4),
    "mobilenetv3_small_050": (128, 4),
    "mobilenetv4_conv_small": (256, 8),
    "convnext_atto": (128, 4),
    "deit_tiny_patch16_224": (64, 4),
    "deit_tiny_distilled_patch16_224": (64, 4),
    "vit_tiny_patch16_224": (64, 4),
    "vit_small_patch14_reg4_dinov2": (56, 4),
    "vit_base_patch16_siglip_224": (64, 4),
    "swin_tiny_patch4_window7_224": (128, 4),
    "caformer_s18": (128, 4),
    "coatnet_nano_rw_224": (224, 7),
    "eva02_tiny_patch14_224": (56, 4),
}
BY_CLASS_TOKEN = {
    "deit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "vit_tiny_patch16_224",
    "vit_small_patch14_reg4_dinov2",
}


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("backbone", FAMILIES)
def test_every_family_has_maps_that_lie_as_the_drawing_does(backbone: str) -> None:
    size, side = FAMILIES[backbone]
    classifier = untrained(backbone, size)
    pixels = noise(size)
    before = _state(classifier)
    maps = [class_maps(classifier, pixels, [label] * 2) for label in range(3)]
    assert _state(classifier) == before
    assert all(one.cells.shape == (2, side, side) for one in maps)
    assert all(one.values.shape == (2, size, size) for one in maps)
    with torch.inference_mode():
        expected = classifier(pixels).numpy()
    np.testing.assert_allclose(maps[0].logits, expected, atol=1e-4)
    # What speaks for a class does not speak for all three: some map of each drawing has something in it.
    assert np.max([one.cells.max(axis=(1, 2)) for one in maps], axis=0).tolist() == [1.0, 1.0]
    assert (norm_before_class_token(classifier) is not None) == (backbone in BY_CLASS_TOKEN)
    for row, column in ((0, side - 1), (side - 1, 0), (0, 0), (side - 1, side - 1)):
        _assert_seen_at(classifier, size, side, row, column)


def _assert_seen_at(classifier: Classifier, size: int, side: int, row: int, column: int) -> None:
    """A change of the drawing in one cell changes the feature map there most: no turn, no mirror."""
    cell = size // side
    pixels = noise(size, count=1)
    changed = pixels.clone()
    changed[:, :, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] //= 2
    (first,), (second,) = (split_forward(classifier, each) for each in (pixels, changed))
    apart = (first.as_map(first.activations) - second.as_map(second.activations)).detach().pow(2).sum(dim=1)
    weight = (apart[0] / apart.sum()).numpy()
    rows, columns = weight.sum(axis=1), weight.sum(axis=0)
    half = side // 2
    assert (rows[:half].sum() > rows[-half:].sum()) == (row < half)
    assert (columns[:half].sum() > columns[-half:].sum()) == (column < half)


# The earlier of the two maps: twice as fine where the last stage halves the side.
SEVERAL = {
    "test_efficientnet": (128, 8),
    "test_convnext": (128, 8),
    "resnet18": (128, 8),
    "test_vit": (64, 4),
    "swin_tiny_patch4_window7_224": (128, 8),
}


@pytest.mark.parametrize("backbone", SEVERAL)
def test_a_head_of_several_layers_has_maps_of_the_earliest(backbone: str) -> None:
    size, side = SEVERAL[backbone]
    classifier = untrained(backbone, size, features="several")
    pixels = noise(size)
    before = _state(classifier)
    maps = [class_maps(classifier, pixels, [label] * 2) for label in range(3)]
    assert _state(classifier) == before
    assert all(one.cells.shape == (2, side, side) for one in maps)
    with torch.inference_mode():
        np.testing.assert_allclose(maps[0].logits, classifier(pixels).numpy(), atol=1e-4)
    assert np.max([one.cells.max(axis=(1, 2)) for one in maps], axis=0).tolist() == [1.0, 1.0]
    for row, column in ((0, side - 1), (side - 1, 0)):
        _assert_seen_at(classifier, size, side, row, column)


def test_several_layers_that_lie_on_no_grid_are_refused() -> None:
    with pytest.raises(DessinError, match="do not lie on a grid"):
        split_forward(untrained("crossvit_9_240", 240, features="several"), noise(240, count=1))


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit"])
@pytest.mark.parametrize("head", ["linear", "cosine", "mlp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_models_and_every_head_have_maps(backbone: str, head: str, channels: int) -> None:
    classifier = untrained(backbone, 64, channels=channels, head=head)
    pixels = noise(64, channels=channels)
    cells = np.stack([class_maps(classifier, pixels, [label] * 2).cells for label in range(3)])
    assert (cells.max(axis=(0, 2, 3)) == 1.0).all()


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit"])
@pytest.mark.parametrize("method", ["gradcam", "hirescam", "occlusion"])
def test_a_classifier_in_training_stays_in_training_and_keeps_its_gradients(
    backbone: str, method: str
) -> None:
    classifier = untrained(backbone, 64).train()
    frozen = next(classifier.parameters()).requires_grad_(False)
    kept = next(itertools.islice(classifier.parameters(), 3, None))
    kept.grad = torch.ones_like(kept)
    before = _state(classifier)
    statistics = {name: value.clone() for name, value in classifier.state_dict().items()}
    class_maps(classifier, noise(64), [0, 1], method=method)
    assert _state(classifier) == before
    assert classifier.training
    assert not frozen.requires_grad
    assert torch.equal(kept.grad, torch.ones_like(kept))
    assert all(torch.equal(value, statistics[name]) for name, value in classifier.state_dict().items())


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit"])
def test_a_look_that_fails_leaves_nothing_behind_either(backbone: str) -> None:
    classifier = untrained(backbone, 64).train()
    before = _state(classifier)
    with pytest.raises(RuntimeError):
        class_maps(classifier, noise(64, channels=5), [0, 1])
    assert _state(classifier) == before


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit", "test_convnext"])
def test_no_tensor_and_no_graph_outlives_its_maps(backbone: str) -> None:
    classifier = untrained(backbone, 64)
    class_maps(classifier, noise(64), [0, 1])
    counts = []
    for _ in range(3):
        class_maps(classifier, noise(64), [0, 1])
        gc.collect()
        counts.append(sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects()))
    assert counts[0] == counts[1] == counts[2]


def test_features_that_lie_on_no_grid_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = untrained("test_efficientnet", 64)
    monkeypatch.setattr(classifier.body, "forward_features", lambda images: images.flatten(2)[:, :, :7])
    with pytest.raises(DessinError, match="do not lie on a grid") as refused:
        class_maps(classifier, noise(64), [0, 1])
    assert "occlusion" in refused.value.do


def _state(classifier: Classifier) -> list[object]:
    """Everything that a look inside might leave behind."""
    return [
        [
            (module.training, len(module._forward_hooks), len(module._forward_pre_hooks))
            for module in classifier.modules()
        ],
        [len(module._backward_hooks) for module in classifier.modules()],
        [(parameter.requires_grad, parameter.grad is None) for parameter in classifier.parameters()],
    ]


@pytest.mark.parametrize(("backbone", "features"), [("test_resnet", "several"), ("test_vit", "last")])
def test_a_mirrored_one_is_shown_as_it_looks_at_the_image_itself(backbone: str, features: str) -> None:
    plain, mirrored = (untrained(backbone, 64, features=features) for _ in range(2))
    mirrored.mirrored = True
    first, second = (class_maps(one, noise(64), [1, 2]) for one in (plain, mirrored))
    assert np.array_equal(first.cells, second.cells)
