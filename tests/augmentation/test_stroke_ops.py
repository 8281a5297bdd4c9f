from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from dessin.augmentation.apply import pixel_function

SIDE = 96


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def lines(width: int, *, channels: int = 3) -> Tensor:
    """A slanted line and a circle of one pen, black on white, (1, C, S, S)."""
    page = np.full((SIDE, SIDE), 255, np.uint8)
    cv2.line(page, (10, 14), (84, 70), 0, width, cv2.LINE_AA)
    cv2.circle(page, (50, 48), 34, 0, width, cv2.LINE_AA)
    return torch.from_numpy(page).float().expand(1, channels, SIDE, SIDE).contiguous()


def apply(name: str, values: tuple[float, ...], pixels: Tensor, paper: float = 255.0) -> Tensor:
    count, channels = pixels.shape[:2]
    rows = torch.tensor([values] * count, dtype=torch.float32)
    background = torch.full((count, channels), paper)
    return pixel_function(name)(pixels, background, rows, torch.arange(count) + 1)[0]


def ink(pixels: Tensor, paper: float = 255.0) -> float:
    return float((pixels - paper).abs().sum())


@pytest.mark.parametrize("width", [1, 2, 4, 6])
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 1.5])
def test_ink_changes_by_the_factor_for_any_pen(width: int, factor: float) -> None:
    drawn = lines(width)
    assert ink(apply("thickness", (factor,), drawn)) / ink(drawn) == pytest.approx(factor, rel=0.04)


def test_chalk_on_black_is_the_negative_of_ink_on_white() -> None:
    drawn = lines(3)
    for factor in (0.7, 1.4):
        chalk = apply("thickness", (factor,), 255 - drawn, paper=0.0)
        torch.testing.assert_close(255 - chalk, apply("thickness", (factor,), drawn), rtol=0, atol=1.01)


def test_gray_and_rgb_come_out_alike() -> None:
    torch.testing.assert_close(
        apply("thickness", (1.3,), lines(3, channels=1)).expand(1, 3, SIDE, SIDE),
        apply("thickness", (1.3,), lines(3)),
    )


def test_a_thicker_pen_covers_all_that_it_covered_before() -> None:
    drawn = lines(3)
    thin, thick = apply("thickness", (0.7,), drawn), apply("thickness", (1.6,), drawn)
    assert (thick <= drawn + 0.01).all()
    assert (drawn <= thin + 0.01).all()
    turned = apply("thickness", (1.6,), drawn.rot90(1, (2, 3)))
    torch.testing.assert_close(turned, thick.rot90(1, (2, 3)), rtol=0, atol=0.01)


def test_the_factor_is_monotone() -> None:
    drawn = lines(4)
    amounts = [ink(apply("thickness", (factor,), drawn)) for factor in np.linspace(0.5, 2, 16)]
    assert all(second > first for first, second in pairwise(amounts))


def test_a_thin_line_beside_a_broad_one_stays_visible() -> None:
    page = torch.full((1, 3, SIDE, SIDE), 255.0)
    page[..., 10:30, :] = 0.0
    page[..., 60, :] = 0.0
    got = apply("thickness", (0.85,), page)
    assert ink(got) < 0.95 * ink(page)
    assert ink(got[..., 50:70, :]) >= 0.49 * ink(page[..., 50:70, :])


def test_a_broad_area_grows_by_three_pixels_at_most() -> None:
    page = torch.full((1, 3, SIDE, SIDE), 255.0)
    page[..., 30:60, 30:60] = 0.0
    got = apply("thickness", (2.0,), page) < 255
    assert got[0, 0].sum() == 36**2


def test_noise_of_the_paper_is_no_ink() -> None:
    clean = lines(3)
    grain = torch.randint(-8, 9, clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = (clean + grain).clamp(0, 255)
    got = apply("thickness", (1.4,), noisy, paper=252.0)
    dark, was = (got < 128).float().mean(), (clean < 128).float().mean()
    assert dark / was > 1.2
    assert (got - noisy)[clean == 255].abs().median() < 8


def test_images_of_one_batch_get_each_their_own_factor() -> None:
    drawn = torch.cat([lines(2), lines(5), 255 - lines(3)])
    background = torch.tensor([255.0, 255.0, 0.0])[:, None].expand(3, 3)
    factors = torch.tensor([[1.5], [0.7], [1.2]])
    got, _ = pixel_function("thickness")(drawn, background, factors, torch.zeros(3, dtype=torch.int64))
    paper = background[:, :, None, None]
    ratios = (got - paper).abs().sum((1, 2, 3)) / (drawn - paper).abs().sum((1, 2, 3))
    torch.testing.assert_close(ratios, factors[:, 0], rtol=0.04, atol=0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_stroke_dropout_covers_its_share_with_paper(share: float) -> None:
    inked = torch.zeros(8, 3, SIDE, SIDE)
    covered = (apply("stroke_dropout", (share,), inked) / 255).mean((1, 2, 3))
    torch.testing.assert_close(covered, torch.full((8,), share), rtol=0, atol=0.06)


def test_stroke_dropout_keeps_paper_and_whole_pieces_of_the_drawing() -> None:
    drawn = lines(3)
    got = apply("stroke_dropout", (0.4,), drawn)
    blank = torch.full_like(drawn, 255.0)
    torch.testing.assert_close(apply("stroke_dropout", (0.4,), blank), blank)
    # Most of the ink is either as it was or gone: blobs have edges of a few pixels only.
    dark = drawn < 64
    kept, gone = (got == drawn)[dark].float().mean(), (got == 255)[dark].float().mean()
    assert kept > 0.3
    assert gone > 0.1
    assert kept + gone > 0.8


def test_ink_fades_by_the_factor_and_unevenly_if_asked() -> None:
    drawn = lines(3)
    even = apply("ink_fade", (0.6, 0.0), drawn)
    torch.testing.assert_close(255 - even, 0.6 * (255 - drawn), rtol=0, atol=0.01)
    uneven = apply("ink_fade", (0.6, 0.8), drawn)
    contrast = (255 - uneven)[drawn < 1] / 255
    assert contrast.max() - contrast.min() > 0.3
    assert contrast.max() <= 1
    assert (uneven[drawn == 255] == 255).all()


def test_paper_takes_a_tone_and_ink_stays() -> None:
    drawn = lines(3)
    got = apply("paper_tone", (-10, -20, -50, 0, 0), drawn)
    torch.testing.assert_close(got[0, :, 0, 0], torch.tensor([245.0, 235.0, 205.0]))
    assert (got[drawn == 0] < 1).all()
    # White paper cannot become lighter, so a positive shift darkens it as well.
    torch.testing.assert_close(apply("paper_tone", (10, 20, 50, 0, 0), drawn), got)
    slope = apply("paper_tone", (-40, -40, -40, 10, 0), drawn)[0, 0, 2]
    assert slope[-1] - slope[0] == pytest.approx(20, abs=0.5)
    chalk = apply("paper_tone", (30, 20, 10, 0, 0), 255 - drawn, paper=0.0)
    torch.testing.assert_close(chalk[0, :, 0, 0], torch.tensor([30.0, 20.0, 10.0]))
    assert (chalk[drawn == 0] > 254).all()
