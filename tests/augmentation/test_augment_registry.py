from __future__ import annotations

import numpy as np
import pytest

from dessin.augmentation.ops import OPS, bind_op, check_ops
from dessin.augmentation.plan import caption_of
from dessin.augmentation.spec import Act, Action
from dessin.errors import DessinError


def test_ops_come_back_in_their_canonical_spelling() -> None:
    assert check_ops((" hflip", "rotate( 15 )", "scale(0.8,high=1.25)")) == (
        "hflip",
        "rotate(15)",
        "scale(0.8, high=1.25)",
    )


def test_canonical_spelling_is_a_fixed_point() -> None:
    once = check_ops(("hflip(0.3)", "translate(fraction=0.1)", "scale(high=1.5, low=0.5)"))
    assert check_ops(once) == once


def test_values_take_the_order_of_the_signature_and_defaults_fill_in() -> None:
    assert bind_op("scale(high=1.5, low=0.5)").values == (0.5, 1.5)
    assert bind_op("hflip").p == 0.5
    assert bind_op("thickness(0.8, 1.25, p=0.3)").values == (0.8, 1.25)
    assert bind_op("blur(2)").values == (2.0, 0.0)
    assert bind_op("autoaugment(cifar10)").values == ("cifar10",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rotat(15)", ['"rotat"', 'Did you mean "rotate"?']),
        ("rotate(200)", ["degrees is 200", "degrees from 0 to 180"]),
        ("rotate(-1)", ["degrees is -1"]),
        ("rotate(1e999)", ["Cannot read the op", "rotate(1e999)"]),
        ("rotate", ["degrees is missing", "rotate(degrees)"]),
        ("rotate(1, 2)", ["2 values were given"]),
        ("rotate(fast)", ["a number is needed"]),
        ("rotate(True)", ["a number is needed"]),
        ("hflip(q=1)", ["no parameter q", "p from 0 to 1 (default 0.5)"]),
        ("scale(0.8, low=0.8)", ["low was given twice"]),
        ("scale(1.25, 0.8)", ["low is 1.25", "low from 0.1 to 1; high from 1 to 10"]),
        ("__import__('os')", ["Unknown augmentation"]),
        ("autoaugment(CIFAL10)", ['Unknown policy of autoaugment: "CIFAL10"', 'Did you mean "cifar10"?']),
        ("autoaugment", ["policy is missing", "imagenet, cifar10"]),
        ("randaugment(1.5, 9)", ["n is 1.5", "a whole number"]),
        ("random_crop(0.9, 0.5)", ["low is 0.9 and high is 0.5"]),
        ("blur(0.5, 2)", ["low is 2 and high is 0.5"]),
        ("mixup(0)", ["alpha is 0"]),
        ("trivialaugment(1)", ["1 values were given"]),
    ],
)
def test_a_wrong_op_says_what_is_allowed(text: str, words: list[str]) -> None:
    with pytest.raises(DessinError) as error:
        check_ops((text,))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "hflip(0)",
        "rotate(0)",
        "translate(0)",
        "scale(1, 1)",
        "shear(0)",
        "affine(0, 0, 1, 1)",
        "random_crop(1)",
        "centre_crop(1)",
        "perspective(0)",
        "elastic(0)",
        "line_wobble(0)",
        "jitter(0, 0, 0, 0)",
        "blur(0)",
        "noise(0)",
        "erase(0)",
        "invert(0)",
        "clahe(0)",
        "thickness(1, 1)",
        "stroke_dropout(0)",
        "ink_fade(0)",
        "paper_tone(0)",
        "thickness(0.8, 1.2, p=0)",
    ],
)
def test_an_op_without_strength_is_refused(text: str) -> None:
    with pytest.raises(DessinError, match="it does nothing"):
        check_ops((text,))


def test_every_op_can_be_drawn_at_both_ends_of_its_draws() -> None:
    """And gives elements that exist, one line of finite numbers an image."""
    for spec in OPS.values():
        values = [
            parameter.words[0] if parameter.words else parameter.high
            for parameter in spec.parameters
            if parameter.name != "p"
        ]
        for level in (0.0, 1.0 - 2.0**-53):
            draws = np.full((3, spec.columns), level)
            if spec.kind == "mixing":
                assert len(spec.draw(draws, 32, *values).shares) == 3, spec.name
                continue
            sampled = spec.draw(draws, *values)
            if spec.kind == "blend":
                chains, weights = sampled
                np.testing.assert_allclose(weights.sum(axis=1), 1.0)
                sampled = [action for chain in chains for action in chain]
            if spec.kind == "single":
                sampled = [Action(spec.name, np.arange(3), sampled)]
            for action in sampled:
                assert action.numbers.shape[0] == len(action.rows), spec.name
                assert np.isfinite(action.numbers).all(), spec.name
                assert caption_of(action, int(action.rows[0])), spec.name


def test_every_act_is_one_of_a_matrix_a_field_and_a_pixel_function() -> None:
    for spec in OPS.values():
        if isinstance(spec.act, Act):
            kinds = (spec.act.matrices is not None, spec.act.points > 0, bool(spec.act.pixels))
            assert sum(kinds) == 1, spec.name
