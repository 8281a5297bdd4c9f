from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dessin.augmentation.apply import mix
from dessin.augmentation.mix_plan import MixPlan
from dessin.augmentation.pipeline import Pipeline
from dessin.errors import DessinError
from dessin.randomness import image_keys

KEYS = image_keys([str(n) for n in range(3000)])
SIDE = 24


def planned(op: str, count: int, size: int = SIDE) -> MixPlan:
    plan = Pipeline((op,)).plan(0, 0, KEYS[:count], np.zeros(count, dtype=np.int64), size).mixing
    assert plan is not None
    return plan


def flat(count: int) -> Tensor:
    """Image i is the constant i, so that a mean tells how much of whom is in it."""
    return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(count, 3, SIDE, SIDE).clone()


OPS = ["mixup(0.4)", "cutmix(1)", "mixup_or_cutmix(0.4, 1)"]


@pytest.mark.parametrize("op", OPS)
def test_targets_sum_to_one_and_their_share_is_that_of_the_pixels(op: str) -> None:
    count = 40
    plan = planned(op, count)
    pixels, targets = mix(plan, flat(count), torch.eye(count))
    torch.testing.assert_close(targets.sum(1), torch.ones(count))
    own = targets.diagonal()
    partner = targets[torch.arange(count), (torch.arange(count) + 1) % count]
    torch.testing.assert_close(own + partner, torch.ones(count))
    seen = (pixels * 1.0).mean((1, 2, 3))
    expected = targets @ torch.arange(count, dtype=torch.float32)
    torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-3)
    # And something was mixed.
    assert (own < 0.999).float().mean() > 0.5


def test_a_cutmix_box_is_the_partner_and_the_rest_is_the_image() -> None:
    plan = planned("cutmix(1)", 6)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand((6, 3, SIDE, SIDE), generator=generator)
    mixed, _ = mix(plan, pixels, torch.eye(6))
    for image, (left, top, right, bottom) in enumerate(plan.boxes):
        expected = pixels[image].clone()
        expected[:, top:bottom, left:right] = pixels[(image + 1) % 6][:, top:bottom, left:right]
        torch.testing.assert_close(mixed[image], expected, rtol=0, atol=1e-6)


def test_mixup_blends_the_whole_picture_by_its_weight() -> None:
    plan = planned("mixup(1)", 5)
    pixels = torch.rand((5, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    mixed, _ = mix(plan, pixels, torch.eye(5))
    own = torch.from_numpy(plan.weights)[:, None, None, None]
    torch.testing.assert_close(mixed, own * pixels + (1 - own) * pixels[[1, 2, 3, 4, 0]])


def test_a_batch_of_one_mixes_with_itself() -> None:
    for op in OPS:
        pixels, targets = torch.rand((1, 3, SIDE, SIDE)), torch.tensor([[0.25, 0.75]])
        mixed, soft = mix(planned(op, 1), pixels, targets)
        torch.testing.assert_close(mixed, pixels)
        torch.testing.assert_close(soft, targets)


def test_weights_are_beta_distributed() -> None:
    """Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2a + 1))."""
    for alpha in (0.2, 1.0, 4.0):
        weights = planned(f"mixup({alpha})", len(KEYS)).weights
        assert weights.mean() == pytest.approx(0.5, abs=0.03)
        assert weights.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_unclipped_cutmix_boxes_have_the_drawn_area() -> None:
    plan = planned("cutmix(1)", len(KEYS), size=224)
    left, top, right, bottom = plan.boxes.T
    inside = (left > 0) & (top > 0) & (right < 224) & (bottom < 224)
    assert inside.mean() > 0.1
    np.testing.assert_allclose((right - left)[inside], (bottom - top)[inside], atol=1)
    np.testing.assert_allclose(plan.shares, 1 - (right - left) * (bottom - top) / 224**2, atol=1e-6)
    assert (plan.shares >= 0).all()
    # Clipping leaves the image more than the half that uniform weights would.
    assert 0.55 < plan.shares.mean() < 0.85


def test_either_or_draws_each_kind_about_half_the_time() -> None:
    plan = planned("mixup_or_cutmix(0.4, 1)", len(KEYS))
    blended = plan.weights < 1
    assert 0.45 < blended.mean() < 0.55
    assert (plan.boxes[blended] == 0).all()
    assert "mixup" in plan.describe(int(np.flatnonzero(blended)[0]))
    assert "cutmix" in plan.describe(int(np.flatnonzero(~blended)[0]))


def test_no_plan_mixes_nothing_and_a_wrong_batch_is_refused() -> None:
    pixels, targets = flat(3), torch.eye(3)
    assert mix(None, pixels, targets) == (pixels, targets)
    with pytest.raises(DessinError, match="4 images of 24 x 24"):
        mix(planned("mixup(1)", 4), pixels, targets)
