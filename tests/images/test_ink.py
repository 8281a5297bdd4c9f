"""Paper and ink on drawings whose ink is known."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from scribbles import scribble

from dessin.images.decode import decode
from dessin.images.ink import background, border_median, drawn_box, ink_box, ink_mask, local_strokes

BOX = (40, 30, 120, 150)  # top, left, bottom, right


def drawing(
    paper: tuple[int, int, int] = (255, 255, 255), ink: tuple[int, int, int] = (0, 0, 0), side: int = 200
) -> np.ndarray:
    image = Image.new("RGB", (side, side), paper)
    top, left, bottom, right = BOX
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=ink, width=3)
    return np.array(image)


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((0, 0, 0), (255, 255, 255)),
        ((240, 228, 200), (90, 60, 30)),
        ((255, 255, 255), (225, 225, 225)),
        ((40, 70, 60), (40, 70, 160)),
    ],
)
def test_paper_and_box_of_any_colours(paper: tuple[int, int, int], ink: tuple[int, int, int]) -> None:
    pixels = drawing(paper, ink)
    assert background(pixels) == paper
    assert ink_box(ink_mask(pixels)) == BOX
    assert (ink_mask(pixels) == (pixels != np.array(paper, dtype=np.uint8)).any(axis=-1)).all()


def test_a_negative_has_the_same_ink() -> None:
    pixels = drawing((250, 245, 230), (60, 50, 90))
    assert (ink_mask(255 - pixels) == ink_mask(pixels)).all()
    assert background(255 - pixels) == tuple(255 - value for value in background(pixels))


def test_a_drawing_on_the_border_does_not_become_paper() -> None:
    pixels = np.full((100, 100, 3), 250, dtype=np.uint8)
    pixels[:, :20] = 10
    pixels[:5, :60] = 10
    assert background(pixels) == (250, 250, 250)
    assert ink_box(ink_mask(pixels)) == (0, 0, 100, 60)


def test_jpeg_noise_on_tinted_paper_is_no_ink() -> None:
    buffer = BytesIO()
    Image.fromarray(drawing((236, 226, 205), (30, 30, 40))).save(buffer, "JPEG", quality=60)
    box = ink_box(ink_mask(decode(buffer.getvalue()).pixels))
    assert box is not None
    assert max(abs(found - true) for found, true in zip(box, BOX, strict=True)) <= 8  # one JPEG block


def test_grainy_paper_is_no_ink_but_the_line_is() -> None:
    grain = np.random.default_rng(3).normal(0, 4, (200, 200, 1))
    pixels = np.clip(drawing((225, 225, 225), (40, 40, 40)) + grain, 0, 255).astype(np.uint8)
    mask, truth = ink_mask(pixels), (drawing() == 0).all(axis=-1)
    assert mask[truth].all()
    assert mask[~truth].mean() < 0.001


def test_unevenly_lit_paper_never_hides_the_line() -> None:
    light = np.linspace(-40, 40, 200)[None, :, None]
    pixels = np.clip(drawing((200, 200, 200), (20, 20, 20)) + light, 0, 255).astype(np.uint8)
    assert ink_mask(pixels)[(drawing() == 0).all(axis=-1)].all()


def test_faint_shading_beside_black_lines_is_ink() -> None:
    pixels = drawing()
    pixels[60:100, 60:100] = 215
    assert ink_mask(pixels)[60:100, 60:100].all()


def test_blank_paper_has_no_ink() -> None:
    blank = np.full((50, 70, 3), 231, dtype=np.uint8)
    assert not ink_mask(blank).any()
    assert ink_box(ink_mask(blank)) is None


def test_padding_with_paper_moves_the_box_only() -> None:
    padded = np.pad(drawing(), ((100, 300), (50, 150), (0, 0)), constant_values=255)
    assert ink_box(ink_mask(padded)) == (BOX[0] + 100, BOX[1] + 50, BOX[2] + 100, BOX[3] + 50)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (2, 2, 3), (300, 1, 3)])
def test_thin_pictures_have_a_background(shape: tuple[int, int, int]) -> None:
    pixels = np.full(shape, 77, dtype=np.uint8)
    assert background(pixels) == (77, 77, 77)
    assert ink_mask(pixels).shape == shape[:2]


def test_the_border_median_is_a_value_that_occurs_and_ignores_the_middle() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 1), dtype=np.uint8)
    frame = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    assert border_median(pixels)[0] == np.sort(frame[:, 0])[(len(frame) - 1) // 2]
    changed = pixels.copy()
    changed[1:-1, 1:-1] = 0
    assert border_median(changed) == border_median(pixels)


def page_with(seed: int = 1) -> np.ndarray:
    page = np.full((360, 480, 3), 250, np.uint8)
    page[60:300, 90:400] = scribble(seed, height=240, width=310, pen=3)
    return page


def test_light_and_tint_do_not_change_what_is_a_stroke():
    page = page_with()
    light = np.linspace(1.0, 0.35, 480)[None, :, None] * np.array([1.0, 0.95, 0.8])
    even, uneven = local_strokes(page)[1], local_strokes((page * light).astype(np.uint8))[1]
    assert even.any()
    assert (even ^ uneven).sum() < 0.08 * even.sum()


def test_ruling_desk_and_shadow_are_no_strokes():
    bare = np.full((360, 480, 3), 250, np.uint8)
    bare[12::16] = (190, 200, 225)
    bare[:, 9::16] = (190, 200, 225)
    bare[:, :14] = (70, 50, 40)  # a strip of the desk
    bare[:, 300:] = (bare[:, 300:] * 0.6).astype(np.uint8)  # a shadow with a sharp edge
    strength, mask = local_strokes(bare)
    assert not mask.any()
    assert not strength.any()
    drawn = page_with()
    alone = local_strokes(drawn)[1]
    both = local_strokes(np.minimum(bare, drawn))[1]
    assert (alone & ~both).sum() < 0.12 * alone.sum()
    assert (both & ~alone).sum() < 0.12 * alone.sum()


@pytest.mark.parametrize("ruling", [215, 250])
def test_the_one_line_of_a_margin_is_printed_and_a_line_that_ends_on_the_page_is_drawn(ruling: int):
    drawn = page_with()
    own = ink_box(drawn.min(axis=-1) < 128)
    page = drawn.copy()
    page[12::16] = np.minimum(page[12::16], ruling)  # at 250 too faint to be seen
    margin = page.copy()
    margin[:, 40:42] = (235, 195, 195)
    np.testing.assert_allclose(drawn_box(margin), own, atol=4)
    margin[180:186, 40:42] = 250  # worn away
    np.testing.assert_allclose(drawn_box(margin), own, atol=4)
    wall = page.copy()
    wall[100:250, 40:42] = (100, 100, 105)
    np.testing.assert_allclose(drawn_box(wall), (own[0], 40, own[2], own[3]), atol=4)


def test_the_drawn_box_holds_strokes_and_wide_areas_and_no_ruling():
    drawn = page_with()
    own = ink_box(drawn.min(axis=-1) < 128)
    ruled = drawn.copy()
    ruled[12::16] = np.minimum(ruled[12::16], (215, 222, 238))
    for page in (drawn, ruled):
        np.testing.assert_allclose(drawn_box(page), own, atol=4)
    filled = drawn.copy()
    filled[310:350, 20:80] = (250, 200, 90)
    np.testing.assert_allclose(drawn_box(filled), (own[0], 20, 350, own[3]), atol=4)
    assert drawn_box(np.full((360, 480, 3), 250, np.uint8)) is None


def test_what_little_reaches_the_frame_is_no_stroke_and_a_drawing_that_does_is():
    drawn = page_with()
    own = local_strokes(drawn)[1]
    corner = drawn.copy()
    cv2.ellipse(corner, (470, 359), (9, 12), 0, 0, 360, (120, 120, 120), -1)  # what is left of a shadow
    np.testing.assert_array_equal(local_strokes(corner)[1], own)
    cut = drawn.copy()
    cv2.line(cut, (30, 359), (180, 120), (30, 30, 30), 4)
    assert local_strokes(cut)[1][300:, 30:80].any()
