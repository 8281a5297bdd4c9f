"""Luma and CLAHE."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from dessin.images.colour import equalised, to_gray


def faint(channels: int) -> np.ndarray:
    rows, columns = np.mgrid[0:64, 0:64]
    level = 200 + 8 * np.sin(rows / 3.0) + 6 * np.cos(columns / 5.0)
    return np.repeat(level.astype(np.uint8)[..., None], channels, axis=-1)


def test_luma_weighs_green_most_and_keeps_gray() -> None:
    red, green, blue = (to_gray(np.eye(3, dtype=np.uint8)[None, None, i] * 255)[0, 0, 0] for i in range(3))
    assert (red, green, blue) == (76, 150, 29)
    assert (to_gray(faint(3))[..., 0] == faint(1)[..., 0]).all()


def test_clahe_raises_faint_contrast() -> None:
    for channels in (1, 3):
        assert equalised(faint(channels)).std() > 1.5 * faint(channels).std()


def test_clahe_of_a_gray_picture_is_the_same_in_rgb() -> None:
    assert (equalised(faint(3)) == equalised(faint(1))).all()


def test_clahe_changes_luma_and_keeps_the_tint() -> None:
    tinted = faint(3) // np.array([1, 2, 4], dtype=np.uint8)
    before, after = tinted.astype(int), equalised(tinted).astype(int)
    chroma_before = before[..., 0] - before[..., 2]
    chroma_after = after[..., 0] - after[..., 2]
    assert np.abs(chroma_after - chroma_before).max() <= 6
    assert np.abs(after - before).max() > 10


def test_clahe_commutes_with_flips_on_a_drawing() -> None:
    image = Image.new("L", (160, 160), 240)
    pen = ImageDraw.Draw(image)
    pen.line((20, 30, 120, 70), fill=30, width=3)
    pen.ellipse((50, 80, 100, 150), outline=150, width=2)
    drawing = np.array(image)[..., None]
    assert (equalised(drawing) != drawing).any()
    for axis in (0, 1):
        there_and_back = np.flip(equalised(np.flip(drawing, axis).copy()), axis).astype(int)
        assert np.abs(there_and_back - equalised(drawing)).max() <= 2
