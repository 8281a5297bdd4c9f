from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dessin.errors import DessinError
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import Weights, resolve_weights

pytestmark = pytest.mark.slow

TINY = "test_resnet"
NONE = Weights(TINY, "none", None, "", "none")
PIXELS = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def tiny(classes: int = 4, *, seed: int = 0, drop_rate: float = 0.0) -> Classifier:
    return build_classifier(TINY, classes, NONE, seed=seed, drop_rate=drop_rate).eval()


def file_weights(path: Path, classes: int) -> tuple[Weights, dict[str, torch.Tensor]]:
    state = import_timm().create_model(TINY, num_classes=classes).state_dict()
    save_file(state, path)
    return resolve_weights(TINY, str(path)), state


def test_logits_are_the_head_of_the_features() -> None:
    model = tiny()
    torch.testing.assert_close(model(PIXELS), model.classify(model.features(PIXELS)))


def test_gray_pixels_are_the_same_as_three_equal_channels() -> None:
    model = tiny()
    gray = PIXELS[:, :1]
    torch.testing.assert_close(model(gray), model(gray.repeat(1, 3, 1, 1)))


def test_bytes_and_floats_are_the_same_and_normalised_by_the_backbone() -> None:
    model = build_classifier("resnet18", 2, Weights("resnet18", "none", None, "", "none"))
    normal = model.normalise(PIXELS)
    torch.testing.assert_close(normal, model.normalise(PIXELS.float()))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (PIXELS / 255.0 - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(normal, expected, atol=1e-5, rtol=1e-5)
    assert normal.is_contiguous(memory_format=torch.channels_last)


def test_the_seed_decides_all_weights_and_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = tiny(seed=1), tiny(seed=1), tiny(seed=2)
    assert torch.equal(before, torch.random.get_rng_state())
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert not torch.equal(first.head.weight, other.head.weight)


def test_weights_of_a_file_arrive_and_a_head_of_another_size_does_not(tmp_path: Path) -> None:
    weights, state = file_weights(tmp_path / "w.safetensors", classes=7)
    other = build_classifier(TINY, 4, weights)
    assert all(torch.equal(tensor, state[name]) for name, tensor in other.body.state_dict().items())
    torch.testing.assert_close(other.head.weight, build_classifier(TINY, 4, NONE).head.weight)
    same = build_classifier(TINY, 7, weights)
    assert torch.equal(same.head.weight, state["fc.weight"])
    assert torch.equal(same.head.bias, state["fc.bias"])


def test_a_head_that_reads_other_features_is_left_out_and_why_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("dessin.models.classifier.say", said.append)
    weights, _ = file_weights(tmp_path / "w.safetensors", classes=7)
    several = build_classifier(TINY, 7, weights, features="several")
    (line,) = said
    assert f"has 7 classes and is left out: it does not read the {several.width} features" in line


def test_the_classifier_of_imagenet_is_what_timm_computes(tmp_path: Path) -> None:
    weights, state = file_weights(tmp_path / "w.safetensors", classes=7)
    whole = import_timm().create_model(TINY, num_classes=7).eval()
    whole.load_state_dict(state)
    model = build_classifier(TINY, 7, weights).eval()
    torch.testing.assert_close(model(PIXELS), whole(model.normalise(PIXELS)), atol=1e-5, rtol=1e-4)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    state = import_timm().create_model(TINY).state_dict()
    del state["bn1.weight"]
    state["conv1.0.weight"] = torch.zeros(1, 2, 3, 3)
    state["stranger"] = torch.zeros(1)
    save_file(state, path)
    with pytest.raises(
        DessinError, match=r"bn1.weight is missing, stranger is unknown, conv1.0.weight is \(1, 2"
    ):
        build_classifier(TINY, 4, resolve_weights(TINY, str(path)))


def test_dropout_works_in_training_only() -> None:
    model = tiny(drop_rate=0.5)
    assert torch.equal(model(PIXELS), model(PIXELS))
    features = model.features(PIXELS)
    model.dropout.train()
    dropped = model.head(model.dropout(features))
    assert not torch.equal(dropped, model.head(features))


def test_an_image_size_of_a_transformer_resamples_its_positions() -> None:
    model = build_classifier(
        "test_vit", 2, Weights("test_vit", "none", None, "", "none"), image_size=96
    ).eval()
    assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 2)


@pytest.mark.parametrize("option", ["drop_rate", "drop_path", "drop_block"])
def test_every_regulariser_acts_in_training_and_not_after(option: str) -> None:
    weights = Weights("resnet18", "none", None, "", "none")
    model = build_classifier("resnet18", 2, weights, **{option: 0.5})  # type: ignore[arg-type]
    plain = build_classifier("resnet18", 2, weights)
    for each in (model, plain):
        each.requires_grad_(False).eval()
        # A residual branch of timm begins at zero, and dropping nothing is nothing.
        for module in each.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.fill_(1.0)
    torch.testing.assert_close(model(PIXELS), plain(PIXELS))
    for module in model.modules():
        if not isinstance(module, torch.nn.BatchNorm2d):
            module.training = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.allclose(model(PIXELS), plain(PIXELS), atol=1e-4)
