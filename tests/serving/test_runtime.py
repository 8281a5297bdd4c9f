"""The runtime sees what training saw, in any order and company, and bad files do not stop it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_bundle import make_bundle

from dessin.answers.inference import predict_rows
from dessin.errors import DessinError
from dessin.files import sha256_bytes
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.models.bundle import load_bundle
from dessin.serving import runtime as runtime_module
from dessin.serving.runtime import Runtime


@pytest.fixture
def files(tmp_path: Path, drawings: dict[str, list[bytes]]) -> list[Path]:
    """The drawings as files, whatever their format is, under one suffix."""
    paths = []
    for label, images in drawings.items():
        for number, data in enumerate(images):
            path = tmp_path / "drawings" / f"{label}_{number}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            paths.append(path)
    return paths


def test_it_gives_what_the_evaluation_gives(bundle: Path, files: list[Path], tmp_path: Path) -> None:
    loaded = load_bundle(bundle)
    root = files[0].parent
    images = [StoredImage(path.name, sha256_bytes(path.read_bytes())) for path in files]
    store = open_store(images, root, loaded.card.image.spec, loaded.card.image.interpolation)
    rows = store.rows([path.name for path in files])
    evaluated = predict_rows(loaded.classifier, store, rows, device=torch.device("cpu"))
    predicted = Runtime.load(bundle).predict_paths(files)
    assert np.abs(predicted.probabilities - evaluated).max() < 1e-5
    assert predicted.image_ids == tuple(path.as_posix() for path in files)


def test_a_permutation_permutes(bundle: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_module, "BATCH", 4)
    order = np.random.default_rng(0).permutation(len(files))
    straight = Runtime.load(bundle).predict_paths(files)
    mixed = Runtime.load(bundle).predict_paths([files[i] for i in order])
    assert np.allclose(mixed.probabilities, straight.probabilities[order], atol=1e-5)
    assert mixed.image_ids == tuple(straight.image_ids[i] for i in order)


def test_bad_files_are_named_and_the_others_keep_their_answers(bundle: Path, files: list[Path]) -> None:
    good = Runtime.load(bundle).predict_paths(files)
    empty, rubbish = files[0].with_name("empty.png"), files[0].with_name("rubbish.png")
    empty.write_bytes(b"")
    rubbish.write_bytes(b"not an image at all")
    mixed = Runtime.load(bundle).predict_paths([empty, *files[:3], rubbish, *files[3:]])
    assert mixed.image_ids == good.image_ids
    assert np.allclose(mixed.probabilities, good.probabilities, atol=1e-5)
    assert [refused.image_id for refused in mixed.unreadable] == [empty.as_posix(), rubbish.as_posix()]
    assert all(refused.reason for refused in mixed.unreadable)


def test_a_drawing_on_transparent_paper_is_the_drawing_on_white(bundle: Path, tmp_path: Path) -> None:
    ink = np.zeros((60, 60), dtype=np.uint8)
    ink[20:40, 28:32] = 255
    clear = np.zeros((60, 60, 4), dtype=np.uint8)
    clear[..., 3] = ink
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(255 - ink).save(tmp_path / "white.png")
    answers = Runtime.load(bundle).predict_paths([tmp_path / "clear.png", tmp_path / "white.png"])
    assert np.allclose(*answers.probabilities, atol=1e-6)


def test_temperature_is_applied(drawings: dict[str, list[bytes]], files: list[Path], tmp_path: Path) -> None:
    plain = Runtime.load(make_bundle(tmp_path / "plain", drawings)).predict_paths(files)
    warm = Runtime.load(make_bundle(tmp_path / "warm", drawings, temperature=2.0)).predict_paths(files)
    scaled = np.sqrt(plain.probabilities)
    scaled /= scaled.sum(axis=1, keepdims=True)
    assert np.allclose(warm.probabilities, scaled, atol=1e-4)
    assert not np.allclose(warm.probabilities, plain.probabilities, atol=1e-2)


def test_no_files_give_an_empty_answer(bundle: Path) -> None:
    answers = Runtime.load(bundle).predict_paths([])
    assert answers.probabilities.shape == (0, 3)
    assert answers.image_ids == answers.unreadable == ()


def test_a_run_folder_stands_for_its_bundle(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "run" / "bundle")
    assert Runtime.load(tmp_path / "run").committee == Runtime.load(bundle).committee


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="There is no folder"):
        Runtime.load(tmp_path / "nowhere")
    with pytest.raises(DessinError, match=r"no bundle\.json"):
        Runtime.load(tmp_path)


def test_damaged_weights_are_refused(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    weights = copy / "model.safetensors"
    data = io.BytesIO(weights.read_bytes()).getbuffer()
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DessinError, match="digest"):
        Runtime.load(copy)
