from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dessin.augment.apply import apply_plan
from dessin.augment.geometry import identities
from dessin.augment.plan import AugmentPlan, plan_batch
from dessin.errors import DessinError
from dessin.randomness import image_keys

SIDE = 48


def drawings(count: int = 4, channels: int = 3) -> Tensor:
    """Smooth blobs off the middle on a pale ground, so that symmetries show and resampling loses little."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    images = []
    for n in range(count):
        blob = np.exp(-(((x - 0.4) / 0.12) ** 2 + ((y - 0.55 + 0.02 * n) / 0.08) ** 2))
        images.append(np.stack([240 - (200 - 30 * c) * blob for c in range(channels)]))
    return torch.from_numpy(np.array(images).round().astype(np.uint8))


def ground(count: int = 4, channels: int = 3, value: int = 240) -> Tensor:
    return torch.full((count, channels), value, dtype=torch.uint8)


def turned(degrees: float, count: int = 4) -> AugmentPlan:
    angle = np.radians(degrees)
    matrices = identities(count)
    matrices[:, :2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return AugmentPlan(matrices, SIDE, changes=True)


def test_no_ops_return_the_pixels_themselves() -> None:
    pixels = drawings()
    plan = plan_batch((), 0, 0, image_keys(list("abcd")), SIDE)
    torch.testing.assert_close(apply_plan(plan, pixels, ground()), pixels.float(), rtol=0, atol=0)


def test_identity_matrices_return_the_pixels() -> None:
    pixels = drawings()
    got = apply_plan(AugmentPlan(identities(4), SIDE, changes=True), pixels, ground())
    torch.testing.assert_close(got, pixels.float(), rtol=0, atol=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_hflip_mirrors_and_twice_is_the_identity(channels: int) -> None:
    pixels = drawings(channels=channels)
    plan = plan_batch(("hflip(1)",), 0, 0, image_keys(list("abcd")), SIDE)
    once = apply_plan(plan, pixels, ground(channels=channels))
    torch.testing.assert_close(once, pixels.flip(3).float(), rtol=0, atol=0.01)
    torch.testing.assert_close(
        apply_plan(plan, once, ground(channels=channels)), pixels.float(), rtol=0, atol=0.02
    )


def test_a_right_angle_turns_clockwise_on_the_screen() -> None:
    pixels = drawings()
    expected = torch.rot90(pixels, -1, (2, 3)).float()
    torch.testing.assert_close(apply_plan(turned(90), pixels, ground()), expected, rtol=0, atol=0.01)


def test_turning_back_restores_the_middle() -> None:
    pixels = drawings()
    back = apply_plan(turned(-25), apply_plan(turned(25), pixels, ground()), ground())
    middle = slice(SIDE // 4, 3 * SIDE // 4)
    difference = (back - pixels.float())[:, :, middle, middle].abs()
    assert difference.mean() < 1.5
    # And it did turn in between.
    moved = (apply_plan(turned(25), pixels, ground()) - pixels.float())[:, :, middle, middle].abs()
    assert moved.mean() > 4 * difference.mean()


def test_a_shift_by_whole_pixels_is_exact_and_shows_the_background() -> None:
    pixels = torch.randint(0, 256, (2, 3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator())
    matrices = identities(2)
    matrices[:, 0, 2] = 2.0 * 5 / SIDE
    colours = torch.tensor([[10, 20, 30], [200, 210, 220]], dtype=torch.uint8)
    got = apply_plan(AugmentPlan(matrices, SIDE, changes=True), pixels, colours)
    torch.testing.assert_close(got[..., 5:], pixels[..., :-5].float(), rtol=0, atol=0.05)
    expected = colours.float()[:, :, None, None].expand(2, 3, SIDE, 5)
    torch.testing.assert_close(got[..., :5], expected, rtol=0, atol=0.05)


def test_two_matrices_in_one_product_are_resampled_once() -> None:
    pixels = drawings()
    there, back = turned(33).matrices, turned(-33).matrices
    once = apply_plan(AugmentPlan(back @ there, SIDE, changes=True), pixels, ground())
    torch.testing.assert_close(once, pixels.float(), rtol=0, atol=0.01)


def test_a_blank_drawing_stays_blank_under_anything() -> None:
    ops = ("hflip", "rotate(180)", "translate(0.5)", "scale(0.2, 3)")
    plan = plan_batch(ops, 0, 0, image_keys(list("abcdef")), SIDE)
    got = apply_plan(plan, torch.full((6, 3, SIDE, SIDE), 240, dtype=torch.uint8), ground(6))
    torch.testing.assert_close(got, torch.full_like(got, 240.0), rtol=0, atol=1e-3)


def test_an_image_comes_out_the_same_in_any_batch() -> None:
    ops = ("hflip", "rotate(30)", "translate(0.1)", "scale(0.8, 1.25)")
    keys, pixels = image_keys(list("abcd")), drawings()
    whole = apply_plan(plan_batch(ops, 0, 0, keys, SIDE), pixels, ground())
    order = [2, 0]
    part = apply_plan(plan_batch(ops, 0, 0, keys[order], SIDE), pixels[order], ground(2))
    torch.testing.assert_close(part, whole[order], rtol=0, atol=1e-3)


def test_the_result_is_in_range_and_the_input_is_untouched() -> None:
    pixels = drawings().float()
    before = pixels.clone()
    plan = plan_batch(("rotate(180)", "scale(0.3, 3)"), 1, 0, image_keys(list("abcd")), SIDE)
    got = apply_plan(plan, pixels, ground())
    assert got.dtype == torch.float32
    assert got.min() >= -1e-3
    assert got.max() <= 255 + 1e-3
    assert torch.equal(pixels, before)


def test_a_batch_of_another_size_is_refused() -> None:
    with pytest.raises(DessinError, match="4 images of 32 x 32"):
        apply_plan(AugmentPlan(identities(4), 32, changes=True), drawings(), ground())
