from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from dessin.augmentation.apply import apply_plan
from dessin.augmentation.ops import act_of
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.plan import AugmentPlan
from dessin.augmentation.policies import GENTLE, LEARNED, MEMBERS, POLICIES, WIDE, autoaugment
from dessin.models.torchvision_ops import ensure_torchvision
from dessin.randomness import image_keys

pytestmark = pytest.mark.slow

KEYS = image_keys([f"{n}" for n in range(6000)])


def planned(op: str, count: int = len(KEYS)) -> AugmentPlan:
    return Pipeline((op,)).plan(0, 0, KEYS[:count], np.zeros(count, dtype=np.int64), 32)


@pytest.mark.parametrize("policy", ["imagenet", "cifar10"])
def test_the_tables_are_the_published_ones(policy: str) -> None:
    """Against torchvision's independent transcription."""
    ensure_torchvision()
    from torchvision.transforms import autoaugment as reference

    kind = reference.AutoAugmentPolicy(policy)
    theirs = reference.AutoAugment(kind).policies
    ours = POLICIES[policy]
    assert len(ours) == 25
    plain = {"equalize", "autocontrast", "invert"}  # their magnitude means nothing
    for line, other in zip(ours, theirs, strict=True):
        for (name, p, level), (their_name, their_p, their_level) in zip(line, other, strict=True):
            assert (name.replace("_", ""), p) == (their_name.lower(), their_p)
            assert name in plain or level == their_level


@pytest.mark.parametrize("ranges", [LEARNED, WIDE, GENTLE])
def test_every_member_is_an_element_with_numbers_for_its_caption(ranges: object) -> None:
    for member in MEMBERS[1:]:
        name, numbers = ranges.element(member, np.array([0.5, 1.0]), np.array([1.0, -1.0]))  # type: ignore[attr-defined]
        assert act_of(name).caption.format(*numbers[0], most=1.0)


def test_members_at_full_strength_have_the_published_magnitudes() -> None:
    full, minus = np.array([1.0]), np.array([-1.0])
    assert LEARNED.element("rotate", full, minus)[1] == [[-30.0]]
    slope = np.tan(np.radians(LEARNED.element("shear_x", full, minus)[1]))
    np.testing.assert_allclose(slope, [[-0.3, 0.0]])
    np.testing.assert_allclose(LEARNED.element("translate_y", full, full)[1], [[0.0, 150 / 331]])
    np.testing.assert_allclose(LEARNED.element("color", full, minus)[1], [[0.1]])
    assert LEARNED.element("posterize", full, full)[1] == [[4.0]]
    assert LEARNED.element("solarize", full, full)[1] == [[0.0]]
    assert LEARNED.element("solarize", 0 * full, full)[1] == [[256.0]]
    assert WIDE.element("rotate", full, full)[1] == [[135.0]]


def test_each_sub_policy_is_drawn_as_often_and_its_members_with_their_probability() -> None:
    """A member's share over many images is the mean of its probabilities over the table."""
    for policy, table in POLICIES.items():
        plan = planned(f"autoaugment({policy})")
        seen: Counter[str] = Counter()
        expected: Counter[str] = Counter()
        for action in plan.actions:
            seen[action.act] += len(action.rows)
        for line in table:
            for member, p, _ in line:
                expected[member.partition("_")[0]] += p / len(table)
        assert set(seen) == {name for name in expected if expected[name] > 0}
        for name, share in expected.items():
            assert seen[name] / len(KEYS) == pytest.approx(share, abs=0.025), (policy, name)


def test_one_sub_policy_gives_its_two_members_in_order() -> None:
    """A draw in the sixteenth of 25 parts: rotate (0.8, 8), then color (1.0, 2)."""
    draws = np.array([[15.5 / 25, 0.1, 0.1, 0.9, 0.1], [15.5 / 25, 0.85, 0.1, 0.1, 0.9]])
    rotate, color = autoaugment(draws, "imagenet")
    assert (rotate.act, rotate.rows.tolist()) == ("rotate", [0])
    np.testing.assert_allclose(rotate.numbers, [[30 * 8 / 9]])
    assert (color.act, color.rows.tolist()) == ("color", [0, 1])
    np.testing.assert_allclose(color.numbers, [[1 - 0.9 * 2 / 9], [1 + 0.9 * 2 / 9]])


