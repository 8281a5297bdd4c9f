"""A model in Python: whatever an image is given as, the answer is the one that the file has."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dessin
from dessin.errors import DessinError
from dessin.models.card import change_card
from dessin.serving.model import Answer, Answers, Model
from dessin.serving.runtime import Runtime

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return dessin.load(bundle)


@pytest.fixture(scope="module")
def folder(drawings: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawings")
    for label, images in drawings.items():
        for number, data in enumerate(images[:3]):
            (folder / f"{label}{number}.png").write_bytes(data)
    return folder


def as_pillow(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


WAYS: dict[str, Any] = {
    "bytes": lambda data: data,
    "Pillow": as_pillow,
    "RGB": lambda data: np.asarray(as_pillow(data).convert("RGB")),
    "RGBA": lambda data: np.asarray(as_pillow(data).convert("RGBA")),
    "gray": lambda data: np.asarray(as_pillow(data).convert("L")),
    "one channel": lambda data: np.asarray(as_pillow(data).convert("L"))[..., None],
    "floats": lambda data: np.asarray(as_pillow(data).convert("L")) / 255,
    "wide integers": lambda data: np.asarray(as_pillow(data).convert("L")).astype(np.int64),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_an_image_has_one_answer_however_it_is_given(
    way: str, model: Model, drawings: dict[str, list[bytes]], folder: Path
) -> None:
    data = drawings["cat"][0]
    wanted, found = model.predict(folder / "cat0.png"), model.predict(WAYS[way](data))
    assert isinstance(found, Answer)
    assert as_pillow(data).convert("RGB").getextrema()[0] == as_pillow(data).convert("L").getextrema()
    assert found.label == wanted.label == "cat"
    assert found.name == "tabby cat"
    assert found.probability == pytest.approx(wanted.probability, abs=1e-6)
    assert [each.label for each in found.top] == [each.label for each in wanted.top]


def test_a_photo_that_pillow_has_not_turned_is_turned(model: Model, folder: Path, tmp_path: Path) -> None:
    image = Image.open(folder / "house0.png").convert("RGB").resize((60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    by_path, opened = (
        model.predict(tmp_path / "turned.png"),
        model.predict(Image.open(tmp_path / "turned.png")),
    )
    assert opened.probability == pytest.approx(by_path.probability, abs=1e-6)


def test_several_images_are_answered_in_their_order_and_as_alone(model: Model, folder: Path) -> None:
    paths = sorted(folder.glob("*.png"))
    alone = [model.predict(path) for path in paths]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB").resize((32, 32))) for path in paths])
    for found in (model.predict(paths), model.predict([str(path) for path in paths]), model.predict(folder)):
        assert isinstance(found, Answers)
        assert [each.label for each in found] == [each.label for each in alone]
        assert [each.probability for each in found] == pytest.approx(
            [each.probability for each in alone], abs=1e-5
        )
    assert len(model.predict(pixels)) == len(paths)
    assert len(model.predict(iter([paths[0], pixels[0]]))) == 2
    assert model.predict([paths[0], paths[0]])[1].label == alone[0].label


def test_it_says_what_the_runtime_says(model: Model, bundle: Path, folder: Path) -> None:
    paths = sorted(folder.glob("*.png"))
    table = Runtime.load(bundle).predict_paths(paths).probabilities
    for row, answer in zip(table, model.predict(paths, top=3), strict=True):
        assert sorted(row, reverse=True) == pytest.approx([each.probability for each in answer.top], abs=1e-6)


def test_what_cannot_be_read_keeps_its_place_and_alone_is_an_error(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    answers = model.predict([folder / "cat0.png", tmp_path / "broken.png", folder / "star0.png"])
    assert [each.label for each in answers] == ["cat", "", "star"]
    assert answers[1].unsure
    assert "PNG" in answers[1].reason
    assert answers.to_frame()["label"].tolist() == ["cat", "", "star"]
    assert "1 could not be read" in answers.to_markdown()
    with pytest.raises(DessinError, match=r"broken\.png cannot be read"):
        model.predict(tmp_path / "broken.png")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((3, 8, 8)), "channels last"),
        (np.full((8, 8), 200.0), "from 200 to 200"),
        (np.full((8, 8), 300), "from 300 to 300"),
        (np.full((8, 8), np.nan), "from nan"),
        (np.zeros((8, 8), dtype=np.complex64), "complex64"),
        (np.zeros((0, 8)), "empty"),
        (np.zeros(8), "array of 8"),
        (["drawing.png", 7], "image 1 is 7"),
        (7, "7 is no image"),
        ([], "No image"),
        ("there/is/none.png", "there is no such file"),
    ],
)
def test_what_is_no_image_is_refused_with_what_is_allowed(given: Any, said: str, model: Model) -> None:
    with pytest.raises(DessinError) as error:
        model.predict(given)
    assert said in str(error.value)
    assert "array" in str(error.value) or "floats" in str(error.value) or "PNG" in str(error.value)


def test_a_model_that_is_unsure_says_so_and_what_it_might_be(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:

    shutil.copytree(bundle, tmp_path / "unsure")
    change_card(tmp_path / "unsure", {"threshold": 1.0})
    answer = dessin.load(tmp_path / "unsure").predict(folder / "cat0.png")
    assert answer.unsure
    assert answer.label == "cat"
    assert "threshold" in answer.reason
    assert "Unsure" in answer._repr_html_()


def test_answers_show_the_image_and_the_classes(model: Model, folder: Path) -> None:
    answer = model.predict(folder / "cat0.png")
    assert "tabby cat" in repr(answer)
    assert len(repr(answer)) <= 160
    assert "data:image/webp" in answer._repr_html_()
    assert answer.to_frame()["label"].tolist() == [each.label for each in answer.top]
    assert answer.plot().kind == "webp"
    many = model.predict(folder)
    assert many._repr_html_().count("data:image/webp") == len(many) == 9
    assert list(many.to_frame().columns)[:5] == ["image_id", "label", "name", "probability", "unsure"]
    assert "9 images" in repr(many)
    assert "tabby cat" in repr(model)
    assert "never" in model._repr_html_()


def test_an_answer_shows_where_the_model_looked(model: Model, folder: Path) -> None:
    answer = model.predict(folder / "cat0.png")
    found, other = answer.explain(), answer.explain("star")
    assert (found.label, other.label) == ("cat", "star")
    assert Image.open(io.BytesIO(found._repr_png_())).format == "PNG"
    assert not np.array_equal(found.values, other.values)
    with pytest.raises(DessinError, match="star"):
        answer.explain("stra")


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="There is no folder"):
        dessin.load(tmp_path / "none")


def test_a_first_answer_needs_neither_torch_s_compiler_nor_what_only_training_does(
    bundle: Path, drawings: dict[str, list[bytes]], tmp_path: Path
) -> None:
    """They are half of its seconds, and what the rest of timm is asked for later is still the same timm."""
    (tmp_path / "cat.png").write_bytes(drawings["cat"][0])
    code = """
import sys
import dessin
answer = dessin.load(sys.argv[1]).predict(sys.argv[2])
unneeded = {"torch._dynamo", "sympy", "scipy", "pandas", "matplotlib", "torchvision.transforms", "timm.loss"}
unneeded |= {"timm.data.loader", "timm.models.vision_transformer", "dessin.recipe", "dessin.training.loop"}
print(answer.label, sorted(unneeded & set(sys.modules)))

from timm.layers import BatchNormAct2d as before
import torchvision
assert torchvision.transforms.functional.rotate and torchvision.ops.nms and torchvision.__version__
assert "timm.models.vision_transformer" not in sys.modules
import timm
assert timm.create_model("test_vit", num_classes=0).num_features and timm.data.create_transform
assert timm.layers.BatchNormAct2d is before
from dessin.models.torchvision_ops import import_timm
assert import_timm() is timm and "test_resnet" in import_timm().list_models() and not hasattr(timm, "nothing")
assert dessin.load(sys.argv[1]).predict(sys.argv[2]).probability == answer.probability
"""
    command = [sys.executable, "-c", code, str(bundle), str(tmp_path / "cat.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("cat []\n", 0), done.stderr
