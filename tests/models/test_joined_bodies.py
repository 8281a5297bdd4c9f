"""Several bodies before one head: each as it would read alone, in one state, one card and one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models import layers
from dessin.models.backbones import candidates, describe_backbone, recipe_values, written
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import BesideBody, BundleCard, BundleImage
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights, resolve_weights
from dessin.recipe import make_recipe

FIRST, *BESIDE = "test_efficientnet", "test_resnet", "test_efficientnet"
CLASSES = ("ant", "bee", "cat")
PIXELS = torch.randint(0, 256, (4, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def random_weights(backbone: str) -> Weights:
    return Weights(backbone, "none", None, "", "none")


def build(backbone: str = FIRST, *beside: str, seed: int = 0, **options: Any) -> Classifier:
    others = [random_weights(name) for name in beside]
    return build_classifier(
        backbone, len(CLASSES), random_weights(backbone), seed=seed, beside=others, image_size=40, **options
    ).eval()


def card_of(classifier: Classifier, **values: Any) -> BundleCard:
    infos = [describe_backbone(encoder.backbone) for encoder in classifier.encoders]
    image = BundleImage(
        size=40,
        mean=infos[0].mean,
        std=infos[0].std,
        interpolation=infos[0].interpolation,
        fit="letterbox",
        colour="gray" if classifier.channels == 1 else "rgb",
    )
    beside = tuple(BesideBody(backbone=info.name, mean=info.mean, std=info.std) for info in infos[1:])
    known = {"classes": CLASSES, "backbone": infos[0].name, "image": image, "licence": "none"}
    return BundleCard(**known, features=classifier.reads, beside=beside, **values)


def random_head(classifier: Classifier) -> None:
    generator = torch.Generator().manual_seed(1)
    shape = len(CLASSES), classifier.width
    classifier.start_head(torch.randn(shape, generator=generator), torch.randn(3, generator=generator))


@pytest.mark.parametrize("features", ["last", "several"])
@pytest.mark.parametrize("channels", [3, 1])
def test_the_logits_are_the_sum_of_what_each_body_alone_would_say(features: str, channels: int) -> None:
    joined = build(FIRST, *BESIDE, features=features, channels=channels)
    random_head(joined)
    pixels = PIXELS[:, :channels]
    expected, begin = joined.head.bias.detach()[None], 0
    for encoder in joined.encoders:
        alone = build(encoder.backbone, features=features, channels=channels)
        alone.body.load_state_dict(encoder.body.state_dict())
        columns = joined.head.weight[:, begin : begin + alone.width]
        with torch.inference_mode():
            expected = expected + alone.features(pixels) @ columns.T
        begin += alone.width
    assert begin == joined.width
    with torch.inference_mode():
        torch.testing.assert_close(joined(pixels), expected, rtol=1e-5, atol=1e-5)


def test_the_first_body_of_a_joined_one_is_the_one_that_it_would_be_alone() -> None:
    alone, joined = build(), build(FIRST, *BESIDE)
    for name, tensor in alone.body.state_dict().items():
        assert torch.equal(joined.body.state_dict()[name], tensor), name
    first, second = joined.encoders[0].body.state_dict(), joined.encoders[2].body.state_dict()
    assert any(not torch.equal(first[name], second[name]) for name in first), "drawn apart"


def test_each_body_normalises_as_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that expects light images to be large numbers is given them so, the other as ever."""
    whole = layers.describe_backbone
    seen: list[Tensor] = []

    def planted(name: str) -> Any:
        info = whole(name)
        if name == BESIDE[0]:
            object.__setattr__(info, "mean", (0.25, 0.5, 0.75))
            object.__setattr__(info, "std", (0.5, 0.25, 0.125))
        return info

    info = describe_backbone(BESIDE[0])
    before = info.mean, info.std
    try:
        planted(BESIDE[0])
        joined = build(FIRST, BESIDE[0])
        for encoder in joined.encoders:
            encoder.body.register_forward_pre_hook(lambda _m, given: seen.append(given[0]))
            monkeypatch.setattr(encoder.body, "forward_features", lambda x: seen.append(x) or x.mean((2, 3)))
            monkeypatch.setattr(encoder.body, "forward_head", lambda x, pre_logits: x)
        joined.features(PIXELS)
    finally:
        object.__setattr__(info, "mean", before[0])
        object.__setattr__(info, "std", before[1])
    own = describe_backbone(FIRST)
    unit = PIXELS.float() / 255
    for found, (mean, std) in zip(
        seen, [(own.mean, own.std), ((0.25, 0.5, 0.75), (0.5, 0.25, 0.125))], strict=True
    ):
        expected = (unit - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [3, 1])
