"""The page in photographs that this file takes itself, so that the corners are known."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from dessin.doodles.drawing import draw_doodle
from dessin.images.decode import decode
from dessin.images.evenly import evened
from dessin.images.photograph import around_drawing, find_sheet, flattened, on_paper

Quad = tuple[tuple[float, float], ...]

CORNERS: Quad = ((150, 90), (520, 120), (490, 400), (110, 370))  # clockwise from the top left
PLACES: tuple[Quad, ...] = (
    CORNERS,
    ((60, 40), (580, 30), (600, 440), (40, 450)),
    ((230, 60), (540, 170), (430, 430), (120, 320)),
    ((200, 60), (440, 60), (520, 430), (120, 430)),
)


def drawn(width: int = 640, height: int = 480, paper: int = 255) -> np.ndarray:
    """A drawing on even paper: a blue cup and a red saucer."""
    page = np.full((height, width, 3), paper, dtype=np.uint8)
    pen = max(2, height // 120)
    cv2.rectangle(page, (width // 3, height // 4), (2 * width // 3, 2 * height // 3), (30, 40, 160), pen)
    cv2.ellipse(
        page, (2 * width // 3, height * 9 // 20), (width // 10, height // 8), 0, -90, 90, (30, 40, 160), pen
    )
    cv2.ellipse(
        page, (width // 2, 3 * height // 4), (width // 4, height // 14), 0, 0, 360, (170, 30, 40), pen
    )
    return page


def ruled(page: np.ndarray, step: int = 24) -> np.ndarray:
    """The page squared in pale blue."""
    page = page.copy()
    page[::step] = np.minimum(page[::step], (190, 205, 230))
    page[:, ::step] = np.minimum(page[:, ::step], (190, 205, 230))
    return page


def desk(size: tuple[int, int], colour: tuple[int, int, int], seed: int) -> np.ndarray:
    """Wood, with its grain, (H, W, 3) float64."""
    grain = cv2.GaussianBlur(
        np.random.default_rng([seed, 1]).normal(0, 1, size[::-1]), (0, 0), sigmaX=25, sigmaY=1.2
    )
    return np.array(colour) + 8 * (grain / grain.std())[..., None]


def photograph(
    *sheets: tuple[np.ndarray, Quad],
    size: tuple[int, int] = (640, 480),
    colour: tuple[int, int, int] = (112, 78, 50),
    lamp: tuple[float, float, float] = (0.95, 0.92, 0.85),
    shadow: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Sheets lying on a desk under one lamp, (H, W, 3) uint8."""
    width, height = size
    scene = desk(size, colour, seed)
    for page, corners in sheets:
        right, bottom = page.shape[1], page.shape[0]
        own = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float32)
        way = cv2.getPerspectiveTransform(own, np.array(corners, np.float32))
        laid = cv2.warpPerspective(page.astype(np.float32), way, size, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.warpPerspective(np.ones(page.shape[:2], np.float32), way, size)[..., None]
        scene = laid * cover + scene * (1 - cover)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    light = 1.0 - 0.3 * np.hypot(x - 0.3, y - 0.2)
    light -= shadow * cv2.GaussianBlur((x + 0.4 * y > 0.8).astype(np.float64), (0, 0), width / 70)
    noise = np.random.default_rng([seed, 2]).normal(0, 2, scene.shape)
    return np.clip(scene * light[..., None] * np.array(lamp) + noise, 0, 255).astype(np.uint8)


def close_up(page: np.ndarray, **light: object) -> np.ndarray:
    """The page fills the picture."""
    height, width = page.shape[:2]
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    return photograph((page, corners), size=(width, height), **light)  # type: ignore[arg-type]


def scanned(drawing: np.ndarray, seed: int = 0) -> np.ndarray:
    """With the noise of a scanner."""
    noise = np.random.default_rng(seed).normal(0, 2, drawing.shape)
    return np.clip(drawing * 0.97 + noise, 0, 255).astype(np.uint8)


def away(found: np.ndarray, corners: object) -> float:
    """The farthest corner's distance in pixels."""
    return float(np.hypot(*(found - np.array(corners)).T).max())


@pytest.mark.parametrize("corners", PLACES)
@pytest.mark.parametrize("shadow", [0.0, 0.35])
@pytest.mark.parametrize("lined", [False, True])
def test_the_corners_of_a_sheet_on_a_desk(corners: Quad, shadow: float, lined: bool) -> None:
    page = ruled(drawn()) if lined else drawn()
    sheet = find_sheet(photograph((page, corners), shadow=shadow))
    assert sheet.found
    assert sheet.photograph
    assert sheet.confidence > 0.5
    assert away(sheet.corners, corners) <= 8  # of 800, the diagonal


@pytest.mark.parametrize("colour", [(30, 30, 34), (60, 90, 60), (150, 170, 190), (120, 40, 40)])
@pytest.mark.parametrize("paper", [(255, 255, 255), (250, 240, 215)])
def test_desks_and_papers_of_many_colours(colour: tuple[int, int, int], paper: tuple[int, int, int]) -> None:
    page = np.minimum(drawn(), np.array(paper, np.uint8))
    assert away(find_sheet(photograph((page, CORNERS), colour=colour)).corners, CORNERS) <= 8


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_photograph_turns_the_answer(turns: int) -> None:
    pixels = photograph((drawn(), CORNERS), shadow=0.3)
    turned = find_sheet(np.ascontiguousarray(np.rot90(pixels, -turns)))  # clockwise
    corners = find_sheet(pixels).corners
    height, width = pixels.shape[:2]
    for _ in range(turns):
        corners = np.stack([height - corners[:, 1], corners[:, 0]], axis=1)
        height, width = width, height
    assert min(away(np.roll(turned.corners, k, axis=0), corners) for k in range(4)) <= 4


@pytest.mark.parametrize("factor", [0.6, 2.5])
def test_a_larger_photograph_has_its_corners_farther_out(factor: float) -> None:
    pixels = photograph((drawn(), CORNERS))
    scaled = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert away(find_sheet(scaled).corners / factor, CORNERS) <= 8


def test_another_lamp_gives_nearly_the_same_page() -> None:
    pages = []
    for lamp, shadow in (((0.95, 0.92, 0.85), 0.0), ((0.75, 0.8, 0.9), 0.35)):
        page = on_paper(photograph((drawn(), CORNERS), lamp=lamp, shadow=shadow))
        pages.append(
            cv2.GaussianBlur(cv2.resize(page, (200, 150), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
        )
    assert np.abs(pages[0].astype(int) - pages[1]).mean() < 3


def test_the_page_is_white_and_its_pens_keep_their_colours() -> None:
    pixels = photograph((drawn(), CORNERS), shadow=0.3)
    page = flattened(pixels, find_sheet(pixels))
    assert (page.min(axis=-1) >= 240).mean() > 0.85
    coloured = page[page.max(axis=-1).astype(int) - page.min(axis=-1) > 60].astype(int)
    assert (coloured[:, 2] > coloured[:, 0] + 40).sum() > 200  # blue
    assert (coloured[:, 0] > coloured[:, 2] + 40).sum() > 200  # red
    rim = np.concatenate([page[:3].reshape(-1, 3), page[-3:].reshape(-1, 3), page[:, :3].reshape(-1, 3)])
    assert (rim.min(axis=-1) > 200).mean() > 0.97  # nothing of the desk


def test_the_page_shows_the_drawing_as_it_was() -> None:
    pixels = photograph((drawn(), PLACES[1]), shadow=0.2)
    page = flattened(pixels, find_sheet(pixels))
    there = cv2.resize(page, (128, 96), interpolation=cv2.INTER_AREA).min(axis=-1) < 215
    drawing = cv2.resize(drawn(), (128, 96), interpolation=cv2.INTER_AREA).min(axis=-1) < 215
    near = cv2.dilate(there.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert near[drawing].mean() > 0.97
    near = cv2.dilate(drawing.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert near[there].mean() > 0.97


def on_a_larger_sheet(factor: float) -> np.ndarray:
    """The drawing on a sheet larger by a factor, below the middle and to the right."""
    drawing = drawn()
    height, width = drawing.shape[:2]
    sheet = np.full((round(factor * height), round(factor * width), 3), 255, np.uint8)
    top, left = (
        round(0.8 * (large - small)) for large, small in zip(sheet.shape, (height, width), strict=False)
    )
    sheet[top : top + height, left : left + width] = drawing
    return sheet


def test_a_drawing_is_seen_as_large_whatever_the_size_of_its_sheet() -> None:
    seen = []
    for factor in (1.0, 1.5, 2.2):
        pixels = photograph((on_a_larger_sheet(factor), PLACES[1]), shadow=0.2)
        page = on_paper(pixels)
        ink = page.min(axis=-1) < 150
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        seen.append((np.ptp(columns) + 1) / page.shape[1])
        # A quarter is left free around it, where the sheet has so much.
        assert min(rows[0], page.shape[0] - rows[-1]) > 0.15 * np.ptp(columns)
        whole = flattened(pixels, find_sheet(pixels)).min(axis=-1) < 150
        assert ink.sum() == whole.sum()
    assert max(seen) < 1.25 * min(seen)


def test_a_dot_is_not_enlarged_to_fill_the_picture_and_a_blank_sheet_is_left() -> None:
    blank = np.full((480, 640, 3), 255, np.uint8)
    pixels = photograph((blank, PLACES[1]))
    sheet = find_sheet(pixels)
    page = flattened(pixels, sheet)
    assert around_drawing(page, sheet) is page
    dot = cv2.circle(blank.copy(), (320, 240), 8, (20, 20, 20), -1)
    assert 0.2 < max(on_paper(photograph((dot, PLACES[1]))).shape) / max(page.shape) < 0.5


def test_a_wide_patch_of_colour_is_drawn_too() -> None:
    page = drawn()
    cv2.circle(page, (540, 90), 60, (240, 190, 40), -1)  # a sun, of no strokes
    seen = on_paper(photograph((page, PLACES[1])))
    yellow = (seen[..., 0] > 180) & (seen[..., 2] < 110)
    rows, columns = np.flatnonzero(yellow.any(axis=1)), np.flatnonzero(yellow.any(axis=0))
    assert 0.8 < np.ptp(rows) / np.ptp(columns) < 1.3


def test_the_edge_of_a_shadow_leaves_no_line() -> None:
    page = np.full((480, 640, 3), 235.0)
    page[:, 300:] *= 0.55
    soft = cv2.GaussianBlur(page, (0, 0), 4)
    assert evened(soft.astype(np.uint8)).min() > 235


def test_a_sheet_cut_by_the_frame_is_cut_there() -> None:
    sheet = find_sheet(photograph((drawn(), ((120, 60), (900, 40), (900, 440), (100, 430)))))
    assert sheet.found
    assert "cut" in sheet.reason
    assert away(sheet.corners, ((120, 60), (640, 47), (640, 436), (100, 430))) <= 8


def test_a_cloth_or_a_drawing_with_more_straight_edges_than_the_sheet_hides_it_not() -> None:
    y, x = np.mgrid[0:480, 0:640]
    chequers = np.where(((x + y) // 40 + (x - y) // 40) % 2, 70, 30)[..., None] + np.array([4, 0, 16])
    hatched = drawn()
    for begin in range(-400, 640, 24):
        cv2.line(hatched, (begin, 40), (begin + 400, 440), (40, 40, 40), 5)
    for page, on_cloth in ((drawn(), True), (hatched, False)):
        pixels = photograph((page, PLACES[0]), colour=(30, 28, 30))
        beside = cv2.fillConvexPoly(np.ones((480, 640), np.uint8), np.array(PLACES[0], np.int32), 0) > 0
        if on_cloth:
            pixels[beside] = (chequers + np.random.default_rng(3).normal(0, 2, (480, 640, 1)))[beside]
        sheet = find_sheet(pixels)
        assert sheet.found
        assert away(sheet.corners, PLACES[0]) <= 8


def test_the_edge_of_a_shadow_is_no_border_where_ruling_goes_on() -> None:
    page = ruled(drawn(900, 675), step=20)
    pixels = photograph((page, ((-40, -30), (580, -30), (590, 520), (-40, 520))))
    x, y = np.meshgrid(np.arange(640), np.arange(480))
    shaded = (pixels * (1 - 0.45 * (y > 330 + 0.15 * x))[..., None]).astype(np.uint8)
    for seen in (pixels, shaded):
        sheet = find_sheet(seen)
        assert sheet.found
        assert away(sheet.corners, ((0, 0), (581, 0), (589, 480), (0, 480))) <= 14


@pytest.mark.parametrize("corners", [PLACES[3], ((60, -20), (560, -20), (580, 380), (40, 370))])
def test_a_squared_sheet_on_a_white_table_is_found_where_its_squares_end(corners: Quad) -> None:
    table = (
        np.full((480, 640, 3), (243, 240, 232), np.uint8),
        ((-20, -20), (660, -20), (660, 440), (-20, 420)),
    )
    sheet = find_sheet(photograph(table, (ruled(drawn(900, 675), step=20), corners)))
    assert sheet.found
    assert away(sheet.corners, np.maximum(corners, 0)) <= 8


def test_a_margin_without_squares_is_not_cut_off() -> None:
    page = ruled(drawn(900, 675), step=20)
    page[:, :150] = 255
    for y in range(60, 660, 90):
        cv2.putText(page, "A word", (25, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (30, 40, 160), 2)
    page[:, 150:] -= 12  # its squares look a little darker from afar
    sheet = find_sheet(photograph((page, ((-5, -10), (590, -10), (600, 490), (-5, 490)))))
    assert away(sheet.corners, ((0, 0), (590, 0), (600, 480), (0, 480))) <= 14


def test_two_sheets_on_a_desk_are_left_as_they_are() -> None:
    left = ((40, 60), (290, 70), (280, 420), (30, 410))
    right = ((350, 80), (600, 60), (610, 400), (360, 430))
    pixels = photograph((drawn(360, 480), left), (drawn(360, 480), right))
    sheet = find_sheet(pixels)
    assert (sheet.found, sheet.photograph, sheet.reason) == (False, True, "two sheets")
    assert on_paper(pixels) is pixels


def test_a_blank_sheet_is_found_and_said_to_be_blank() -> None:
    sheet = find_sheet(photograph((np.full((480, 640, 3), 255, np.uint8), CORNERS)))
    assert (sheet.found, sheet.reason) == (True, "a blank sheet")


def test_a_photograph_in_the_dark_is_left_as_it_is() -> None:
    pixels = (photograph((drawn(), CORNERS)) * 0.06).astype(np.uint8)
    sheet = find_sheet(pixels)
    assert not sheet.found
    assert on_paper(pixels) is pixels


def test_a_screen_is_used_whole_or_without_its_surroundings() -> None:
    display = drawn()
    display[::3] = np.clip(display[::3] * 0.85, 0, 255).astype(np.uint8)  # its rows
    bezel = cv2.copyMakeBorder(display, 25, 25, 25, 25, cv2.BORDER_CONSTANT, value=(15, 15, 18))
    pixels = photograph((bezel, CORNERS))
    sheet = find_sheet(pixels)
    if sheet.found:
        inside = cv2.pointPolygonTest
        quad = sheet.corners.astype(np.float32)
        middle = np.array(CORNERS).mean(axis=0)
        drawing = middle + 0.8 * (np.array(CORNERS) - middle)
        assert all(inside(quad, (float(x), float(y)), False) > 0 for x, y in drawing)
    else:
        assert sheet.fills or on_paper(pixels) is pixels


def test_paper_that_fills_the_picture_is_evenly_lit_and_not_cropped() -> None:
    pixels = close_up(drawn(), shadow=0.25)
    sheet = find_sheet(pixels)
    assert (sheet.found, sheet.photograph, sheet.fills) == (False, True, True)
    page = on_paper(pixels)
    assert page.shape == pixels.shape
    assert (page.min(axis=-1) >= 240).mean() > 0.85
    assert (page.min(axis=-1) < 150).mean() > 0.01


def test_ruling_goes_and_the_pen_and_straight_pencil_lines_stay() -> None:
    page = drawn()
    cv2.line(
        page, (60, 60), (60, 420), (120, 120, 125), 2
    )  # straight, along the squares, not as dark as the pen
    cv2.line(page, (100, 456), (560, 456), (120, 120, 125), 2)
    pixels = close_up(ruled(page), shadow=0.2)
    seen = 255.0 - flattened(pixels, find_sheet(pixels)).min(axis=-1)
    before = 255.0 - evened(pixels).min(axis=-1)
    pen = cv2.dilate((page.min(axis=-1) < 200).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert seen[~pen].mean() < 0.1 * before[~pen].mean()
    assert seen[pen].mean() > 0.85 * before[pen].mean()
    assert seen[70:410, 58:63].max(axis=1).mean() > 80
    assert seen[454:459, 110:550].max(axis=0).mean() > 80


def test_a_few_straight_lines_on_plain_paper_are_drawn() -> None:
    page = np.full((480, 640, 3), 255, np.uint8)
    cv2.rectangle(page, (150, 150), (480, 400), (110, 110, 115), 2)  # a house in pencil, its roof in ink
    cv2.polylines(page, [np.array([(150, 150), (315, 40), (480, 150)])], False, (20, 20, 20), 4)
    pixels = close_up(page, shadow=0.2)
    walls = page.min(axis=-1) == 110
    assert (flattened(pixels, find_sheet(pixels)).min(axis=-1)[walls] < 190).mean() > 0.95


def frames() -> dict[str, np.ndarray]:
    """Drawings that nearly fill the picture with something like a sheet."""
    outline, television, board, door, horizon = (np.full((480, 640, 3), 250, np.uint8) for _ in range(5))
    cv2.rectangle(outline, (25, 20), (615, 460), (20, 20, 20), 5)
    cv2.rectangle(television, (20, 20), (620, 460), (60, 60, 60), -1)
    cv2.rectangle(television, (70, 60), (570, 420), (200, 215, 225), -1)
    cv2.rectangle(board, (30, 30), (610, 450), (30, 70, 50), -1)
    cv2.rectangle(door, (180, 10), (460, 470), (120, 70, 30), -1)
    cv2.rectangle(door, (210, 40), (430, 220), (150, 95, 50), 6)
    horizon[300:] = (90, 140, 220)
    envelope = outline.copy()
    cv2.polylines(envelope, [np.array([(25, 20), (320, 260), (615, 20)])], False, (20, 20, 20), 5)
    names = ("outline", "television", "board", "door", "horizon", "envelope")
    return dict(zip(names, (outline, television, board, door, horizon, envelope), strict=True))


@pytest.mark.parametrize("name", sorted(frames()))
def test_a_drawing_of_a_frame_is_no_sheet(name: str) -> None:
    pixels = frames()[name]
    assert on_paper(pixels) is pixels
    assert not find_sheet(pixels).photograph
    scan = scanned(pixels)
    assert on_paper(scan) is scan


@pytest.mark.parametrize("paper", [255, 236, 20])
def test_a_drawing_on_even_ground_is_the_very_same_array(paper: int) -> None:
    pixels = drawn(paper=paper)
    assert on_paper(pixels) is pixels
    assert not find_sheet(pixels).photograph


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3), (2, 2, 3), (31, 40, 3), (33, 4000, 3)]
)
def test_small_and_narrow_pictures_come_out_as_they_are(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert on_paper(pixels) is pixels


@pytest.mark.parametrize("kind", ["black", "white", "noise", "gray", "stripes", "checks"])
def test_no_picture_is_too_odd(kind: str) -> None:
    y, x = np.mgrid[0:300, 0:400]
    pixels = {
        "black": np.zeros((300, 400, 3)),
        "white": np.full((300, 400, 3), 255.0),
        "noise": np.random.default_rng(1).integers(0, 256, (300, 400, 3)),
        "gray": np.full((300, 400, 3), 128.0) + np.random.default_rng(2).normal(0, 3, (300, 400, 1)),
        "stripes": np.repeat(((x // 10) % 2 * 255.0)[..., None], 3, axis=-1),
        "checks": np.repeat(((x // 40 + y // 40) % 2 * 200.0)[..., None], 3, axis=-1),
    }[kind].astype(np.uint8)
    sheet = find_sheet(pixels)
    assert 0 <= sheet.confidence <= 1
    assert sheet.reason
    assert flattened(pixels, sheet).dtype == np.uint8


def test_the_answer_does_not_depend_on_the_array_and_leaves_it_alone() -> None:
    pixels = photograph((drawn(), CORNERS))
    before = pixels.copy()
    pixels.flags.writeable = False
    first, second = find_sheet(pixels), find_sheet(np.asfortranarray(pixels))
    assert (first.corners == second.corners).all()
    assert (on_paper(pixels) == on_paper(np.asfortranarray(pixels))).all()
    assert (pixels == before).all()


def test_callers_side_by_side_get_the_same_pages_and_leave_opencv_on_one_thread() -> None:
    pixels = photograph((drawn(), CORNERS))
    expected = on_paper(pixels)
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(on_paper, [pixels] * 8))
    assert all((page == expected).all() for page in pages)
    assert cv2.getNumThreads() == 1


@pytest.mark.slow
@pytest.mark.parametrize("size", [(4000, 3000), (7200, 5400)])
def test_large_photographs_take_less_than_half_a_second(size: tuple[int, int]) -> None:
    small = photograph((drawn(), CORNERS), shadow=0.3)
    pixels = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    times = []
    for _ in range(3):
        start = time.process_time()
        page = on_paper(pixels)
        times.append(time.process_time() - start)
    assert max(page.shape[:2]) <= 1600
    assert min(times) < 0.5


@pytest.mark.parametrize("side", [40, 240, 800])
@pytest.mark.parametrize("pen", [0.03, 0.075, 0.1])
def test_a_thick_frame_drawn_on_noisy_paper_is_no_sheet(side: int, pen: float) -> None:
    dice = np.random.default_rng([side, round(1000 * pen)])
    page = 245 - dice.integers(0, 22, (side, side))
    width, margin = round(pen * side), round(0.08 * side)
    frame = np.zeros((side, side), dtype=bool)
    frame[margin : side - margin, margin : side - margin] = True
    inside = slice(margin + width, side - margin - width)
    frame[inside, inside] = False
    page[frame] = 0
    pixels = np.repeat(page[..., None], 3, axis=2).astype(np.uint8)
    assert not find_sheet(pixels).found
    assert on_paper(pixels) is pixels


@pytest.mark.parametrize(("label", "number"), [("cat", 19), ("chair", 3)])
def test_paper_that_darkens_to_one_side_has_no_border(label: str, number: int) -> None:
    """Where JPEG makes steps of a smooth light, a step is no border of a sheet."""
    sheet = find_sheet(decode(draw_doodle(label, number, seed=7).data).pixels)
    assert not sheet.photograph
    assert sheet.confidence > 0.3, "these had been seen as sheets, with a confidence just above a half"
