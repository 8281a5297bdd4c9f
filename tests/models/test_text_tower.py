"""Names of classes by a text tower: computed as by hand, found on the hub, and what is refused."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_kit import Repository, small_hub
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from text_kit import LENGTH, SIGLIP, WIDTH, plant_tower, write_tower
from tokenizers import Tokenizer

from dessin.errors import DessinError
from dessin.models.hub import hub_file
from dessin.models.text_tower import (
    CONFIG,
    SENTENCES,
    TENSORS,
    NoTextTowerError,
    class_rows,
    embed,
    find_text_tower,
)
from dessin.models.weights import Weights

NAMES = ("teapot", "race car", "owl")
Numbers = NDArray[np.float64]


def by_hand(folder: Path, ids: list[int], *, siglip: bool) -> Numbers:
    """The embedding of one text, written down from the papers in float64."""
    state = {
        name.removeprefix("text."): tensor.double().numpy()
        for name, tensor in load_file(folder / TENSORS).items()
    }

    def norm(x: Numbers, name: str) -> Numbers:
        centred = x - x.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + (1e-6 if siglip else 1e-5))
        return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]

    def gelu(x: Numbers) -> Numbers:
        if siglip:
            return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return x / (1 + np.exp(-1.702 * x))

    x = state["token_embedding.weight"][ids] + state["positional_embedding"][: len(ids)]
    for number in range(2):
        block = f"transformer.resblocks.{number}"
        read = norm(x, f"{block}.ln_1")
        mixed = read @ state[f"{block}.attn.in_proj_weight"].T + state[f"{block}.attn.in_proj_bias"]
        heads = []
        for q, k, v in zip(*(np.split(part, 4, axis=1) for part in np.split(mixed, 3, axis=1)), strict=True):
            scores = q @ k.T / math.sqrt(q.shape[1])
            if not siglip:
                scores = np.where(np.tri(len(ids)) > 0, scores, -np.inf)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(shares / shares.sum(axis=1, keepdims=True) @ v)
        out = np.concatenate(heads, axis=1) @ state[f"{block}.attn.out_proj.weight"].T
        x = x + out + state[f"{block}.attn.out_proj.bias"]
        hidden = gelu(
            norm(x, f"{block}.ln_2") @ state[f"{block}.mlp.c_fc.weight"].T + state[f"{block}.mlp.c_fc.bias"]
        )
        x = x + hidden @ state[f"{block}.mlp.c_proj.weight"].T + state[f"{block}.mlp.c_proj.bias"]
    x = norm(x, "ln_final")
    if siglip:
        return x[-1] @ state["text_projection.weight"].T + state["text_projection.bias"]
    return x[int(np.argmax(ids))] @ state["text_projection"]


@pytest.mark.parametrize("siglip", [False, True])
def test_names_are_what_the_papers_compute(tmp_path: Path, siglip: bool) -> None:
    folder = write_tower(tmp_path / "tower", siglip=siglip)
    found = embed(find_text_tower("test_vit", str(folder)), NAMES)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for name, row in zip(NAMES, found, strict=True):
        each = []
        for sentence in SENTENCES:
            text = sentence.format(name).replace(".", "") if siglip else sentence.format(name)
            ids = tokenizer.encode(text).ids
            ids += [1] * (LENGTH - len(ids)) if siglip else []
            one = by_hand(folder, ids, siglip=siglip)
            each.append(one / np.linalg.norm(one))
        mean = np.mean(each, axis=0)
        np.testing.assert_allclose(row.numpy(), mean / np.linalg.norm(mean), atol=2e-6)


def test_a_name_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    tower = find_text_tower("test_vit", str(write_tower(tmp_path / "tower", siglip=True)))
    rows = embed(tower, ["race car", "Race_Car", "race  car!"])
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[0], rows[2])
    assert not torch.allclose(rows[0], embed(tower, ["owl"])[0])
    long = embed(tower, ["teapot " * 100])
    assert long.isfinite().all(), "what is too long is cut off"


def test_rows_go_through_the_projection_of_the_image_side(tmp_path: Path) -> None:
    tower = find_text_tower("test_resnet", str(write_tower(tmp_path / "tower")))
    path = tmp_path / "body.safetensors"
    projection = torch.randn(WIDTH, 96)
    with pytest.raises(DessinError, match="no layer that leads from their 96 features there"):
        class_rows(tower, Weights("test_resnet", "none", None, "", "none"), NAMES)
    from dessin.files import sha256_file

    save_file({"fc.weight": projection}, path)
    weights = Weights("test_resnet", "file", path, sha256_file(path), "none")
    assert torch.equal(class_rows(tower, weights, NAMES), embed(tower, NAMES) @ projection)


def test_a_planted_tower_says_what_was_planted(tmp_path: Path) -> None:
    said = {"bars": torch.randn(24), "dots": torch.randn(24)}
    tower = find_text_tower("test_vit", str(plant_tower(tmp_path / "tower", said)))
    wanted = torch.nn.functional.normalize(torch.stack(list(said.values())), dim=1)
    assert torch.allclose(embed(tower, list(said)), wanted, atol=1e-5)


TOWERS = {
    "vit_base_patch32_clip_224.openai": "timm/vit_base_patch32_clip_224.openai",
    "vit_base_patch16_siglip_224.webli": "timm/ViT-B-16-SigLIP",
    "vit_so400m_patch14_siglip_378.v2_webli": "timm/ViT-SO400M-14-SigLIP2-378",
    "vit_giantopt_patch16_siglip_256.v2_webli": "timm/ViT-gopt-16-SigLIP2-256",
    "convnext_base.clip_laion2b": "timm/convnext_base.clip_laion2b",
    "vit_base_patch16_clip_224.openai_ft_in1k": "",
    "vit_so400m_patch14_siglip_378.webli_ft_in1k": "",
    "tf_efficientnet_lite0": "",
    "test_vit": "",
}


@pytest.mark.parametrize("backbone", TOWERS)
def test_the_tower_of_a_backbone_is_looked_for_where_it_is(backbone: str, tmp_path: Path) -> None:
    files = {each.name: each.read_bytes() for each in write_tower(tmp_path / "tower").iterdir()}
    with small_hub(tmp_path / "cache") as hub:
        for repository in filter(None, {TOWERS[backbone], hub_file(backbone)[0]}):
            hub.repositories[repository] = Repository(private=False)
            hub.repositories[repository].commit(files)
        if not TOWERS[backbone]:
            with pytest.raises(NoTextTowerError, match="trained without captions, so it has no text tower"):
                find_text_tower(backbone, "auto")
            return
        tower = find_text_tower(backbone, "auto")
        assert tower.source == f"hub {TOWERS[backbone]}"
        asked = len(hub.asked)
        assert find_text_tower(backbone, "auto") == tower
        assert len(hub.asked) == asked, "what is in the cache is not asked for"


def test_a_tower_may_have_the_tokens_of_another(tmp_path: Path) -> None:
    folder = write_tower(tmp_path / "tower", siglip=True, hf_tokenizer_name="timm/elsewhere")
    files = {each.name: each.read_bytes() for each in folder.iterdir()}
    tokens = {name: files.pop(name) for name in ("tokenizer.json", "tokenizer_config.json")}
    with small_hub(tmp_path / "cache") as hub:
        for repository, those in (("ann/tower", files), ("timm/elsewhere", tokens)):
            hub.repositories[repository] = Repository(private=False)
            hub.repositories[repository].commit(those)
        found = embed(find_text_tower("test_vit", "hub:ann/tower"), NAMES)
    assert torch.equal(found, embed(find_text_tower("test_vit", str(folder)), NAMES))


def test_one_that_the_hub_does_not_have_is_said(tmp_path: Path) -> None:
    with (
        small_hub(tmp_path / "cache"),
        pytest.raises(NoTextTowerError, match=r"open_clip_config.json of .*SigLIP"),
    ):
        find_text_tower("vit_base_patch16_siglip_224.webli", "auto")


def changed(**values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        config["model_cfg"]["text_cfg"] |= values
        (folder / CONFIG).write_text(json.dumps(config))

    return change


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        state = load_file(folder / TENSORS)
        change(state)
        save_file(state, folder / TENSORS)

    return write


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tensors": (lambda folder: (folder / TENSORS).unlink(), f"it lacks {TENSORS}"),
    "another tower": (changed(hf_model_name="roberta-base"), "hf_model_name"),
    "another way to pool": (changed(pool_type="eos"), "pool_type"),
    "other layers": (changed(layers=3), "are not those that open_clip_config.json beside it describes"),
    "heads that do not divide": (changed(heads=5), "are not those that"),
    "fewer words": (changed(vocab_size=4), "are not those that"),
    "a bias that is not there": (changed(**SIGLIP), "are not those that"),
    "no text": (lambda folder: (folder / CONFIG).write_text("{}"), "describes no text tower"),
    "no JSON": (lambda folder: (folder / CONFIG).write_text("{"), "JSON"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "is no tokenizer"),
    "not a number": (
        tensors(lambda state: state["ln_final.bias"].fill_(math.nan)),
        "ln_final|norm.bias",
    ),
    "cut off": (
        lambda folder: (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-9]),
        "not a whole safetensors file",
    ),
    "words that it does not know": (
        tensors(lambda state: state.update({"token_embedding.weight": torch.zeros(9, WIDTH)})),
        "tokens|are not those",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_computed_is_refused(what: str, tmp_path: Path) -> None:
    folder = write_tower(tmp_path / "tower")
    change, words = REFUSED[what]
    change(folder)
    with pytest.raises(DessinError, match=words):
        embed(find_text_tower("test_vit", str(folder)), NAMES)


def test_without_the_package_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DessinError, match=r"not installed.*\[text\]"):
        embed(find_text_tower("test_vit", str(write_tower(tmp_path / "tower"))), NAMES)
