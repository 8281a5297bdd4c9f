"""An ONNX file as a network: a small graph with a known answer, and files that must be refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from dessin.errors import DessinError
from dessin.models.bundle import load_bundle, write_onnx_bundle
from dessin.models.card import BundleCard, BundleImage, read_card
from dessin.models.network import Network, OnnxNetwork, describe
from dessin.models.weights import resolve_weights

SIZE = 24
WEIGHT = np.array([[1.0, 0.0, -1.0], [0.5, 0.5, 0.5]], dtype=np.float32)


def card(**changes: object) -> BundleCard:
    image = BundleImage(
        size=SIZE, mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear", fit="letterbox", colour="rgb"
    )
    plain = BundleCard(
        classes=("나무", "house"), backbone="test_resnet", image=image, licence="none", file="model.onnx"
    )
    return plain.model_copy(update=changes)


def graph(*, inputs: tuple[object, ...] = ("n", 3, SIZE, SIZE), says: BundleCard | None = None) -> bytes:
    """Logits are WEIGHT times the mean colour of the picture."""
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
                helper.make_node("Flatten", ["pooled"], ["flat"]),
                helper.make_node("Gemm", ["flat", "weight"], ["logits"], transB=1),
            ],
            "mean_colour",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, inputs)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("n", len(WEIGHT)))],
            [numpy_helper.from_array(WEIGHT, "weight")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.helper.set_model_props(model, describe(says or card()))
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    write_onnx_bundle(tmp_path / "exported", graph(), card())
    return tmp_path / "exported"


def expected(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float().mean(dim=(2, 3)) @ torch.from_numpy(WEIGHT).T


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_it_computes_logits_of_any_number_of_pictures_in_either_type(count: int, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(count)
    pixels = torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=draw).to(dtype)
    network: Network = OnnxNetwork(graph(), threads=1).eval()
    for layout in (pixels, pixels.to(memory_format=torch.channels_last), pixels.flip(3)):
        assert torch.allclose(network(layout), expected(pixels), atol=1e-3)
    assert (network.channels, network.classes) == (3, 2)


def test_a_bundle_of_it_is_read_back_as_it_was_written(exported: Path) -> None:
    bundle = load_bundle(exported)
    assert bundle.card.exported
    assert bundle.card.classes == ("나무", "house")
    pixels = torch.full((2, 3, SIZE, SIZE), 200, dtype=torch.uint8)
    assert torch.allclose(bundle.classifier(pixels), expected(pixels), atol=1e-3)
    with pytest.raises(DessinError, match="a soup needs the network itself"):
        bundle.with_weights("a soup")


def test_it_can_be_sent_to_another_process() -> None:
    network = OnnxNetwork(graph(), threads=1)
    pixels = torch.full((1, 3, SIZE, SIZE), 90.0)
    again = pickle.loads(pickle.dumps(network))  # noqa: S301
    assert torch.equal(again(pixels), network(pixels))


def test_the_file_alone_says_what_it_needs() -> None:
    found = OnnxNetwork(graph()).description
    assert json.loads(found["dessin.classes"]) == ["나무", "house"]
    assert json.loads(found["dessin.image"])["size"] == SIZE


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (b"", "cannot be used"),
        (b"not a model at all", "cannot be used"),
        (graph()[:150], "cannot be used"),
        (graph(inputs=("n", 3, "side", "side")), "no classifier's"),
    ],
)
def test_what_is_no_classifier_is_refused(model: bytes, words: str) -> None:
    with pytest.raises(DessinError, match=words):
        OnnxNetwork(model)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (graph(), {"classes": ("house", "나무")}),
        (graph(), {"classes": ("나무", "house", "sun")}),
        (graph(), {"image": card().image.model_copy(update={"mean": (0.4, 0.5, 0.5)})}),
        (graph(), {"image": card().image.model_copy(update={"colour": "gray"})}),
        (graph(inputs=("n", 3, 32, 32)), {}),
    ],
)
def test_a_card_of_another_model_is_refused(model: bytes, said: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="do not agree"):
        write_onnx_bundle(tmp_path, model, card(**said))
    assert not list(tmp_path.iterdir())


def test_a_changed_card_or_file_is_noticed(exported: Path) -> None:
    path = exported / "bundle.json"
    right = path.read_text()
    path.write_text(json.dumps(json.loads(right) | {"classes": ["house", "나무"]}))
    with pytest.raises(DessinError, match="do not agree"):
        load_bundle(exported)
    path.write_text(right)
    (exported / "model.onnx").write_bytes(graph() + b"\0")
    with pytest.raises(DessinError, match="digest differs"):
        load_bundle(exported)


def test_a_card_from_before_exports_is_of_torch_weights(exported: Path) -> None:
    path = exported / "bundle.json"
    old = {
        key: value for key, value in json.loads(path.read_text()).items() if key not in ("file", "precision")
    }
    path.write_text(json.dumps(old))
    assert read_card(exported).file == "model.safetensors"
    assert not read_card(exported).exported


def test_training_does_not_begin_at_it(exported: Path) -> None:
    with pytest.raises(DessinError, match="no weights to train on from"):
        resolve_weights("test_resnet", str(exported))
