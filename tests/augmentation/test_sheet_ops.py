from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from dessin.augmentation.apply import pixel_function
from dessin.augmentation.ops import OPS

SIDE = 96


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def blank(channels: int = 3, count: int = 1) -> Tensor:
    return torch.full((count, channels, SIDE, SIDE), 255.0)


def drawing() -> Tensor:
    """A line and a circle, black on white, (1, 3, S, S)."""
    page = np.full((SIDE, SIDE), 255, np.uint8)
    cv2.line(page, (10, 14), (84, 70), 0, 3, cv2.LINE_AA)
    cv2.circle(page, (50, 48), 34, 0, 3, cv2.LINE_AA)
    return torch.from_numpy(page).float().expand(1, 3, SIDE, SIDE).contiguous()


def apply(
    name: str, values: tuple[float, ...], pixels: Tensor, ground: float = 255.0
) -> tuple[Tensor, Tensor]:
    count, channels = pixels.shape[:2]
    rows = torch.tensor([values] * count, dtype=torch.float32)
    background = torch.full((count, channels), ground)
    return pixel_function(name)(pixels, background, rows, torch.arange(count) + 1)


@pytest.mark.parametrize(
    ("name", "values"),
    [("paper", (0.3, 0.3, 0.4, 0.2)), ("ruling", (0.5, 0.3, 0.2, 0.1, 0.1, 0.2, 0.7, 1))],
)
def test_chalk_on_black_is_the_negative_of_ink_on_white(name: str, values: tuple[float, ...]) -> None:
    ink, paper = apply(name, values, drawing())
    chalk, board = apply(name, values, 255 - drawing(), ground=0.0)
    torch.testing.assert_close(255 - chalk, ink, rtol=0, atol=1e-3)
    torch.testing.assert_close(255 - board, paper, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["paper", "ruling", "shadow"])
def test_ink_stays_black_and_nothing_becomes_lighter(name: str) -> None:
    strongest = OPS[name].draw(np.full((1, OPS[name].columns), 0.99), 0.8)[0]
    got, _ = apply(name, tuple(strongest), drawing())
    assert (got <= drawing() + 1e-3).all()
    assert (got[drawing() == 0] == 0).all()


def test_paper_loses_its_share_of_each_colour_and_is_as_rough_as_asked() -> None:
    even, background = apply("paper", (0.1, 0.2, 0.4, 0.0), blank())
    colour = torch.tensor([229.5, 204.0, 153.0])
    torch.testing.assert_close(even, colour[None, :, None, None].expand_as(even))
    torch.testing.assert_close(background[0], colour)
    spreads = []
    for roughness in (0.05, 0.1, 0.2):
        rough, ground = apply("paper", (0.3, 0.3, 0.3, roughness), blank(count=32))
        assert float(rough.mean()) == pytest.approx(0.7 * 255, rel=0.02)
        torch.testing.assert_close(ground, torch.full((32, 3), 0.7 * 255))
        spreads.append(float(rough.std()))
    assert spreads[1] / spreads[0] == pytest.approx(2, rel=0.05)
    assert spreads[2] / spreads[1] == pytest.approx(2, rel=0.05)


def test_two_sheets_have_different_fibres() -> None:
    rough, _ = apply("paper", (0.3, 0.3, 0.3, 0.2), blank(count=2))
    assert (rough[0] - rough[1]).abs().mean() > 2


@pytest.mark.parametrize("space", [6, 8, 12])
def test_ruled_lines_are_as_far_apart_as_asked(space: int) -> None:
    lines, background = apply("ruling", (0.6, 0.6, 0.6, space / SIDE, 0.0, 0.25, 0.0, 0), blank())
    assert (lines.amax(3) - lines.amin(3)).max() < 1e-3  # each row is of one tone
    dark = (lines[0, 0, :, 0] < lines[0, 0, :, 0].mean()).numpy()
    starts = np.flatnonzero(dark[1:] & ~dark[:-1])
    assert set(np.diff(starts)) == {space}
    assert torch.equal(background, torch.full((1, 3), 255.0))


def test_a_turned_ruling_is_the_ruling_turned() -> None:
    values = (0.5, 0.5, 0.5, 0.125)
    lines, _ = apply("ruling", (*values, 0.0, 0.5, 0.0, 0), blank())
    turned, _ = apply("ruling", (*values, np.pi / 2, 0.5, 0.0, 0), blank())
    # Lines across become lines down, counted from the other side.
    torch.testing.assert_close(turned, lines.mT.flip(3), rtol=0, atol=0.05)


def test_squares_are_both_rulings_at_once() -> None:
    values = (0.5, 0.4, 0.3, 0.125, 0.0, 0.3, 0.3)
    ruled, _ = apply("ruling", (*values, 0), blank())
    squared, _ = apply("ruling", (*values, 1), blank())
    torch.testing.assert_close(squared, torch.minimum(ruled, ruled.mT))


def test_a_gray_sheet_has_the_mean_of_the_colours() -> None:
    gray, _ = apply("paper", (0.1, 0.2, 0.3, 0.0), blank(channels=1))
    torch.testing.assert_close(gray, torch.full_like(gray, 0.8 * 255))


@pytest.mark.parametrize(("x", "y"), [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.6, -0.8)])
def test_a_shadow_lies_on_the_side_that_it_comes_from(x: float, y: float) -> None:
    got, background = apply("shadow", (x, y, 0.0, 0.2, 0.4, 0.0), blank(count=4))
    place = torch.linspace(-1, 1, SIDE)
    along = x * place[None, :] + y * place[:, None]
    far_in, far_out = got[:, :, along > 0.7], got[:, :, along < -0.7]
    torch.testing.assert_close(far_in, torch.full_like(far_in, 0.6 * 255))
    torch.testing.assert_close(far_out, torch.full_like(far_out, 255.0))
    torch.testing.assert_close(background, got.mean((2, 3)))


def test_a_soft_shadow_has_a_wider_edge() -> None:
    def between(width: float) -> float:
        got, _ = apply("shadow", (1.0, 0.0, 0.0, width, 0.5, 0.0), blank(count=8))
        return float(((got > 0.52 * 255) & (got < 0.98 * 255)).float().mean())

    assert between(0.1) < between(0.3) < between(0.8)
    assert between(0.8) > 4 * between(0.1)


def test_a_slope_takes_its_share_at_the_far_side() -> None:
    got, _ = apply("shadow", (1.0, 0.0, 5.0, 0.1, 0.0, 0.3), blank())
    row = got[0, 0, 0]
    assert float(row[-1]) == pytest.approx(255)
    assert float(row[0]) == pytest.approx(0.7 * 255)
    assert float(row[:-1].diff().std()) < 1e-3
