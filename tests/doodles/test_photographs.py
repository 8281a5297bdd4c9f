"""Photographs of sheets: the truth that comes with them is true, and the answer key is held against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dessin.collection.checks.base import Issue
from dessin.collection.split.files import Split
from dessin.doodles.check import AnswerKey, check_answers, check_corners, read_answer_key
from dessin.doodles.doodles import generate_doodles
from dessin.doodles.drawing import draw_doodle, photograph_doodle
from dessin.doodles.page import Pixels
from dessin.doodles.photograph import Photograph, photograph
from dessin.doodles.verb import demo
from dessin.errors import DessinError
from dessin.images.decode import decode

NAMES = [f"drawing {number}" for number in range(10)]


def drawing(pen: tuple[int, int, int] = (20, 20, 22)) -> Pixels:
    """A ring with a spot in each quarter but the first, 260 x 200."""
    page = np.full((200, 260, 3), 255, np.uint8)
    cv2.circle(page, (130, 100), 60, pen, 6)
    for place in ((200, 40), (60, 160), (200, 160)):
        cv2.circle(page, place, 12, pen, -1)
    return page


def shots(**options: int) -> list[Photograph]:
    return [photograph(drawing(), seed=3, name=name, side=400, **options) for name in NAMES]


def straightened(shot: Photograph, height: int, width: int) -> Pixels:
    """The sheet as its corners say, and nothing else."""
    corners = shot.corners * shot.pixels.shape[1::-1] - 0.5
    goal = np.array([(0, 0), (width, 0), (width, height), (0, height)]) - 0.5
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), goal.astype(np.float32))
    return np.asarray(cv2.warpPerspective(shot.pixels, matrix, (width, height)), dtype=np.uint8)


def test_a_photograph_is_a_function_of_seed_name_and_take() -> None:
    one = photograph(drawing(), seed=3, name="a")
    photograph(drawing(), seed=3, name="b")
    same = photograph(drawing(), seed=3, name="a")
    assert np.array_equal(one.pixels, same.pixels)
    assert one.jpeg() == same.jpeg()
    for other in (
        photograph(drawing(), seed=4, name="a"),
        photograph(drawing(), seed=3, name="b"),
        photograph(drawing(), seed=3, name="a", take=1),
    ):
        assert other.pixels.shape != one.pixels.shape or not np.array_equal(other.pixels, one.pixels)


def test_the_sheet_lies_within_the_picture_and_the_right_way_round() -> None:
    for shot in shots():
        assert shot.corners.min() > 0
        assert shot.corners.max() < 1
        height, width = shot.pixels.shape[:2]
        assert max(height, width) == 400
        upper_left, upper_right, lower_right, lower_left = shot.corners * (width, height)
        assert upper_left[0] < upper_right[0]
        assert lower_left[0] < lower_right[0]
        assert upper_left[1] < lower_left[1]
        assert upper_right[1] < lower_right[1]
        assert cv2.contourArea((shot.corners * (width, height)).astype(np.float32)) > 0.2 * height * width


def test_within_the_corners_is_paper_and_around_them_is_none() -> None:
    """The truth, seen from the pixels: a thin band on either side of the border of each sheet."""
    for shot in shots():
        band = 4
        sheet = straightened(shot, 400, 400).astype(float)
        grown = replace(shot, corners=_grown(shot.corners, 0.05))
        around = straightened(grown, 400, 400).astype(float)
        inner = np.median(sheet[band : 3 * band, 40:-40], axis=(0, 1))
        outer = np.median(around[band : 2 * band, 40:-40], axis=(0, 1))
        assert np.abs(inner - outer).max() > 20, shot.ruling


def _grown(corners: np.ndarray, share: float) -> np.ndarray:
    middle = corners.mean(axis=0)
    return middle + (corners - middle) * (1 + share)


def test_the_straightened_sheet_shows_the_drawing_the_right_way_round() -> None:
    """The ink's box has a spot in each corner but the upper left one; mirrored, another one is missing."""
    for shot in shots():
        ink = _ink(straightened(shot, 210, 260))
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        high, wide = (side // 6 for side in box.shape)
        corners = [box[:high, :wide], box[:high, -wide:], box[-high:, :wide], box[-high:, -wide:]]
        full = [float(corner.mean()) > 0.3 for corner in corners]
        assert full == [False, True, True, True], shot.corners


def _ink(sheet: Pixels) -> np.ndarray:
    """Where a sheet is less than half as light as the paper around, within a border of a few pixels."""
    gray = sheet[4:-4, 4:-4].max(axis=2).astype(np.float32)
    around = cv2.GaussianBlur(cv2.dilate(gray, np.ones((31, 31))), (0, 0), 12)
    return np.asarray(gray < 0.5 * around)


def test_the_pen_keeps_its_colour_in_any_light() -> None:
    for name in NAMES[:6]:
        for pen, channel in (((160, 30, 30), 0), ((30, 50, 170), 2)):
            shot = photograph(drawing(pen), seed=1, name=name, side=320)
            sheet = straightened(shot, 150, 150)[4:-4, 4:-4].astype(float)
            # The ink of a black pen on the same sheet in the same light is at the same places.
            ink = _ink(straightened(photograph(drawing(), seed=1, name=name, side=320), 150, 150))
            assert ink.sum() > 100
            mean = np.median(sheet[ink] / np.array(shot.lamp), axis=0)
            assert int(np.argmax(mean)) == channel


def test_a_drawing_that_is_light_on_dark_is_a_dark_sheet() -> None:
    shot = photograph(255 - drawing(), seed=0, name="chalk")
    assert np.median(straightened(shot, 200, 200)) < 60
    assert shot.ruling == "plain"


def test_a_second_take_is_the_same_sheet_elsewhere() -> None:
    for first, second in zip(shots(), shots(take=1), strict=True):
        assert first.ruling == second.ruling
        assert np.abs(first.corners - second.corners).max() > 0.01
        assert first.lamp != second.lamp


def test_all_rulings_and_turns_occur_and_the_file_is_read_upright() -> None:
    many = [photograph(drawing(), seed=5, name=f"{n}", side=320) for n in range(40)]
    assert {shot.ruling for shot in many} == {"plain", "ruled", "squared"}
    assert {shot.turn for shot in many} == {0, 1, 2, 3}
    for shot in many[:12]:
        read = decode(shot.jpeg()).pixels
        assert read.shape == shot.pixels.shape
        assert np.abs(read.astype(int) - shot.pixels).mean() < 6


def test_the_corners_turn_with_the_picture() -> None:
    shot = shots()[0]
    turned = shot.turned()
    assert np.array_equal(turned.pixels, np.rot90(shot.pixels))
    assert np.array_equal(decode(turned.jpeg()).pixels.shape, turned.pixels.shape)
    expected = np.rot90(straightened(shot, 200, 300))
    assert np.abs(straightened(turned, 300, 200).astype(int) - expected).mean() < 2


@pytest.mark.parametrize("size", [(200, 200), (90, 1200), (1200, 90), (8, 8)])
def test_any_shape_of_drawing_can_be_photographed(size: tuple[int, int]) -> None:
    shot = photograph(np.full((*size, 3), 240, np.uint8), seed=0, name="odd", side=400)
    assert max(shot.pixels.shape) == 400
    assert shot.corners.min() > 0


@pytest.fixture(scope="module")
def doodles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AnswerKey]:
    out = tmp_path_factory.mktemp("photographed")
    return out, generate_doodles(out, classes=12, per_class=12, seed=3, photographs=0.1)


