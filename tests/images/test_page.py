"""`image.page`: the sheet of a photograph is what a model sees, and nothing else changes by a byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL
import pytest
from desk import as_png, photographed
from PIL import Image, ImageDraw

from dessin.doodles.drawing import draw_doodle
from dessin.errors import DessinError
from dessin.files import digest_of, sha256_file
from dessin.images import fit as module
from dessin.images.decode import decode
from dessin.images.fit import page_of, prepare, prepare_for
from dessin.images.photograph import on_paper
from dessin.images.spec import Fit, ImageSpec
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage, StoreKey
from dessin.recipe import make_recipe, read_recipe

AUTO, OFF = ImageSpec(size=48, page="auto"), ImageSpec(size=48)
FITS: tuple[Fit, ...] = ("letterbox", "squash", "crop", "trim")
DRAWING = draw_doodle("house", 1, seed=0).data


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return photographed(DRAWING)


def clean(width: int = 180, height: int = 120) -> np.ndarray:
    image = Image.new("RGB", (width, height), (255, 255, 255))
    ImageDraw.Draw(image).ellipse((30, 20, 140, 100), outline=(20, 30, 90), width=4)
    return np.array(image)


@pytest.mark.parametrize("fit", FITS)
def test_the_sheet_of_a_photograph_is_fitted_in_place_of_it(photograph: np.ndarray, fit: Fit) -> None:
    seen = prepare(photograph, ImageSpec(size=48, fit=fit, page="auto"), "bicubic")
    np.testing.assert_array_equal(seen, prepare(on_paper(photograph), ImageSpec(size=48, fit=fit), "bicubic"))
    # The desk covers half of the picture; of the sheet's own border nothing is dark.
    frame = np.concatenate([seen[:, 0].ravel(), seen[:, -1].ravel()])
    assert np.median(frame) > 230
    assert np.median(prepare(photograph, ImageSpec(size=48, fit=fit), "bicubic")[:, :, 0]) < 130


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("colour", ["rgb", "gray"])
def test_a_clean_drawing_comes_out_as_without_it_to_the_byte(fit: Fit, colour: str) -> None:
    values = {"size": 48, "fit": fit, "colour": colour}
    seen, plain = (
        prepare(clean(), ImageSpec.model_validate(values | {"page": page}), "bilinear")
        for page in ("auto", "off")
    )
    np.testing.assert_array_equal(seen, plain)
    drawing = clean()
    assert page_of(drawing, "auto") is drawing


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_camera_changes_nothing(photograph: np.ndarray, orientation: int) -> None:
    turned = decode(as_png(photograph, orientation=orientation)).pixels
    seen = prepare_for(turned, [(AUTO, "bicubic")])
    assert seen.page
    expected = prepare_for(photograph, [(AUTO, "bicubic")])
    np.testing.assert_array_equal(seen.squares[AUTO, "bicubic"], expected.squares[AUTO, "bicubic"])


def test_the_page_is_looked_for_once_for_all_models(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(pixels: np.ndarray) -> np.ndarray:
        calls.append(pixels.shape)
        return on_paper(pixels)

    monkeypatch.setattr(module, "on_paper", counted)
    larger = ImageSpec(size=64, page="auto", fit="trim")
    fittings = [(AUTO, "bicubic"), (OFF, "bicubic"), (larger, "bilinear"), (AUTO, "bilinear")]
    prepared = prepare_for(photograph, fittings)
    assert (len(calls), prepared.page) == (1, True)
    for spec, how in fittings:
        np.testing.assert_array_equal(prepared.squares[spec, how], prepare(photograph, spec, how))
    calls.clear()
    assert prepare_for(photograph, [(OFF, "bicubic")]).page is None
    assert not calls
    assert prepare_for(clean(), fittings).page is False


def test_the_store_has_what_prepare_gives(photograph: np.ndarray, tmp_path: Path) -> None:
    pictures = {"clean.png": clean(), "photograph.png": photograph}
    for name, pixels in pictures.items():
        (tmp_path / name).write_bytes(as_png(pixels))
    images = [StoredImage(name, sha256_file(tmp_path / name)) for name in pictures]
    found, plain = (open_store(images, tmp_path, spec, "bicubic", workers=2) for spec in (AUTO, OFF))
    for row, pixels in enumerate(pictures.values()):
        np.testing.assert_array_equal(found.pixels[row], prepare(pixels, AUTO, "bicubic"))
    np.testing.assert_array_equal(found.pixels[0], plain.pixels[0])
    assert (found.pixels[1] != plain.pixels[1]).any()
    assert found.digest != plain.digest


def test_a_store_without_it_keeps_its_digest() -> None:
    key = StoreKey((StoredImage("a.png", "0" * 64),), ImageSpec(size=48, page="off"), "bicubic")
    spec = {"size": 48, "colour": "rgb", "fit": "letterbox", "clahe": False}
    # As it was before there was a choice.
    by = {"by": "bicubic", "version": 2, "pillow": PIL.__version__}
    assert key.digest == digest_of({"images": [["a.png", "0" * 64]], "spec": spec, **by})


def test_a_recipe_says_it_only_where_it_is_on(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    # YAML's own `off` is false.
    for text in ("image: {page: off}", 'image: {page: "off"}', ""):
        path.write_text(text)
        assert read_recipe(path) == make_recipe({})
        assert "page" not in read_recipe(path).model_dump(mode="json")["image"]
    path.write_text("image: {page: auto}")
    assert read_recipe(path).model_dump(mode="json")["image"]["page"] == "auto"
    assert read_recipe(path, overrides=["image.page=off"]) == make_recipe({})
    path.write_text("image: {page: on}")
    with pytest.raises(DessinError, match="'auto' or 'off'"):
        read_recipe(path)
