from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from dessin.augmentation.apply import pixel_function
from dessin.augmentation.ops import OPS, PARTS, act_of
from dessin.augmentation.photometric import luma
from dessin.augmentation.pixel_draws import hash32, normal_draws, smooth_field
from dessin.images.colour import equalised

SIDE = 64
STRONG: dict[str, tuple[float, ...]] = {
    "jitter": (1.3, 0.7, 0.4, 0.2),
    "brightness": (0.7,),
    "contrast": (0.6,),
    "color": (0.2,),
    "sharpness": (2.5,),
    "blur": (1.5,),
    "noise": (12.0,),
    "erase": (0.4, 0.6, 0.3, 0.5),
    "invert": (),
    "posterize": (3,),
    "solarize": (120,),
    "autocontrast": (),
    "equalize": (),
    "clahe": (2.0,),
    "thickness": (1.6,),
    "stroke_dropout": (0.5,),
    "ink_fade": (0.5, 0.5),
    "paper_tone": (-20, -40, -60, 8, -8),
    "paper": (0.2, 0.25, 0.4, 0.3),
    "ruling": (0.6, 0.4, 0.3, 0.07, 0.1, 0.3, 0.6, 1),
    "shadow": (0.6, -0.8, 0.1, 0.3, 0.4, 0.2),
}
NEUTRAL: dict[str, tuple[float, ...]] = {
    "jitter": (1, 1, 1, 0),
    "brightness": (1,),
    "contrast": (1,),
    "color": (1,),
    "sharpness": (1,),
    "blur": (0,),
    "noise": (0,),
    "erase": (0.5, 0.5, 0, 0),
    "posterize": (8,),
    "solarize": (256,),
    "thickness": (1,),
    "stroke_dropout": (0,),
    "ink_fade": (1, 0),
    "paper_tone": (0, 0, 0, 0, 0),
    "paper": (0, 0, 0, 0.3),
    "ruling": (0, 0, 0, 0.07, 0.1, 0.3, 0.6, 1),
    "shadow": (0.6, -0.8, 0.1, 0.3, 0, 0),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def pictures(count: int = 3, channels: int = 3) -> Tensor:
    """Coloured lines and soft hills on tinted paper, whole levels in 20..235."""
    images = []
    for n in range(count):
        random = np.random.default_rng(n)
        y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
        page = np.stack([210 - 60 * x, 190 + 40 * y, 200 - 50 * x * y], axis=-1)
        page = (page + random.normal(0, 4, page.shape)).clip(20, 235).astype(np.uint8)
        for _ in range(5):
            points = random.integers(4, SIDE - 4, (2, 2)).tolist()
            colour = random.integers(20, 120, 3).tolist()
            cv2.line(page, points[0], points[1], colour, 3, cv2.LINE_AA)
        images.append(page.clip(20, 235).transpose(2, 0, 1)[:channels])
    return torch.from_numpy(np.array(images)).float()


def ground(count: int = 3, channels: int = 3) -> Tensor:
    return torch.tensor([[200.0, 210.0, 180.0]]).expand(count, 3)[:, :channels].contiguous()


def call(name: str, values: tuple[float, ...], pixels: Tensor, background: Tensor | None = None) -> Tensor:
    return call_both(name, values, pixels, background)[0]


def call_both(
    name: str, values: tuple[float, ...], pixels: Tensor, background: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    count, channels = pixels.shape[:2]
    paper = ground(count, channels) if background is None else background
    rows = torch.tensor([values] * count, dtype=torch.float32).view(count, len(values))
    return pixel_function(name)(pixels, paper, rows, torch.arange(count) + 5)


def test_every_pixel_function_is_tested_here() -> None:
    acts = {name for name in (*OPS, *PARTS) if name in PARTS or OPS[name].kind == "single"}
    assert {name for name in acts if act_of(name).pixels} == set(STRONG)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(STRONG))
def test_every_function_changes_pixels_within_range_and_never_its_input(name: str, channels: int) -> None:
    pixels, paper = pictures(channels=channels), ground(channels=channels)
    before = pixels.clone(), paper.clone()
    after, background = call_both(name, STRONG[name], pixels, paper)
    assert torch.equal(pixels, before[0])
    assert torch.equal(paper, before[1])
    assert after.shape == pixels.shape
    assert after.dtype == torch.float32
    assert background.shape == paper.shape
    for levels in (after, background):
        assert levels.min() >= -1e-3
        assert levels.max() <= 255 + 1e-3
    if (name, channels) == ("color", 1):
        torch.testing.assert_close(after, pixels)
    else:
        assert ((after - pixels).abs() > 2).flatten(1).any(1).all()


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_neutral_values_change_nothing(name: str) -> None:
    pixels, paper = pictures(), ground()
    after, background = call_both(name, NEUTRAL[name], pixels, paper)
    torch.testing.assert_close(after, pixels, rtol=0, atol=1e-3)
    torch.testing.assert_close(background, paper, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", sorted(STRONG))
def test_an_image_comes_out_the_same_beside_others_and_alone(name: str) -> None:
    pixels, paper = pictures(), ground()
    values = torch.tensor([STRONG[name]] * 3, dtype=torch.float32).view(3, -1)
    seeds = torch.tensor([3, 2**40 + 1, 17])
    whole, _ = pixel_function(name)(pixels, paper, values, seeds)
    for n in range(3):
        alone, _ = pixel_function(name)(
            pixels[n : n + 1], paper[n : n + 1], values[n : n + 1], seeds[n : n + 1]
        )
        torch.testing.assert_close(alone[0], whole[n], rtol=0, atol=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", sorted(STRONG))
def test_a_cuda_device_gives_the_same_and_is_never_waited_for(name: str) -> None:
    pixels, paper = pictures(), ground()
    values = torch.tensor([STRONG[name]] * 3, dtype=torch.float32).view(3, -1)
    seeds = torch.tensor([3, 2**40 + 1, 17])
    expected, ground_expected = pixel_function(name)(pixels, paper, values, seeds)
    there = [part.cuda() for part in (pixels, paper, values, seeds)]
    first, _ = pixel_function(name)(*there)
    torch.cuda.set_sync_debug_mode("error")
    try:
        got, background = pixel_function(name)(*there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(first, got)
    # A rounding of the last bit may move a level where levels are counted.
    assert ((got.cpu() - expected).abs() > 0.05).float().mean() < 0.002
    torch.testing.assert_close(background.cpu(), ground_expected, rtol=0, atol=0.05)


def close_to_pillow(
    name: str, values: tuple[float, ...], reference: Callable[[Image.Image], Image.Image], levels: float
) -> None:
    pixels = pictures()
    arrays = pixels.byte().permute(0, 2, 3, 1).numpy()
    expected = np.stack([np.asarray(reference(Image.fromarray(array))) for array in arrays])
    got = call(name, values, pixels).permute(0, 2, 3, 1).numpy()
    assert np.abs(got - expected).max() <= levels


@pytest.mark.parametrize("factor", [0.3, 0.9, 1.8])
def test_enhancers_are_those_of_pillow(factor: float) -> None:
    close_to_pillow("brightness", (factor,), lambda i: ImageEnhance.Brightness(i).enhance(factor), 1)
    close_to_pillow("contrast", (factor,), lambda i: ImageEnhance.Contrast(i).enhance(factor), 2)
    close_to_pillow("color", (factor,), lambda i: ImageEnhance.Color(i).enhance(factor), 2)
    close_to_pillow("sharpness", (factor,), lambda i: ImageEnhance.Sharpness(i).enhance(factor), 2)


def test_point_operations_are_those_of_pillow() -> None:
    close_to_pillow("invert", (), ImageOps.invert, 0)
    close_to_pillow("autocontrast", (), ImageOps.autocontrast, 1)
    close_to_pillow("equalize", (), ImageOps.equalize, 0)
    for bits in (1, 3, 7):
        close_to_pillow("posterize", (bits,), lambda i, bits=bits: ImageOps.posterize(i, bits), 0)
    for threshold in (0, 100, 256):
        close_to_pillow("solarize", (threshold,), lambda i, t=threshold: ImageOps.solarize(i, t), 0)


def test_equalize_and_autocontrast_leave_an_even_image_alone() -> None:
    flat = torch.full((1, 3, SIDE, SIDE), 77.0)
    assert torch.equal(call("equalize", (), flat), flat)
    assert torch.equal(call("autocontrast", (), flat), flat)


@pytest.mark.parametrize("side", [64, 61])
def test_clahe_is_that_of_opencv(side: int) -> None:
    gray = pictures(channels=1)[..., :side, :side]
    expected = np.stack([cv2.createCLAHE(2.0, (8, 8)).apply(g[0].byte().numpy()) for g in gray])
    got = call("clahe", (2.0,), gray)[:, 0].numpy()
    assert np.abs(got - expected).max() <= 1
    colours = pictures()
    mine = call("clahe", (2.0,), colours).permute(0, 2, 3, 1).numpy()
    theirs = np.stack([equalised(c) for c in colours.byte().permute(0, 2, 3, 1).numpy()])
    # OpenCV rounds on the way to luma and back.
    assert np.abs(mine - theirs).mean() < 1.5


def test_blur_is_a_gaussian_and_keeps_the_mean() -> None:
    pixels = pictures()
    got = call("blur", (1.7,), pixels)
    arrays = pixels.permute(0, 2, 3, 1).numpy()
    expected = np.stack([cv2.GaussianBlur(array, (31, 31), 1.7) for array in arrays])
    inner = slice(16, -16)
    difference = got.permute(0, 2, 3, 1).numpy()[:, inner, inner] - expected[:, inner, inner]
    assert np.abs(difference).max() < 0.01
    flat = torch.full((1, 1, SIDE, SIDE), 90.0)
    torch.testing.assert_close(call("blur", (6.0,), flat), flat, rtol=0, atol=1e-2)


def test_jitter_of_one_thing_is_that_op_alone() -> None:
    pixels = pictures()
    for place, name in enumerate(("brightness", "contrast", "color")):
        values = [1.0, 1.0, 1.0, 0.0]
        values[place] = 0.8
        got, background = call_both("jitter", tuple(values), pixels)
        expected, paper = call_both(name, (0.8,), pixels)
        torch.testing.assert_close(got, expected, rtol=0, atol=0.01)
        torch.testing.assert_close(background, paper, rtol=0, atol=0.01)


def test_hue_goes_round_keeps_luma_and_leaves_gray() -> None:
    muted = 0.25 * pictures() + 90  # far from the ends, so that nothing is cut off
    turn = (1.0, 1.0, 1.0, 0.25)
    once = call("jitter", turn, muted)
    torch.testing.assert_close(luma(once), luma(muted), rtol=0, atol=0.05)
    assert (once - muted).abs().max() > 5
    around = once
    for _ in range(3):
        around = call("jitter", turn, around)
    torch.testing.assert_close(around, muted, rtol=0, atol=0.05)
    gray = muted.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(call("jitter", (1.0, 1.0, 0.3, 0.4), gray), gray, rtol=0, atol=0.05)


def test_recoloured_paper_comes_back_as_the_background() -> None:
    page = ground(1)[:, :, None, None].expand(1, 3, SIDE, SIDE).clone()
    page[:, :, 20:24] = 30.0
    for name in ("jitter", "brightness", "contrast", "color", "invert", "posterize", "solarize"):
        after, background = call_both(name, STRONG[name], page, ground(1))
        torch.testing.assert_close(background[0], after[0, :, 0, 0], rtol=0, atol=0.01)
    for name in ("equalize", "autocontrast", "clahe"):
        after, background = call_both(name, STRONG[name], page.round(), ground(1))
        torch.testing.assert_close(background[0], after[0, :, 50, 50], rtol=0, atol=8)


def test_erase_paints_its_box_and_nothing_else() -> None:
    pixels = pictures(1)
    after = call("erase", (0.25, 0.5, 0.25, 0.5), pixels)
    box = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    box[16:48, 8:24] = True
    assert torch.equal(after[0, :, ~box], pixels[0, :, ~box])
    assert torch.equal(after[0, :, box], ground(1)[0, :, None].expand(3, 512))


def test_noise_has_its_deviation_and_follows_its_seed() -> None:
    gray = torch.full((2, 3, 128, 128), 128.0)
    values = torch.tensor([[5.0], [20.0]])
    seeds = torch.tensor([7, 2**62 + 9])
    noisy, _ = pixel_function("noise")(gray, ground(2), values, seeds)
    torch.testing.assert_close(noisy.std((1, 2, 3)), values[:, 0], rtol=0.02, atol=0)
    torch.testing.assert_close(noisy.mean((1, 2, 3)), torch.full((2,), 128.0), rtol=0, atol=0.4)
    again, _ = pixel_function("noise")(gray, ground(2), values, seeds)
    assert torch.equal(noisy, again)
    other, _ = pixel_function("noise")(gray, ground(2), values, seeds + 2**33)
    assert (other - noisy).abs().mean() > 4


def test_draws_are_those_of_plain_integers_and_independent() -> None:
    def mixed(word: int) -> int:
        word ^= word >> 15
        word = word * 0x2C1B3C6D & 0xFFFFFFFF
        word ^= word >> 12
        word = word * 0x297A2D39 & 0xFFFFFFFF
        return word ^ word >> 15

    words = [0, 1, 2, 12345, 2**31 - 1, 2**31, 2**32 - 1]
    signed = torch.tensor([word - 2**32 if word >= 2**31 else word for word in words], dtype=torch.int32)
    assert [int(word) & 0xFFFFFFFF for word in hash32(signed)] == [mixed(word) for word in words]
    draws = normal_draws(torch.arange(40), 5000)
    assert draws.mean().abs() < 0.01
    assert (draws.std() - 1).abs() < 0.01
    between = torch.corrcoef(draws) - torch.eye(40)
    along = (draws[:, 1:] * draws[:, :-1]).mean(1)
    assert between.abs().max() < 0.08
    assert along.abs().max() < 0.08


def test_a_smooth_field_is_smooth_and_differs_by_seed() -> None:
    field = smooth_field(torch.tensor([1, 2]), 6, 96)
    assert field.shape == (2, 1, 96, 96)
    assert field.diff(dim=-1).abs().max() < 0.5
    assert field.flatten(1).std(1).min() > 0.3
    assert (field[0] - field[1]).abs().mean() > 0.3
