from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dessin.augmentation.apply import apply_plan, mix, sampling_grid
from dessin.augmentation.geometry import CORNERS, identities, perspective
from dessin.augmentation.ops import OPS, bind_op
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.plan import AugmentPlan, PixelStep
from dessin.errors import DessinError
from dessin.randomness import Words, image_keys

pytestmark = pytest.mark.slow

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


def plan(ops: tuple[str, ...], seed: int, epoch: int, keys: Words) -> AugmentPlan:
    return Pipeline(ops).plan(seed, epoch, keys, np.zeros(len(keys), dtype=np.int64), SIDE)


def turned(degrees: float, count: int = 4) -> AugmentPlan:
    angle = np.radians(degrees)
    matrices = identities(count)
    matrices[:, :2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return AugmentPlan(matrices, SIDE, moves=True)


def test_no_ops_return_the_pixels_themselves() -> None:
    pixels = drawings()
    planned = plan((), 0, 0, image_keys(list("abcd")))
    torch.testing.assert_close(apply_plan(planned, pixels, ground()), pixels.float(), rtol=0, atol=0)


def test_identity_matrices_return_the_pixels() -> None:
    pixels = drawings()
    got = apply_plan(AugmentPlan(identities(4), SIDE, moves=True), pixels, ground())
    torch.testing.assert_close(got, pixels.float(), rtol=0, atol=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_hflip_mirrors_and_twice_is_the_identity(channels: int) -> None:
    pixels = drawings(channels=channels)
    planned = plan(("hflip(1)",), 0, 0, image_keys(list("abcd")))
    once = apply_plan(planned, pixels, ground(channels=channels))
    torch.testing.assert_close(once, pixels.flip(3).float(), rtol=0, atol=0.01)
    torch.testing.assert_close(
        apply_plan(planned, once, ground(channels=channels)), pixels.float(), rtol=0, atol=0.02
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
    got = apply_plan(AugmentPlan(matrices, SIDE, moves=True), pixels, colours)
    torch.testing.assert_close(got[..., 5:], pixels[..., :-5].float(), rtol=0, atol=0.05)
    expected = colours.float()[:, :, None, None].expand(2, 3, SIDE, 5)
    torch.testing.assert_close(got[..., :5], expected, rtol=0, atol=0.05)


def test_two_matrices_in_one_product_are_resampled_once() -> None:
    pixels = drawings()
    there, back = turned(33).matrices, turned(-33).matrices
    once = apply_plan(AugmentPlan(back @ there, SIDE, moves=True), pixels, ground())
    torch.testing.assert_close(once, pixels.float(), rtol=0, atol=0.01)


def test_an_image_comes_out_the_same_in_any_batch() -> None:
    ops = ("hflip", "rotate(30)", "translate(0.1)", "scale(0.8, 1.25)")
    keys, pixels = image_keys(list("abcd")), drawings()
    whole = apply_plan(plan(ops, 0, 0, keys), pixels, ground())
    order = [2, 0]
    part = apply_plan(plan(ops, 0, 0, keys[order]), pixels[order], ground(2))
    torch.testing.assert_close(part, whole[order], rtol=0, atol=1e-3)


def test_the_result_is_in_range_and_the_input_is_untouched() -> None:
    pixels = drawings().float()
    before = pixels.clone()
    planned = plan(("rotate(180)", "scale(0.3, 3)"), 1, 0, image_keys(list("abcd")))
    got = apply_plan(planned, pixels, ground())
    assert got.dtype == torch.float32
    assert got.min() >= -1e-3
    assert got.max() <= 255 + 1e-3
    assert torch.equal(pixels, before)


def test_a_batch_of_another_size_is_refused() -> None:
    with pytest.raises(DessinError, match="4 images of 32 x 32"):
        apply_plan(AugmentPlan(identities(4), 32, moves=True), drawings(), ground())


ALL_GEOMETRY = (
    "hflip",
    "vflip",
    "rotate(40)",
    "translate(0.1)",
    "scale(0.7, 1.3)",
    "shear(15)",
    "affine(10, 0.05, 0.9, 1.1, 5)",
    "random_crop(0.7)",
    "centre_crop(0.9)",
    "perspective(0.3)",
    "elastic(0.05)",
    "line_wobble(0.01)",
)


def test_all_geometry_together_is_one_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = torch.nn.functional.grid_sample

    def counted(*arguments: Any, **options: Any) -> Tensor:
        calls.append(arguments[1].shape)
        return real(*arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "grid_sample", counted)
    apply_plan(plan(ALL_GEOMETRY, 0, 0, image_keys(list("abcd"))), drawings(), ground())
    assert calls == [(4, SIDE, SIDE, 2)]


EXAMPLES = (
    *ALL_GEOMETRY,
    "jitter(0.3, 0.3, 0.3, 0.1)",
    "brightness(0.3)",
    "contrast(0.3)",
    "blur(2)",
    "noise(0.1)",
    "erase(0.2)",
    "invert(1)",
    "clahe(1)",
    "thickness(0.6, 1.6)",
    "stroke_dropout(0.5)",
    "ink_fade(0.5)",
    "paper_tone(0.2)",
    "paper(0.5)",
    "ruling(0.8)",
    "shadow(0.5)",
    "autoaugment(imagenet)",
    "randaugment(2, 9)",
    "trivialaugment",
    "augmix(3)",
    "mixup(1)",
    "cutmix(1)",
    "mixup_or_cutmix(1, 1)",
)


def test_every_op_of_the_table_has_an_example() -> None:
    assert {bind_op(op).spec.name for op in EXAMPLES} == set(OPS)


@pytest.mark.parametrize("op", EXAMPLES)
def test_every_op_changes_drawings_and_says_so(op: str) -> None:
    keys = image_keys([f"{n}" for n in range(12)])
    planned = plan((op,), 0, 0, keys)
    got, _ = mix(planned.mixing, apply_plan(planned, drawings(12), ground(12)), torch.eye(12))
    changed = (got - drawings(12)).abs().amax(dim=(1, 2, 3)) > 2
    assert changed.float().mean() > 0.2, op
    for image in torch.nonzero(changed).flatten().tolist():
        assert planned.describe(image) != "unchanged"


def test_vflip_mirrors_top_and_bottom() -> None:
    got = apply_plan(plan(("vflip(1)",), 0, 0, image_keys(list("abcd"))), drawings(), ground())
    torch.testing.assert_close(got, drawings().flip(2).float(), rtol=0, atol=0.01)


@pytest.mark.parametrize("degrees", [-70, -20, 10, 35, 80])
def test_a_level_bar_is_turned_by_the_angle(degrees: float) -> None:
    """Measured by the second moments of its ink; y points down, so positive is clockwise."""
    pixels = torch.full((1, 1, SIDE, SIDE), 255, dtype=torch.uint8)
    pixels[..., SIDE // 2 - 2 : SIDE // 2 + 2, 8:-8] = 0
    ink = 255 - apply_plan(turned(degrees, 1), pixels, torch.full((1, 1), 255.0))[0, 0].double().numpy()
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    (xx, yy, xy) = ((ink * product).sum() / ink.sum() for product in (x * x, y * y, x * y))
    assert np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 == pytest.approx(degrees, abs=1)


def test_a_blank_drawing_stays_blank_under_all_geometry() -> None:
    keys = image_keys(list("abcdef"))
    blank = torch.full((6, 3, SIDE, SIDE), 231, dtype=torch.uint8)
    got = apply_plan(plan(ALL_GEOMETRY, 0, 0, keys), blank, ground(6, value=231))
    assert torch.equal(got, blank.float())


def test_uncovered_corners_have_exactly_the_background() -> None:
    got = apply_plan(turned(45), drawings(), ground(value=199))
    corners = got[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.equal(corners, torch.full_like(corners, 199.0))


def test_a_perspective_takes_the_corners_to_their_goals() -> None:
    """Seen from the new picture: what stands at a goal comes from the old corner."""
    numbers = np.array([[0.05, 0.10, -0.20, 0.02, -0.01, -0.15, 0.12, -0.03]])
    matrices = perspective(numbers)
    grid = sampling_grid(AugmentPlan(matrices, 801), torch.device("cpu"))[0].numpy()
    for corner, shift in zip(CORNERS, numbers.reshape(4, 2), strict=True):
        column, row = np.rint(((corner + 2 * shift + 1) / 2) * 801 - 0.5).astype(int)
        np.testing.assert_allclose(grid[row, column], corner, atol=0.01)


def test_what_is_behind_the_eye_is_background() -> None:
    """Where the horizon crosses the picture there must be no second, mirrored drawing."""
    matrices = identities(1)
    matrices[0, 2] = [1.6, 0.0, 1.0]
    grid = sampling_grid(AugmentPlan(matrices, 64), torch.device("cpu"))[0]
    back = np.linalg.inv(matrices[0])
    places = (np.arange(64) * 2 + 1) / 64 - 1
    depth = back[2, 0] * places + back[2, 2]
    behind = depth <= 0
    assert behind.any()
    assert (grid[:, torch.from_numpy(behind)].abs() > 1.5).all()


def test_a_constant_field_is_a_shift() -> None:
    pixels = drawings(2)
    shift = np.full((2, 2, 7, 7), 0.0, dtype=np.float32)
    shift[:, 0] = 6 / SIDE
    got = apply_plan(AugmentPlan(identities(2), SIDE, fields=(shift,)), pixels, ground(2))
    torch.testing.assert_close(got[..., :-6], pixels[..., 6:].float(), rtol=0, atol=0.05)


def test_a_field_shifts_no_point_further_than_its_amount_and_neighbours_alike() -> None:
    planned = plan(("elastic(0.08)", "line_wobble(0.02)"), 0, 0, image_keys([str(n) for n in range(50)]))
    for points, limit in zip(planned.fields, (0.08, 0.02), strict=True):
        one = AugmentPlan(identities(50), 64, fields=(points,))
        plain = sampling_grid(AugmentPlan(identities(50), 64), torch.device("cpu"))
        shifts = (sampling_grid(one, torch.device("cpu")) - plain).numpy() / 2
        assert limit / 2 < np.abs(shifts).max() <= limit + 1e-6
        # No fold: walking one pixel on never walks back in the source.
        assert np.diff(shifts[..., 0], axis=2).min() > -1 / 64
        assert np.abs(np.diff(shifts, axis=1)).max() < limit / 2


def test_a_wobble_is_finer_than_an_elastic_bend() -> None:
    def roughness(op: str) -> float:
        planned = plan((op,), 0, 0, image_keys([str(n) for n in range(20)]))
        grid = sampling_grid(planned, torch.device("cpu")).numpy()[..., 0]
        return float(np.abs(np.diff(grid, n=2, axis=1)).mean())

    assert roughness("line_wobble(0.02)") > 4 * roughness("elastic(0.02)")


PIXEL_OPS = (
    "thickness(0.7, 1.4)",
    "jitter(0.3, 0.3, 0.3, 0.1)",
    "noise(0.1)",
    "erase(0.2)",
    "stroke_dropout(0.3)",
    "ink_fade(0.5)",
    "paper_tone(0.2)",
    "paper(0.5)",
    "ruling(0.8)",
    "shadow(0.5)",
    "blur(1.5)",
)


def test_pixel_ops_and_policies_come_out_the_same_in_any_batch() -> None:
    torch.set_num_threads(1)
    for op in (*PIXEL_OPS, "autoaugment(cifar10)", "randaugment(2, 9)", "trivialaugment", "augmix(3)"):
        keys, pixels = image_keys([str(n) for n in range(12)]), drawings(12)
        whole = apply_plan(plan(("rotate(20)", op), 0, 0, keys), pixels, ground(12))
        order = [7, 2, 5]
        part = apply_plan(plan(("rotate(20)", op), 0, 0, keys[order]), pixels[order], ground(3))
        torch.testing.assert_close(part, whole[order], rtol=0, atol=0.02, msg=op)


@pytest.mark.parametrize("channels", [1, 3])
def test_everything_at_once_stays_in_range_and_leaves_the_input(channels: int) -> None:
    keys, pixels = image_keys([str(n) for n in range(6)]), drawings(6, channels).float()
    before = pixels.clone()
    ops = (*ALL_GEOMETRY, *PIXEL_OPS, "randaugment(2, 20)", "augmix(5)")
    got = apply_plan(plan(ops, 0, 0, keys), pixels, ground(6, channels))
    assert got.shape == pixels.shape
    assert torch.isfinite(got).all()
    assert 0 <= got.min() <= got.max() <= 255
    assert torch.equal(pixels, before)


def test_pixel_steps_act_in_the_written_order_and_only_on_their_rows() -> None:
    invert = PixelStep("invert", np.array([1]), np.empty((1, 0), np.float32), np.zeros(1, np.int64))
    darker = PixelStep("brightness", None, np.full((2, 1), 0.5, np.float32), np.zeros(2, np.int64))
    pixels, paper = torch.full((2, 3, 8, 8), 200.0), torch.full((2, 3), 200.0)
    first = apply_plan(AugmentPlan(identities(2), 8, steps=(invert, darker), moves=False), pixels, paper)
    then = apply_plan(AugmentPlan(identities(2), 8, steps=(darker, invert), moves=False), pixels, paper)
    assert [float(image.mean()) for image in first] == pytest.approx([100, 27.5])
    assert [float(image.mean()) for image in then] == pytest.approx([100, 155])


def test_a_blend_is_the_weighted_sum_of_its_chains() -> None:
    pixels, paper = drawings(2), ground(2)
    brighter = PixelStep("brightness", None, np.full((2, 1), 0.5, np.float32), np.zeros(2, np.int64))
    chain = AugmentPlan(identities(2), SIDE, steps=(brighter,), moves=False)
    weights = np.array([[1.0, 0.0], [0.25, 0.75]], dtype=np.float32)
    planned = AugmentPlan(identities(2), SIDE, moves=False, chains=(chain,), chain_weights=weights)
    got = apply_plan(planned, pixels, paper)
    torch.testing.assert_close(got[0], pixels[0].float(), rtol=0, atol=1e-3)
    torch.testing.assert_close(got[1], pixels[1].float() * (0.25 + 0.75 * 0.5), rtol=0, atol=1e-3)


def test_a_large_batch_is_worked_on_in_portions_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = ("rotate(20)", "elastic(0.03)", "thickness(0.7, 1.4, p=0.6)", "noise(0.1)", "augmix(3)")
    keys, pixels = image_keys([str(n) for n in range(11)]), drawings(11)
    planned = plan(ops, 0, 0, keys)
    whole = apply_plan(planned, pixels, ground(11))
    monkeypatch.setattr("dessin.augmentation.apply._CACHED_VALUES", 4 * pixels[0].numel())
    torch.testing.assert_close(apply_plan(planned, pixels, ground(11)), whole, rtol=0, atol=0.02)