@pytest.mark.slow
def test_the_key_names_the_photographs(doodles: tuple[Path, AnswerKey]) -> None:
    out, key = doodles
    again = [fault for fault in key.faults if "photographed again" in fault.what]
    assert len(again) == 4
    named = {photograph.image_id for photograph in key.photographs}
    assert 8 <= len(named) - len(again) <= 24
    assert {fault.image_id for fault in again} | {fault.other_id for fault in again} <= named
    assert not any(int(image_id[-7:-4]) <= 9 for image_id in named)
    for planted in key.photographs:
        with Image.open(out / "drawings" / planted.image_id) as image:
            assert image.format == "JPEG"
            assert image.getexif().get(0x0112) == {0: 1, 1: 6, 2: 3, 3: 8}[planted.turn]
    assert read_answer_key(out / "answer_key.json") == key


@pytest.mark.slow
def test_other_drawings_are_as_without_photographs(doodles: tuple[Path, AnswerKey]) -> None:
    out, key = doodles
    named = {photograph.image_id.rpartition(".")[0] for photograph in key.photographs}
    others = [
        (label, n) for label in key.classes for n in (1, 11, 12) if f"{label}/{label}_{n:03d}" not in named
    ]
    assert len(others) > 15
    for label, number in others:
        doodle = draw_doodle(label, number, seed=3)
        assert (out / "drawings" / doodle.image_id).read_bytes() == doodle.data


@pytest.mark.slow
def test_the_check_counts_what_was_named_and_found(doodles: tuple[Path, AnswerKey]) -> None:
    out, key = doodles
    count = len(key.photographs)
    issues = tuple(Issue(each.image_id, "photograph", 1.0) for each in key.photographs)
    split = Split(0, 3, 0.2, "", "", "", (), ())

    def named(said: tuple[Issue, ...]) -> tuple[bool, str]:
        last = check_answers(key, said, split)[-1]
        return last.found, last.said

    assert named(issues) == (True, f"{count} of {count}")
    assert named(issues[: count // 2]) == (False, f"{count // 2} of {count}")
    wrong = Issue("bird/bird_001.png", "photograph", 1.0)
    assert named((*issues, wrong)) == (False, f"{count} of {count}, and 1 drawings that are none")

    few = key.photographs[:5]
    (found,) = check_corners(key.model_copy(update={"photographs": few}), out / "drawings")
    assert found.found
    moved = tuple(
        each.model_copy(update={"corners": tuple((x + 0.03, y) for x, y in each.corners)}) for each in few
    )
    (lost,) = check_corners(key.model_copy(update={"photographs": moved}), out / "drawings")
    assert not lost.found
    assert lost.said == "0 of 5"


@pytest.mark.slow
def test_a_demo_goes_on_with_the_photographs_that_it_began_with(tmp_path: Path) -> None:
    generate_doodles(tmp_path / "out", classes=12, per_class=10, seed=0)
    assert "photograph" not in (tmp_path / "out/answer_key.json").read_text()
    with pytest.raises(DessinError, match=r"photographs \(was 0\.0, is 0\.2\)"):
        demo(out=tmp_path / "out", classes=12, per_class=10, photographs=0.2)


def test_no_share_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="0 to 1"):
        generate_doodles(tmp_path / "out", photographs=1.5)


def test_a_photographed_doodle_shows_that_doodle() -> None:
    shot = photograph_doodle("house", 12, seed=3)
    assert shot.image_id == "house/house_012.jpg"
    pixels = decode(draw_doodle("house", 12, seed=3).data).pixels
    assert shot.data == photograph(pixels, seed=3, name="house 12").jpeg()
