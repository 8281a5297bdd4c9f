"""An exported model reads no file, runs no loop, sets nothing: it is refused before the runtime sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx_models import CARD, HOSTILE, SECRET, SIZE, WEIGHT, plain_model, write_as_bundle

from dessin.answers.committee import load_model
from dessin.errors import DessinError
from dessin.models.bundle import load_bundle, write_onnx_bundle
from dessin.models.network import OnnxNetwork
from dessin.serving.runtime import Runtime

SPELT = np.arange(WEIGHT.size, dtype=np.float32).reshape(WEIGHT.shape)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a file in it that no model may read."""
    place = tmp_path / "home"
    place.mkdir()
    (place / SECRET).write_bytes(SPELT.tobytes())
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the runtime was given."""
    given: list[object] = []

    def session(model: object, *others: object, **options: object) -> None:
        given.append(model)
        raise RuntimeError("the runtime was asked")

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    return given


def pixels(count: int = 3) -> torch.Tensor:
    """In the picture number n all is black but the value number n."""
    return torch.eye(count, 3 * SIZE**2).view(count, 3, SIZE, SIZE)


def test_the_runtime_by_itself_would_spell_the_file() -> None:
    model, _ = HOSTILE["an initializer outside"]
    session = onnxruntime.InferenceSession(model(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"pixels": pixels().numpy()})
    assert logits.T.tolist() == SPELT[:, :3].tolist()


@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_refused_before_the_runtime_sees_it(what: str, tmp_path: Path, asked: list[object]) -> None:
    model, words = HOSTILE[what]
    folder = write_as_bundle(tmp_path / "bundle", model())
    for door in (lambda: load_bundle(folder), lambda: load_model(folder), lambda: Runtime.load(folder)):
        with pytest.raises(DessinError, match=words) as refused:
            door()
        assert SECRET not in str(refused.value)
        assert len(refused.value.seen) < 200
    with pytest.raises(DessinError, match=words):
        write_onnx_bundle(tmp_path / "again", model(), CARD)
    with pytest.raises(DessinError, match=words):
        OnnxNetwork(model())
    assert not asked


def test_the_spy_sees_a_good_model(tmp_path: Path, asked: list[object]) -> None:
    with pytest.raises(DessinError, match="the runtime was asked"):
        load_bundle(write_as_bundle(tmp_path / "bundle", plain_model().SerializeToString()))
    assert len(asked) == 1


def test_bytes_that_could_be_of_the_runtimes_own_format_are_read_as_they_were_checked() -> None:
    model = plain_model()
    model.producer_name = "ORTM"
    data = model.SerializeToString()
    assert data[4:8] == b"ORTM"
    logits = OnnxNetwork(data)(pixels())
    assert torch.equal(logits.T, torch.from_numpy(WEIGHT[:, :3]))


def test_a_file_of_a_million_empty_parts_takes_seconds_and_no_memory() -> None:
    with pytest.raises(DessinError, match="more than 1,000,000 parts"):
        OnnxNetwork(b"\x08\x01" * 1_500_000)
