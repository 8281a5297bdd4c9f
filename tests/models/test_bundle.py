from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models.backbones import describe_backbone
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import BundleCard, BundleImage, HeadKind
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights, resolve_weights

pytestmark = pytest.mark.slow

TINY = "test_resnet"
PIXELS = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def make(backbone: str = TINY, size: int = 40, seed: int = 0) -> tuple[Classifier, BundleCard]:
    info = describe_backbone(backbone)
    classifier = build_classifier(
        backbone, 3, Weights(backbone, "none", None, "", "none"), seed=seed, image_size=size
    ).eval()
    image = BundleImage(
        size=size, mean=info.mean, std=info.std, interpolation=info.interpolation, fit="trim", colour="gray"
    )
    card = BundleCard(
        classes=("ant", "bee", "cat"),
        names={"ant": "Ameise"},
        backbone=backbone,
        image=image,
        temperature=1.5,
        provenance={"seed": "0"},
        licence="none",
    )
    return classifier, card


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "bundle", *make())
    return tmp_path / "bundle"


def change(folder: Path, **values: Any) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(("backbone", "size"), [(TINY, 40), ("test_vit", 96)])
def test_what_is_loaded_computes_what_was_saved(backbone: str, size: int, tmp_path: Path) -> None:
    classifier, card = make(backbone, size)
    saved = save_bundle(tmp_path / "b", classifier, card)
    loaded = load_bundle(tmp_path / "b")
    assert loaded.card == saved
    assert not loaded.classifier.training
    pixels = torch.zeros(1, 3, size, size)
    assert torch.equal(loaded.classifier(pixels), classifier(pixels))
    assert saved.digests["weights"] == sha256_file(tmp_path / "b" / "model.safetensors")


def test_equal_weights_are_equal_bytes_whatever_their_layout_in_memory(tmp_path: Path) -> None:
    classifier, card = make()
    save_bundle(tmp_path / "a", classifier, card)
    save_bundle(tmp_path / "b", classifier.to(memory_format=torch.contiguous_format), card)
    for name in ("model.safetensors", "bundle.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_saving_again_is_nothing_for_the_same_and_refused_for_another(bundle: Path) -> None:
    before = (bundle / "bundle.json").stat().st_mtime_ns
    save_bundle(bundle, *make())
    assert (bundle / "bundle.json").stat().st_mtime_ns == before
    with pytest.raises(DessinError, match="already exists"):
        save_bundle(bundle, *make(seed=1))


def test_weights_with_a_flipped_bit_are_refused(bundle: Path) -> None:
    path = bundle / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DessinError, match="digest differs"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 2}, "Update dessin"),
        ({"backbon": "x"}, "Did you mean"),
        ({"classes": ["ant", "bee"]}, "2 classes"),
        ({"classes": ["ant", "bee", "bee"]}, "twice"),
        ({"backbone": "../../etc"}, "Unknown backbone"),
        ({"backbone": "test_resnet2"}, "Unknown backbone"),
        ({"temperature": 0}, "temperature"),
        ({"threshold": 2}, "threshold"),
        ({"digests": {}}, "digest of the weights"),
        ({"digests": {"weights": "short"}}, "digests"),
    ],
)
def test_a_wrong_card_is_refused(bundle: Path, values: dict[str, Any], message: str) -> None:
    change(bundle, **values)
    with pytest.raises(DessinError, match=message):
        load_bundle(bundle)


def test_a_card_with_another_normalisation_is_refused(bundle: Path) -> None:
    image = json.loads((bundle / "bundle.json").read_text())["image"]
    change(bundle, image=image | {"mean": [0.1, 0.1, 0.1]})
    with pytest.raises(DessinError, match="mean and std"):
        load_bundle(bundle)


def test_other_folders_are_no_bundles(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="not a bundle"):
        load_bundle(tmp_path)
    (tmp_path / "bundle.json").write_text("[]")
    with pytest.raises(DessinError, match="not a bundle's card"):
        load_bundle(tmp_path)


def test_a_bundle_without_its_weights_is_said(bundle: Path) -> None:
    (bundle / "model.safetensors").unlink()
    with pytest.raises(DessinError, match="cannot be read"):
        load_bundle(bundle)


def test_a_bundle_is_where_other_weights_start_from(bundle: Path) -> None:
    weights = resolve_weights(TINY, str(bundle))
    start = build_classifier(TINY, 5, weights)
    saved = load_bundle(bundle).classifier
    assert all(
        torch.equal(a, b)
        for a, b in zip(start.body.state_dict().values(), saved.body.state_dict().values(), strict=True)
    )
    with pytest.raises(DessinError, match="holds test_resnet"):
        resolve_weights("resnet18", str(bundle))


@pytest.mark.parametrize("head", ["linear", "cosine", "mlp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_head_and_channels_travel_with_the_bundle(head: HeadKind, channels: int, tmp_path: Path) -> None:
    _, card = make()
    classifier = build_classifier(
        TINY, 3, Weights(TINY, "none", None, "", "none"), channels=channels, head=head
    ).eval()
    card = card.model_copy(update={"head": head})
    save_bundle(tmp_path / "b", classifier, card)
    loaded = load_bundle(tmp_path / "b").classifier
    assert (loaded.channels, loaded.head_kind) == (channels, head)
    assert torch.equal(loaded(PIXELS[:, :1]), classifier(PIXELS[:, :1]))


@pytest.mark.parametrize(("backbone", "size"), [(TINY, 40), ("test_vit", 96)])
def test_a_head_of_several_layers_travels_with_the_bundle(backbone: str, size: int, tmp_path: Path) -> None:
    weights = Weights(backbone, "none", None, "", "none")
    classifier = build_classifier(backbone, 3, weights, image_size=size, features="several").eval()
    card = make(backbone, size)[1]
    with pytest.raises(DessinError, match="states features of last and the model has those of several"):
        save_bundle(tmp_path / "b", classifier, card)
    save_bundle(tmp_path / "b", classifier, card.model_copy(update={"features": "several"}))
    pixels = torch.zeros(1, 3, size, size)
    assert torch.equal(load_bundle(tmp_path / "b").classifier(pixels), classifier(pixels))
    change(tmp_path / "b", features="last")
    with pytest.raises(DessinError, match="do not fit"):
        load_bundle(tmp_path / "b")


def test_a_card_that_states_another_head_or_colour_is_refused(tmp_path: Path) -> None:
    classifier, card = make()
    with pytest.raises(DessinError, match="states a mlp head and the model has a linear one"):
        save_bundle(tmp_path / "b", classifier, card.model_copy(update={"head": "mlp"}))
    gray = build_classifier(TINY, 3, Weights(TINY, "none", None, "", "none"), channels=1)
    rgb = card.image.model_copy(update={"colour": "rgb"})
    with pytest.raises(DessinError, match="reads one gray channel"):
        save_bundle(tmp_path / "b", gray, card.model_copy(update={"image": rgb}))
    assert not (tmp_path / "b").exists()


def test_a_card_from_before_there_were_other_heads_or_features_is_read(bundle: Path) -> None:
    path = bundle / "bundle.json"
    values = json.loads(path.read_text())
    assert "features" not in values
    del values["head"]
    path.write_text(json.dumps(values))
    card = load_bundle(bundle).card
    assert (card.head, card.features) == ("linear", "last")
