"""Weights with NaN or infinity, and files that are none, are refused by name; nothing answers with them."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mutated_bundles import torch_bundle
from onnx import numpy_helper
from onnx_models import SIZE, WEIGHT, plain_model, write_as_bundle
from safetensors.torch import load, save

from dessin.answers.inference import look
from dessin.errors import DessinError
from dessin.files import sha256_bytes
from dessin.models.bundle import load_bundle
from dessin.models.network import OnnxNetwork
from dessin.models.weights import load_state, resolve_weights
from dessin.training.probe import read_head

BACKBONE = "test_efficientnet"

pytestmark = pytest.mark.slow


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return torch_bundle(tmp_path / "bundle")


def replace(bundle: Path, data: bytes) -> None:
    """Other weights, with the digest that says so."""
    card = json.loads((bundle / "bundle.json").read_text())
    card["digests"]["weights"] = sha256_bytes(data)
    (bundle / "bundle.json").write_text(json.dumps(card))
    (bundle / "model.safetensors").write_bytes(data)


def spoilt(bundle: Path, value: float, place: int) -> tuple[str, bytes]:
    """The weights with one number replaced in the body's tensor number `place`, and that tensor's name."""
    state = load((bundle / "model.safetensors").read_bytes())
    # Sorted: the library gives the tensors of a file in another order each time.
    floats = sorted(name for name, tensor in state.items() if tensor.is_floating_point())
    name = [name for name in floats if name.startswith("body.")][place]
    state[name].view(-1)[-1] = value
    return name, save(state)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, -1])
def test_the_tensor_is_named(bundle: Path, value: float, place: int, tmp_path: Path) -> None:
    name, data = spoilt(bundle, value, place)
    replace(bundle, data)
    with pytest.raises(DessinError, match=name):
        load_bundle(bundle)
    for path in (bundle, tmp_path / "some.safetensors"):
        if path != bundle:
            path.write_bytes(data)
        with pytest.raises(DessinError, match="NaN or infinity"):
            load_state(resolve_weights(BACKBONE, str(path)))


def test_finite_weights_may_still_answer_with_none(bundle: Path) -> None:
    state = load((bundle / "model.safetensors").read_bytes())
    state[min(name for name in state if name.endswith("running_var"))].fill_(-1.0)
    replace(bundle, save(state))
    classifier = load_bundle(bundle).classifier
    pixels = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    with pytest.raises(DessinError, match="NaN or infinity"):
        look(classifier, pixels, pixels[:, :, 0, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_exported_model_that_answers_with_no_numbers_is_refused(value: float) -> None:
    model = plain_model()
    weight = WEIGHT.copy()
    weight[0, 0] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "weight"))
    network = OnnxNetwork(model.SerializeToString())
    pixels = torch.full((1, 3, SIZE, SIZE), 9, dtype=torch.uint8)
    with pytest.raises(DessinError, match="NaN or infinity"):
        look(network, pixels, pixels[:, :, 0, 0])


def test_a_model_that_fails_or_gives_other_shapes_says_so_when_it_is_asked() -> None:
    model = plain_model()
    model.graph.node[0].CopyFrom(onnx.helper.make_node("Reshape", ["pixels", "shape"], ["flat"]))
    rows, numbers = torch.zeros(2, 3, SIZE, SIZE), WEIGHT.shape[1]
    for shape in ((1, 2 * numbers), (4, numbers // 2)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(shape), "shape"))
        with pytest.raises(DessinError, match="cannot be used"):
            OnnxNetwork(model.SerializeToString())(rows)
        del model.graph.initializer[-1]


def test_a_small_file_asks_for_no_large_network(bundle: Path) -> None:
    card = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(card | {"backbone": "vit_giant_patch14_224"}))
    with pytest.raises(DessinError, match="do not fit vit_giant_patch14_224"):
        load_bundle(bundle)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself", "nothing"])
@pytest.mark.parametrize("exported", [True, False])
def test_what_is_no_file_is_said_and_not_waited_for(
    bundle: Path, kind: str, exported: bool, tmp_path: Path
) -> None:
    if exported:
        bundle = write_as_bundle(tmp_path / "exported", plain_model().SerializeToString())
    path = bundle / ("model.onnx" if exported else "model.safetensors")
    path.unlink()
    if kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("This system has no named pipes.")
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to itself":
        path.symlink_to(path.name)
    with pytest.raises(DessinError, match="cannot be read"):
        load_bundle(bundle)


HEADER = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**63) + HEADER,
        struct.pack("<Q", 3) + b"{}}",
        struct.pack("<Q", len(HEADER)) + HEADER,
        struct.pack("<Q", len(HEADER)) + HEADER.replace(b"F32", b"Q99") + bytes(4),
        struct.pack("<Q", len(HEADER)) + HEADER.replace(b"[0,4]", b"[4,0]") + bytes(4),
        struct.pack("<Q", 60_000) + b"[" * 60_000,
    ],
)
def test_a_damaged_header_is_a_sentence(bundle: Path, data: bytes, tmp_path: Path) -> None:
    replace(bundle, data)
    (tmp_path / "w.safetensors").write_bytes(data)
    for door in (
        lambda: load_bundle(bundle),
        lambda: resolve_weights(BACKBONE, str(tmp_path / "w.safetensors")),
        lambda: read_head(tmp_path / "w.safetensors"),
    ):
        with pytest.raises(DessinError, match="not a whole safetensors file"):
            door()


def test_a_probe_of_no_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    path.write_bytes(save({"weight": torch.full((2, 3), float("nan")), "bias": torch.zeros(2)}))
    with pytest.raises(DessinError, match="weight"):
        read_head(path)
    path.write_bytes(save({"bias": torch.zeros(2)}))
    with pytest.raises(DessinError, match="holds no probe"):
        read_head(path)
