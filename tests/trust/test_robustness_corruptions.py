"""The corruptions: what each does to a drawing, at any size, for either polarity, to the byte."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.images.colour import one_opencv_thread
from dessin.trust.robustness.asking import SetImages
from dessin.trust.robustness.corruption import STRENGTHS, Corruption
from dessin.trust.robustness.suite import SUITE, VERSION, suite_digest

SIZE = 96
NAMES = [corruption.name for corruption in SUITE]
MOVES = ("rotation", "scale", "shift", "wobble", "second_drawing")
Pixels = NDArray[np.uint8]


def by_name(name: str) -> Corruption:
    return next(corruption for corruption in SUITE if corruption.name == name)


def drawing(number: int, size: int = SIZE) -> Pixels:
    """A house or a fish of thick and thin lines within the middle of the page, (size, size)."""
    wide = 512
    page = np.full((wide, wide), 255, np.uint8)
    if number % 2:
        cv2.rectangle(page, (170, 240), (340, 360), 0, 9, cv2.LINE_AA)
        cv2.polylines(page, [np.array([[150, 240], [255, 150], [360, 240]])], False, 0, 14, cv2.LINE_AA)
        cv2.circle(page, (210 + 3 * number, 300), 20, 60, 5, cv2.LINE_AA)
    else:
        cv2.ellipse(page, (250, 256), (110, 60 + number), 0, 0, 360, 0, 10, cv2.LINE_AA)
        cv2.line(page, (350, 256), (390, 200 + number), 0, 12, cv2.LINE_AA)
        cv2.line(page, (350, 256), (390, 310), 0, 6, cv2.LINE_AA)
    return np.asarray(cv2.resize(page, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def pictures(
    pages: list[Pixels], *, channels: int = 3, paper: int = 255, ids: list[str] | None = None
) -> SetImages:
    pixels = np.stack([np.broadcast_to(page, (channels, *page.shape)) for page in pages])
    count = len(pages)
    names = ids or [f"image-{number}" for number in range(count)]
    seconds = np.array([(number + 1) % count for number in range(count)])
    background = np.full((count, channels), paper, np.uint8)
    return SetImages(pixels, background, np.arange(count), tuple(names), seconds)


@pytest.fixture(scope="module")
def eight() -> SetImages:
    return pictures([drawing(number) for number in range(8)])


def corrupted(of: SetImages, name: str, places: list[int] | None = None) -> Pixels:
    chosen = np.arange(len(of.rows)) if places is None else np.array(places)
    with one_opencv_thread():
        return of.chunk(chosen).corrupted(by_name(name))


def change(of: SetImages, result: Pixels) -> NDArray[np.float64]:
    """The mean change of a level, (5,)."""
    return np.abs(result.astype(int) - np.asarray(of.pixels)).mean(axis=(1, 2, 3, 4))


def ink(result: Pixels) -> NDArray[np.float64]:
    """How much ink each picture has, (5, n)."""
    return (255.0 - result).mean(axis=(2, 3, 4))


def test_the_suite_never_changes_unnoticed() -> None:
    assert len(SUITE) == len(set(NAMES))
    assert all(len(corruption.levels) == STRENGTHS for corruption in SUITE)
    assert VERSION == 1
    assert suite_digest() == "f7ec3735a6389d3a951d6c577c78d3cffdd1beec3c599eb34da44723b0c28673"


@pytest.mark.parametrize("name", NAMES)
def test_a_stronger_corruption_changes_more(eight: SetImages, name: str) -> None:
    result = corrupted(eight, name)
    assert result.shape == (STRENGTHS, 8, 3, SIZE, SIZE)
    changes = change(eight, result)
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0)


@pytest.mark.parametrize("name", NAMES)
def test_batches_order_and_neighbours_change_no_byte(eight: SetImages, name: str) -> None:
    whole = corrupted(eight, name)
    np.testing.assert_array_equal(corrupted(eight, name), whole)
    order = [5, 0, 7, 2, 1, 6, 4, 3]
    np.testing.assert_array_equal(corrupted(eight, name, order), whole[:, order])
    for place in (0, 5):
        np.testing.assert_array_equal(corrupted(eight, name, [place])[:, 0], whole[:, place])


@pytest.mark.parametrize("name", NAMES)
def test_a_gray_picture_in_three_channels_is_the_one_in_one(name: str) -> None:
    pages = [drawing(number) for number in range(2)]
    three, one = corrupted(pictures(pages), name), corrupted(pictures(pages, channels=1), name)
    np.testing.assert_array_equal(three, np.broadcast_to(one, three.shape))


@pytest.mark.parametrize("name", NAMES)
def test_light_on_dark_is_the_mirror_of_dark_on_light(name: str) -> None:
    pages = [drawing(number) for number in range(2)]
    light = corrupted(pictures(pages), name)
    dark = corrupted(pictures([255 - page for page in pages], paper=0), name)
    np.testing.assert_array_equal(dark, 255 - light)


@pytest.mark.parametrize("name", NAMES)
def test_a_coloured_drawing_keeps_its_three_channels(name: str) -> None:
    page = drawing(1)
    pixels = np.stack([np.maximum(page, 180), page, page])[None].repeat(2, axis=0)
    paper = np.full((2, 3), 255, np.uint8)
    of = SetImages(pixels, paper, np.arange(2), ("a", "b"), np.array([1, 0]))
    changes = change(of, corrupted(of, name))
    gray = pictures([page, page], ids=["a", "b"])
    assert 0 < changes[0] < changes[-1]
    result = corrupted(of, name)
    # The page is as coloured as before: its red stays lighter, or in a negative darker, than its blue.
    assert np.abs(result[:, :, 0].astype(int) - result[:, :, 2]).max(axis=(1, 2, 3)).min() > 20
    assert np.any(result != corrupted(gray, name))


@pytest.mark.parametrize(
    "name", [*MOVES, "line_thicker", "line_thinner", "strokes_missing", "faded_ink", "blur"]
)
def test_a_blank_page_stays_blank(name: str) -> None:
    of = pictures([np.full((SIZE, SIZE), 230, np.uint8)] * 2, paper=230)
    assert np.all(corrupted(of, name) == 230)


def test_other_drawings_meet_other_draws(eight: SetImages) -> None:
    same = pictures([drawing(1)] * 12)
    for name in ("strokes_missing", "wobble", "shift", "paper", "inverted", "noise", "occlusion"):
        strongest = corrupted(same, name)[2]
        assert len({picture.tobytes() for picture in strongest}) > 6


def test_thicker_lines_have_more_ink_and_thinner_ones_less_but_some(eight: SetImages) -> None:
    plain = ink(np.asarray(eight.pixels)[None])[0]
    thicker, thinner = ink(corrupted(eight, "line_thicker")), ink(corrupted(eight, "line_thinner"))
    assert np.all(np.diff(np.vstack([plain, thicker]), axis=0) > 0)
    assert np.all(np.diff(np.vstack([plain, thinner]), axis=0) < 0)
    assert np.all(thinner[-1] > 0.1 * plain)


@pytest.mark.parametrize("size", [SIZE, 3 * SIZE])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8])
def test_no_line_vanishes_and_each_strength_leaves_less(size: int, width: int) -> None:
    page = np.full((size, size), 255, np.uint8)
    page[48 : 48 + width, 20:70] = 0
    result = corrupted(pictures([page] * 2), "line_thinner")[:, 0, 0]
    line = 255 - result[:, 48 : 48 + width, 30:60].astype(int)
    assert np.all(line.max(axis=1) >= 255 * 0.25)
    left = line.sum(axis=(1, 2))
    assert left[0] < width * 30 * 255
    assert np.all(np.diff(left) < 0)


def test_missing_strokes_take_their_share_of_the_ink_and_nothing_else(eight: SetImages) -> None:
    plain = ink(np.asarray(eight.pixels)[None])[0]
    result = corrupted(eight, "strokes_missing")
    left = (ink(result) / plain).mean(axis=1)
    levels = np.array(by_name("strokes_missing").levels)
    np.testing.assert_allclose(1 - left, levels, atol=0.04)
    assert np.all(result >= np.asarray(eight.pixels))
    assert np.all(np.diff(result.astype(int), axis=0) >= 0)


def test_a_rotation_turned_back_is_the_drawing(eight: SetImages) -> None:
    result = corrupted(eight, "rotation")
    for strength, degrees in enumerate(by_name("rotation").levels):
        turned, plain = result[strength, 0, 0], np.asarray(eight.pixels)[0, 0]
        middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)
        errors = []
        for sign in (1, -1):
            back = cv2.warpAffine(
                turned, cv2.getRotationMatrix2D(middle, sign * degrees, 1), (SIZE, SIZE), borderValue=255
            )
            errors.append(np.abs(back.astype(int) - plain).mean())
        assert min(errors) < 0.25 * np.abs(turned.astype(int) - plain).mean() or min(errors) < 2
        assert min(errors) < max(errors)


def test_a_shift_moves_the_very_pixels(eight: SetImages) -> None:
    result, plain = corrupted(eight, "shift"), np.asarray(eight.pixels)
    for place in range(8):
        moved, whole = result[1, place, 0], plain[place, 0]
        assert np.sort(moved[moved < 255]).tolist() == np.sort(whole[whole < 255]).tolist()


def test_a_second_drawing_leaves_the_first_complete_within_the_page() -> None:
    first = np.full((SIZE, SIZE), 255, np.uint8)
    cv2.circle(first, (30, 50), 20, 120, 2)
    second = np.full((SIZE, SIZE), 255, np.uint8)
    cv2.rectangle(second, (20, 20), (70, 60), 0, 3)
    ids = [f"{name}-{number}" for number in range(6) for name in ("main", "other")]
    of = pictures([first, second] * 6, ids=ids)
    result = corrupted(of, "second_drawing")[:, ::2, 0]
    main = np.count_nonzero(first == 120)
    for strength in range(STRENGTHS):
        for page in result[strength]:
            assert np.count_nonzero(page == 120) >= main
            assert page.min() < 110
    widths = (result < 110).sum(axis=(2, 3))
    assert np.all(np.diff(widths, axis=0) > 0)


def test_a_drawing_that_fills_its_page_makes_room() -> None:
    first = np.full((SIZE, SIZE), 255, np.uint8)
    cv2.rectangle(first, (1, 1), (SIZE - 2, SIZE - 2), 0, 2)
    of = pictures([first, drawing(1)])
    result = corrupted(of, "second_drawing", [0])[:, 0, 0]
    for page in result:
        dark = page < 200
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        assert rows[0] > 0
        assert columns[-1] < SIZE
        # Both long sides of the frame are still there, each one of them whole.
        assert np.count_nonzero(dark.sum(axis=0) > 0.4 * SIZE) >= 2


def test_the_negative_is_the_whole_page_in_the_end(eight: SetImages) -> None:
    result = corrupted(eight, "inverted")
    np.testing.assert_array_equal(result[-1], 255 - np.asarray(eight.pixels))
    share = (result == 255 - np.asarray(eight.pixels)).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(share, by_name("inverted").levels, atol=0.02)


def test_a_patch_covers_ink(eight: SetImages) -> None:
    covered = corrupted(eight, "occlusion") == 127
    inked = np.asarray(eight.pixels) < 200
    assert np.all((covered & inked).any(axis=(2, 3, 4)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("jpeg", "noise", "low_resolution")])
def test_a_strength_means_the_same_at_another_size(name: str) -> None:
    small, large = (pictures([drawing(number, size) for number in range(4)]) for size in (128, 256))
    changes = [change(of, corrupted(of, name)) for of in (small, large)]
    np.testing.assert_allclose(changes[1][2:], changes[0][2:], rtol=0.35)


def test_the_suite_uses_nothing_of_the_augmentations() -> None:
    package = import_module("dessin.trust.robustness")
    sources = [path.read_text() for path in Path(package.__path__[0]).glob("*.py")]
    assert len(sources) > 5
    assert not any(
        "import" in line and "dessin.augmentation" in line for text in sources for line in text.splitlines()
    )
