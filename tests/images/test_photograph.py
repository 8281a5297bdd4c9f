"""The page in photographs that this file takes itself, so that the corners are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dessin.images.photograph import find_sheet, flattened, on_paper

CORNERS = ((150, 90), (520, 120), (490, 400), (110, 370))  # clockwise from the top left


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


def photograph(
    page: np.ndarray,
    corners: tuple[tuple[float, float], ...] = CORNERS,
    *,
    size: tuple[int, int] = (640, 480),
    desk: tuple[int, int, int] = (112, 78, 50),
    lamp: tuple[float, float, float] = (0.95, 0.92, 0.85),
    shadow: float = 0.0,
    grain: float = 2.0,
    seed: int = 0,
) -> np.ndarray:
    """The page lying on a wooden desk under one lamp, (H, W, 3) uint8."""
    width, height = size
    rng = np.random.default_rng(seed)
    wood = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), sigmaX=25, sigmaY=1.2)
    scene = np.array(desk) + 8 * (wood / wood.std())[..., None]
    own = np.array(
        [[0, 0], [page.shape[1], 0], [page.shape[1], page.shape[0]], [0, page.shape[0]]], np.float32
    )
    way = cv2.getPerspectiveTransform(own, np.array(corners, np.float32))
    laid = cv2.warpPerspective(page.astype(np.float32), way, size, flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.ones(page.shape[:2], np.float32), way, size)[..., None]
    scene = laid * cover + scene * (1 - cover)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    light = 1.0 - 0.3 * np.hypot(x - 0.3, y - 0.2)
    light -= shadow * cv2.GaussianBlur((x + 0.4 * y > 0.8).astype(np.float64), (0, 0), 9)
    scene = scene * light[..., None] * np.array(lamp)
    return np.clip(scene + rng.normal(0, grain, scene.shape), 0, 255).astype(np.uint8)


def test_corners_of_a_sheet_on_a_desk() -> None:
    sheet = find_sheet(photograph(drawn()))
    assert sheet.found
    assert sheet.photograph
    assert np.abs(sheet.corners - np.array(CORNERS)).max() <= 6


def test_the_page_is_white_and_its_pens_keep_their_colours() -> None:
    pixels = photograph(drawn(), shadow=0.3)
    page = flattened(pixels, find_sheet(pixels))
    assert np.median(page) == 255
    darkest = page[page.max(axis=-1) - page.min(axis=-1) > 60].astype(int)
    assert (darkest[:, 2] > darkest[:, 0] + 40).sum() > 200  # blue
    assert (darkest[:, 0] > darkest[:, 2] + 40).sum() > 200  # red


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