def test_a_bundle_comes_back_whole(channels: int, tmp_path: Path) -> None:
    joined = build(FIRST, *BESIDE, channels=channels, features="several")
    random_head(joined)
    card = save_bundle(tmp_path / "b", joined, card_of(joined))
    loaded = load_bundle(tmp_path / "b")
    assert loaded.card == card
    assert card.backbones == (FIRST, *BESIDE)
    assert torch.equal(loaded.classifier(PIXELS[:, :channels]), joined(PIXELS[:, :channels]))
    names = {name.split(".body.")[0].split(".")[0] for name in load_file(tmp_path / "b/model.safetensors")}
    assert names == {"body", "beside", "head"}


def test_a_card_of_one_body_is_as_it_was_written_before() -> None:
    assert "beside" not in card_of(build()).model_dump(mode="json")
    assert "beside" not in make_recipe({}).model_dump(mode="json")["model"]


def change(folder: Path, **values: Any) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_misnamed_or_damaged_beside_is_refused_by_name(tmp_path: Path) -> None:
    joined = build(FIRST, BESIDE[0])
    card = save_bundle(tmp_path / "b", joined, card_of(joined))
    (body,) = card.model_dump(mode="json")["beside"]

    def refused(message: str, **values: Any) -> None:
        change(tmp_path / "b", **values)
        with pytest.raises(DessinError, match=message):
            load_bundle(tmp_path / "b")

    refused("Unknown backbone", beside=[body | {"backbone": "../../etc"}])
    refused("test_efficientnet and resnet10t", beside=[body | {"backbone": "resnet10t"}])
    refused("mean and std .* are not those of test_resnet", beside=[body | {"mean": [0.1, 0.1, 0.1]}])
    refused("beside", beside=[body] * 4)
    refused("do not fit test_efficientnet with 3 classes", beside=[])
    state = load_file(tmp_path / "b" / "model.safetensors")
    name = next(name for name in state if name.startswith("beside.0.body.") and state[name].ndim == 4)
    state[name][0, 0, 0, 0] = float("nan")
    save_file(state, tmp_path / "b" / "model.safetensors")
    digest = {"weights": sha256_file(tmp_path / "b" / "model.safetensors")}
    refused(name, beside=[body], digests=digest)
    with pytest.raises(DessinError, match="joins the bodies test_efficientnet \\+ test_resnet"):
        resolve_weights(FIRST, str(tmp_path / "b"))


def test_an_interchanged_pair_has_other_names_and_the_same_columns() -> None:
    one, two = build(FIRST, BESIDE[0]), build(BESIDE[0], FIRST)
    for mine, other in zip(one.encoders, reversed(two.encoders), strict=True):
        other.body.load_state_dict(mine.body.state_dict())
    with torch.inference_mode():
        first, second = one.features(PIXELS), two.features(PIXELS)
    width = one.encoders[0].width
    torch.testing.assert_close(first, torch.cat([second[:, -width:], second[:, :-width]], dim=1))
    assert card_of(one).backbones == tuple(reversed(card_of(two).backbones))


def test_candidates_are_written_and_read() -> None:
    for given in ("a", "a:drawn", "a+b:drawn", "a:none+a+b:runs/first"):
        assert written(candidates(given)) == given
        values = recipe_values(given) | {"finetune": {"mode": "probe"}}
        assert make_recipe(values).model.candidate == given
    assert candidates("a:auto+b") == (("a", "auto"), ("b", "auto"))


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        (["tf_efficientnet_lite0"], "joined to itself"),
        (["tf_efficientnet_lite0:auto"], "joined to itself"),
        (["a:drawn", "a:drawn"], "a:drawn is joined to itself"),
        (["a", "b", "c", "d"], "At most 4"),
        ([":drawn"], "lacks the name"),
        ("", "lacks the name"),
    ],
)
def test_bodies_that_cannot_be_joined_are_refused(beside: list[str] | str, message: str) -> None:
    with pytest.raises(DessinError, match=message):
        make_recipe({"model": {"beside": beside}, "finetune": {"mode": "probe"}})


def test_only_a_probe_joins_bodies_and_one_may_stand_without_brackets() -> None:
    probe = make_recipe({"model": {"beside": "a:drawn"}, "finetune": {"mode": "probe"}})
    assert probe.model.beside == ("a:drawn",)
    assert make_recipe(probe.model_dump(mode="json")) == probe
    with pytest.raises(DessinError, match=r"finetune.mode: probe alone .* full") as refused:
        make_recipe({"model": {"beside": ["a:drawn"]}, "finetune": {"mode": "full"}})
    assert "set finetune.mode to probe" in str(refused.value)
