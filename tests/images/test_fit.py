"""The way into the square: what must not change when the picture is flipped, padded or of any shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dessin.images.fit import prepare
from dessin.images.ink import ink_box, ink_mask
from dessin.images.spec import Fit, ImageSpec, Interpolation

FITS: tuple[Fit, ...] = ("letterbox", "squash", "crop", "trim")


def scene(height: int, width: int) -> np.ndarray:
    """Strokes on tinted paper, without any symmetry."""
    image = Image.new("RGB", (width, height), (244, 238, 225))
    pen = ImageDraw.Draw(image)
    pen.line((width * 0.2, height * 0.3, width * 0.7, height * 0.4), fill=(20, 20, 60), width=4)
    pen.ellipse((width * 0.3, height * 0.5, width * 0.5, height * 0.8), outline=(160, 30, 30), width=3)
    return np.array(image)


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.abs(first.astype(int) - second.astype(int))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("colour", ["rgb", "gray"])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(97, 151), (300, 40), (17, 16)])
def test_flipping_the_picture_flips_the_square(
    shape: tuple[int, int], fit: Fit, colour: str, interpolation: Interpolation
) -> None:
    spec = ImageSpec(size=64, fit=fit, colour=colour)
    square = prepare(scene(*shape), spec, interpolation)
    for axis in (0, 1):
        flipped = prepare(np.flip(scene(*shape), axis).copy(), spec, interpolation)
        assert apart(np.flip(flipped, axis + 1), square).max() <= 1


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("colour", ["rgb", "gray"])
def test_transposing_the_picture_transposes_the_square(fit: Fit, colour: str) -> None:
    spec = ImageSpec(size=65, fit=fit, colour=colour)
    turned = prepare(scene(90, 50).transpose(1, 0, 2).copy(), spec, "bilinear")
    assert apart(turned.transpose(0, 2, 1), prepare(scene(90, 50), spec, "bilinear")).max() <= 2


@pytest.mark.parametrize("fit", ["letterbox", "squash", "crop"])
def test_a_square_picture_of_its_own_size_is_untouched(fit: Fit) -> None:
    pixels = scene(48, 48)
    assert (prepare(pixels, ImageSpec(size=48, fit=fit), "bicubic") == pixels.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("shape", [(120, 300), (300, 120), (131, 77)])
def test_a_circle_stays_a_circle_in_letterbox_crop_and_trim_but_not_in_squash(shape: tuple[int, int]) -> None:
    image = Image.new("RGB", shape[::-1], "white")
    middle_x, middle_y, radius = shape[1] / 2, shape[0] / 2, min(shape) * 0.4
    box = (middle_x - radius, middle_y - radius, middle_x + radius, middle_y + radius)
    ImageDraw.Draw(image).ellipse(box, fill="black")

    def sides(fit: Fit) -> tuple[int, int]:
        square = prepare(np.array(image), ImageSpec(size=96, fit=fit), "bilinear")
        found = ink_box((square < 128).all(axis=0))
        assert found is not None
        return found[2] - found[0], found[3] - found[1]

    for fit in ("letterbox", "crop", "trim"):
        height, width = sides(fit)
        assert abs(height - width) <= 1
    height, width = sides("squash")
    assert height / width == pytest.approx(shape[1] / shape[0], rel=0.1)


def test_letterbox_fills_with_the_paper_and_shows_the_whole_picture() -> None:
    square = prepare(scene(40, 80), ImageSpec(size=64), "bicubic")
    assert (square[:, :16] == np.array([244, 238, 225])[:, None, None]).all()
    assert (square[:, 48:] == np.array([244, 238, 225])[:, None, None]).all()
    inside = np.asarray(Image.fromarray(scene(40, 80)).resize((64, 32), Image.Resampling.BICUBIC))
    assert (square[:, 16:48] == inside.transpose(2, 0, 1)).all()


def test_crop_takes_the_middle() -> None:
    pixels = scene(50, 90)
    assert (
        prepare(pixels, ImageSpec(size=50, fit="crop"), "bicubic") == pixels[:, 20:70].transpose(2, 0, 1)
    ).all()


@pytest.mark.parametrize("padding", [((0, 90), (0, 0)), ((33, 7), (60, 121)), ((0, 0), (200, 1))])
def test_the_trim_of_a_padded_drawing_is_the_trim_of_the_drawing(
    padding: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    pixels, spec = scene(120, 90), ImageSpec(size=80, fit="trim")
    paper = np.array([244, 238, 225], dtype=np.uint8)
    (above, below), (left, right) = padding
    padded = np.full((120 + above + below, 90 + left + right, 3), paper, dtype=np.uint8)
    padded[above : above + 120, left : left + 90] = pixels
    assert (prepare(padded, spec, "bicubic") == prepare(pixels, spec, "bicubic")).all()


def test_trim_keeps_a_margin_even_where_the_ink_touches_the_edge() -> None:
    pixels = np.full((60, 60, 3), 255, dtype=np.uint8)
    pixels[0:60, 20:24] = 0
    box = ink_box(ink_mask(prepare(pixels, ImageSpec(size=100, fit="trim"), "bilinear").transpose(1, 2, 0)))
    assert box is not None
    assert 3 <= box[0] <= 8
    assert 92 <= box[2] <= 97


@pytest.mark.parametrize("fit", FITS)
def test_a_blank_page_stays_blank(fit: Fit) -> None:
    blank = np.full((30, 50, 3), 240, dtype=np.uint8)
    assert (prepare(blank, ImageSpec(size=32, fit=fit), "bicubic") == 240).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    size=st.integers(16, 50),
    fit=st.sampled_from(FITS),
    colour=st.sampled_from(["rgb", "gray"]),
    clahe=st.booleans(),
    seed=st.integers(0, 9),
)
def test_any_picture_fits_any_square(
    height: int, width: int, size: int, fit: Fit, colour: str, clahe: bool, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = pixels.copy()
    spec = ImageSpec(size=size, fit=fit, colour=colour, clahe=clahe)
    square = prepare(pixels, spec, "bicubic")
    assert square.shape == (spec.channels, size, size)
    assert square.dtype == np.uint8
    assert square.flags["C_CONTIGUOUS"]
    assert square.flags["WRITEABLE"]
    assert (pixels == before).all()


@pytest.mark.parametrize(("shape", "size"), [((1, 5000), 16), ((5000, 1), 33), ((2, 900), 17)])
def test_extreme_shapes_keep_at_least_a_line(shape: tuple[int, int], size: int) -> None:
    pixels = np.full((*shape, 3), 200, dtype=np.uint8)
    for fit in FITS:
        assert (prepare(pixels, ImageSpec(size=size, fit=fit), "bicubic") == 200).all()


def test_read_only_pixels_are_accepted() -> None:
    pixels = scene(30, 40)
    pixels.setflags(write=False)
    for fit in FITS:
        for colour in ("rgb", "gray"):
            assert prepare(pixels, ImageSpec(size=24, fit=fit, colour=colour), "bilinear").flags["WRITEABLE"]
