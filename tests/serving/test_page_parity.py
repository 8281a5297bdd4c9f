"""A photograph of paper is the same at every door: the store, torch, ONNX Runtime, `predict`, the API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from api_kit import Serving, serving
from desk import as_jpeg, as_png, photographed
from exportable import LABELS, World, make_world
from PIL import Image, ImageDraw

import dessin
from dessin.doodles.drawing import draw_doodle
from dessin.files import sha256_file
from dessin.images.decode import decode
from dessin.images.fit import prepare_for
from dessin.images.photograph import on_paper
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.models.card import change_card, read_card
from dessin.serving.predict import predict
from dessin.serving.runtime import Runtime

pytestmark = pytest.mark.slow


def clean() -> np.ndarray:
    image = Image.new("RGB", (120, 120), (255, 255, 255))
    ImageDraw.Draw(image).rectangle((20, 30, 90, 100), outline=(20, 30, 90), width=4)
    return np.array(image)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A bundle that looks for the page, in torch and exported beside it."""
    made = make_world(tmp_path_factory.mktemp("page"))
    card = read_card(made.bundle)
    change_card(made.bundle, {"image": card.image.model_copy(update={"page": "auto"})})
    dessin.export(made.bundle, data=made.data, split=made.split, out=made.bundle.with_name("exported"))
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Files of one photograph as it is and as turned cameras write it, and of a clean drawing."""
    folder = tmp_path_factory.mktemp("pictures")
    taken = photographed(draw_doodle("cat", 3, seed=0).data, 3)
    files = {
        "photograph.jpg": as_jpeg(taken),
        "upright.png": as_png(taken),
        "turned.png": as_png(taken, orientation=6),
        "clean.png": as_png(clean()),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in files}


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Serving]:
    with serving(world.bundle) as running:
        yield running


def answers(model: Path, pictures: Mapping[str, Path]) -> dict[str, np.ndarray]:
    found = Runtime.load(model, threads=1).predict_paths(list(pictures.values()))
    assert not found.unreadable
    return dict(zip(pictures, found.probabilities, strict=True))


def test_every_door_says_the_same(
    world: World, server: Serving, pictures: Mapping[str, Path], tmp_path: Path
) -> None:
    torch_says = answers(world.bundle, pictures)
    onnx_says = answers(world.bundle.with_name("exported"), pictures)
    predicted = predict(world.bundle, [*pictures.values()], out=tmp_path / "out.csv")
    for row, (name, path) in enumerate(pictures.items()):
        reply = server.predict(path.read_bytes()).json()
        by_label = {each["label"]: each["probability"] for each in reply["candidates"]}
        api = [by_label[label] for label in LABELS]
        for other in (onnx_says[name], predicted.probabilities[row], api):
            np.testing.assert_allclose(other, torch_says[name], atol=1e-4)
        assert reply["page"] == ("not found" if name == "clean.png" else "found")
    np.testing.assert_allclose(torch_says["upright.png"], torch_says["turned.png"], atol=1e-6)


def test_the_store_and_serving_see_the_same_bytes(world: World, pictures: Mapping[str, Path]) -> None:
    runtime = Runtime.load(world.bundle)
    (fitting,) = runtime.fittings
    folder = next(iter(pictures.values())).parent
    images = [StoredImage(name, sha256_file(path)) for name, path in pictures.items()]
    store = open_store(images, folder, *fitting)
    for name, path in pictures.items():
        seen = prepare_for(decode(path.read_bytes()).pixels, runtime.fittings).squares[fitting]
        np.testing.assert_array_equal(store.pixels[store.rows([name])[0]], seen)


def test_a_model_that_does_not_look_says_of_the_page_what_this_one_says_of_the_photograph(
    world: World, pictures: Mapping[str, Path], tmp_path: Path
) -> None:
    paper = tmp_path / "page.png"
    paper.write_bytes(as_png(on_paper(decode(pictures["upright.png"].read_bytes()).pixels)))
    plain = make_world(tmp_path / "plain").bundle
    says = answers(plain, {"page": paper, **pictures})
    looking = answers(world.bundle, pictures)
    np.testing.assert_allclose(looking["upright.png"], says["page"], atol=1e-6)
    np.testing.assert_allclose(looking["clean.png"], says["clean.png"], atol=1e-6)
    assert np.abs(looking["upright.png"] - says["upright.png"]).max() > 0.05


def test_card_model_page_and_onnx_file_say_that_it_looks(world: World, server: Serving) -> None:
    card = json.loads((world.bundle / "bundle.json").read_text())
    assert card["image"]["page"] == "auto"
    assert server.client.get("/v1/model").json()["images"][0]["page"] == "auto"
    model = onnx.load(world.bundle.with_name("exported") / "model.onnx")
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said["dessin.image"])["page"] == "auto"
    assert "cropped to the drawing" in said["dessin.page"]


def test_a_model_that_does_not_look_says_nothing_of_pages(
    pictures: Mapping[str, Path], tmp_path: Path
) -> None:
    bundle = make_world(tmp_path / "plain").bundle
    assert "page" not in json.loads((bundle / "bundle.json").read_text())["image"]
    with serving(bundle) as running:
        assert "page" not in running.predict(pictures["upright.png"].read_bytes()).json()
        assert "page" not in running.client.get("/v1/model").json()["images"][0]
