"""Weights from a hub: a small one on loopback with random weights in the right shapes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hub_kit import Hub, hub_at, silent_hub, small_hub
from loopback_servers import free_port
from safetensors.torch import save
from torch import Tensor

import dessin.progress
from dessin.errors import DessinError
from dessin.models import hub as module
from dessin.models.hub import hub_silence
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import NoWeightsError, load_state, resolve_weights, weights_are_here

pytestmark = pytest.mark.slow

TINY = "test_resnet"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with small_hub(tmp_path / "cache") as served:
        yield served


def test_weights_come_from_the_hub_with_digest_and_licence(hub: Hub) -> None:
    digest = hub.publish(TINY)
    assert not weights_are_here(TINY)
    weights = resolve_weights(TINY)
    assert (weights.sha256, weights.licence) == (digest, "apache-2.0")
    assert weights.source == "hub timm/test_resnet.r160_in1k"
    assert all(tensor.isfinite().all() for tensor in load_state(weights).values())
    assert weights_are_here(TINY)
    asked = len(hub.asked)
    assert resolve_weights(TINY) == weights
    assert len(hub.asked) == asked, "what is in the cache is not asked for"


def test_a_file_that_the_cache_changed_is_not_read(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish(TINY)
    path = resolve_weights(TINY).path
    assert path is not None
    blob = path.resolve()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the file was read"))
    with pytest.raises(DessinError, match=r"are damaged.*not read\. Delete .* and fetch them again"):
        resolve_weights(TINY)


def test_a_file_that_is_not_what_was_promised_is_not_read(hub: Hub) -> None:
    hub.publish(TINY)
    hub.other = True
    with pytest.raises(DessinError, match=r"are damaged \(sha256 .*, the hub's is .*not read"):
        resolve_weights(TINY)


def test_a_cut_transfer_and_a_missing_file_are_sentences(hub: Hub) -> None:
    with pytest.raises(DessinError, match=r"the hub did not give them \(it answered 404\)"):
        resolve_weights(TINY)
    hub.publish(TINY)
    hub.cut = True
    with pytest.raises(DessinError, match="the hub did not give them"):
        resolve_weights(TINY)
    assert not weights_are_here(TINY)


def test_a_gated_repository_says_whose_licence(hub: Hub) -> None:
    hub.gated = True
    with pytest.raises(DessinError, match=r"those alone who consented to their licence \(apache-2\.0\)"):
        resolve_weights(TINY)


def test_a_backbone_whose_licence_asks_for_consent_says_which_and_where(hub: Hub) -> None:
    hub.gated = True
    with pytest.raises(NoWeightsError) as refused:
        resolve_weights("vit_large_patch16_dinov3.lvd1689m")
    for word in ("dinov3-license", "consented", "timm/vit_large_patch16_dinov3.lvd1689m", "HF_TOKEN"):
        assert word in refused.value.seen


def test_a_refusal_without_a_reason_is_a_sentence(hub: Hub) -> None:
    hub.publish(TINY)
    hub.refused = True
    with pytest.raises(NoWeightsError, match=r"the hub did not give them \(it answered 403\)"):
        resolve_weights(TINY)
    assert not weights_are_here(TINY)


def of_other_shapes(state: dict[str, Tensor]) -> bytes:
    return save({name: tensor.flatten()[:1] for name, tensor in state.items()})


def without_one(state: dict[str, Tensor]) -> bytes:
    return save(dict(list(state.items())[1:]))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (of_other_shapes, "do not fit test_resnet: .*size mismatch"),
        (without_one, "do not fit test_resnet: .*Missing key"),
        (lambda _: b"<html>Please sign in</html>", "is not a whole safetensors file"),
        (lambda _: b"", "is not a whole safetensors file"),
    ],
)
def test_a_file_that_is_none_of_this_backbone_is_a_sentence(
    hub: Hub, make: Callable[[dict[str, Tensor]], bytes], said: str
) -> None:
    hub.put(TINY, make(import_timm().create_model(TINY).state_dict()))
    with pytest.raises(DessinError, match=said):
        load_state(resolve_weights(TINY))


def test_a_licence_of_its_own_is_said(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dessin.progress, "_quiet", False)
    module.tell_licence("a", "Apache-2.0")
    module.tell_licence("b", "dinov3-license")
    assert 'of b have the licence "dinov3-license"; read it' in capsys.readouterr().err


def test_offline_by_choice_is_not_asked(hub: Hub) -> None:
    from huggingface_hub import constants

    hub.publish(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        patch.setattr(module, "_reaches", lambda _: pytest.fail("asked"))
        with pytest.raises(DessinError, match="HF_HUB_OFFLINE is set"):
            resolve_weights(TINY)
    assert hub.asked == []


def test_a_hub_that_is_gone_is_said_soon(tmp_path: Path) -> None:
    with hub_at(f"http://127.0.0.1:{free_port()}", tmp_path):
        assert hub_silence() == "the hub cannot be reached"


def test_a_hub_that_takes_connections_and_says_nothing_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own client would try six times."""
    monkeypatch.setattr(module, "_CONNECT_S", 0.1)
    with silent_hub(tmp_path):
        assert hub_silence() == "the hub cannot be reached"
        with pytest.raises(NoWeightsError, match="not on this machine and the hub cannot be reached"):
            resolve_weights(TINY)


def test_a_name_that_nobody_answers_for_takes_three_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking up a name has no time limit of its own; here it ends when nobody waits for it any more."""
    given_up = threading.Event()
    monkeypatch.setattr(module, "_CONNECT_S", 0.05)
    monkeypatch.setattr(module, "_reaches", lambda *_: given_up.wait(60))
    with hub_at("http://hub.invalid", tmp_path):
        assert hub_silence() == "the hub cannot be reached"
    given_up.set()


def test_a_hub_that_answers_is_found(hub: Hub) -> None:
    assert hub_silence() == ""