def test_randaugment_gives_n_members_at_the_same_magnitude() -> None:
    one, three = planned("randaugment(1, 15)"), planned("randaugment(3, 15)")
    done = [sum(len(action.rows) for action in plan.actions) / len(KEYS) for plan in (one, three)]
    # One of the fourteen members is the identity.
    assert done == pytest.approx([13 / 14, 3 * 13 / 14], abs=0.02)
    angles = np.concatenate([action.numbers for action in three.actions if action.act == "rotate"])
    np.testing.assert_allclose(np.unique(angles), [-15, 15])
    elements = Counter(action.act for action in one.actions)
    assert set(elements) == {member.partition("_")[0] for member in MEMBERS[1:14]}
    # The first member does not depend on how many there are.
    for image in range(50):
        assert three.describe(image).startswith(one.describe(image).replace("unchanged", ""))


def test_trivialaugment_gives_one_member_at_any_of_31_magnitudes() -> None:
    plan = planned("trivialaugment")
    acted = np.concatenate([action.rows for action in plan.actions])
    assert len(np.unique(acted)) == len(acted)
    assert len(acted) / len(KEYS) == pytest.approx(13 / 14, abs=0.02)
    angles = next(action.numbers for action in plan.actions if action.act == "rotate")
    levels = np.unique(np.abs(angles).round(6))
    np.testing.assert_allclose(levels, np.arange(31) * 135 / 30, atol=1e-5)


def test_augmix_weights_sum_to_one_and_have_the_published_means() -> None:
    plan = planned("augmix(3)")
    assert plan.chain_weights is not None
    assert len(plan.chains) == 3
    np.testing.assert_allclose(plan.chain_weights.sum(axis=1), 1.0, rtol=1e-6)
    assert plan.chain_weights.min() >= 0
    # Beta(1, 1) keeps half; Dirichlet(1, 1, 1) shares the other half in equal parts.
    np.testing.assert_allclose(plan.chain_weights.mean(axis=0), [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.01)
    # A share of a flat Dirichlet of three has the variance 1/18.
    shares = plan.chain_weights[:, 1] / plan.chain_weights[:, 1:].sum(axis=1)
    assert shares.var() == pytest.approx(1 / 18, rel=0.1)


def test_augmix_chains_have_one_to_three_members_of_their_own() -> None:
    plan = planned("augmix(3)")
    lengths = [np.zeros(len(KEYS), dtype=int) for _ in plan.chains]
    for chain, length in zip(plan.chains, lengths, strict=True):
        for action in chain.actions:
            length[action.rows] += 1
        np.testing.assert_allclose(np.bincount(length)[1:] / len(KEYS), [1 / 3] * 3, atol=0.025)
    assert np.abs(np.corrcoef(lengths)[0, 1]) < 0.05


def test_a_stronger_augmix_turns_further() -> None:
    def widest(severity: int) -> float:
        actions = [action for chain in planned(f"augmix({severity})").chains for action in chain.actions]
        return max(np.abs(a.numbers).max() for a in actions if a.act == "rotate")

    assert widest(1) == pytest.approx(3, rel=0.02)
    assert widest(10) == pytest.approx(30, rel=0.02)


def test_a_chain_composes_with_the_images_own_geometry() -> None:
    both = Pipeline(("rotate(20)", "augmix(3)")).plan(0, 0, KEYS, np.zeros(len(KEYS), dtype=np.int64), 32)
    alone = planned("augmix(3)")
    for composed, chain in zip(both.chains, alone.chains, strict=True):
        np.testing.assert_allclose(composed.matrices, chain.matrices @ both.matrices, atol=1e-12)


@pytest.mark.parametrize(
    "op",
    ["autoaugment(imagenet)", "autoaugment(cifar10)", "randaugment(2, 9)", "trivialaugment", "augmix(3)"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_policy_changes_most_pictures(op: str, channels: int) -> None:
    torch.set_num_threads(1)
    pixels = torch.full((64, channels, 32, 32), 235, dtype=torch.uint8)
    pixels[:, :, 8:20, 10:14] = 30
    pixels[:, :, 18:22, 6:26] = 90
    plan = planned(op, 64)
    got = apply_plan(plan, pixels, torch.full((64, channels), 235, dtype=torch.uint8))
    changed = (got - pixels).abs().amax((1, 2, 3)) > 1
    assert changed.float().mean() > 0.5
