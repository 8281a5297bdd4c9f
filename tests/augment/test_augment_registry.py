from __future__ import annotations

import pytest

from dessin.augment.registry import OPS, bind_op, check_ops
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
    assert bind_op("hflip").values == (0.5,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rotat(15)", ['"rotat"', 'Did you mean "rotate"?']),
        ("rotate(200)", ["degrees is 200", "degrees from 0 to 180"]),
        ("rotate(-1)", ["degrees is -1"]),
        ("rotate(1e999)", ["degrees is inf"]),
        ("rotate", ["degrees is missing", "rotate(degrees)"]),
        ("rotate(1, 2)", ["2 values were given"]),
        ("rotate(fast)", ["a number is needed"]),
        ("rotate(True)", ["a number is needed"]),
        ("hflip(q=1)", ["no parameter q", "p from 0 to 1 (default 0.5)"]),
        ("scale(0.8, low=0.8)", ["low was given twice"]),
        ("scale(1.25, 0.8)", ["low is 1.25", "low from 0.1 to 1; high from 1 to 10"]),
        ("__import__('os')", ["Unknown augmentation"]),
    ],
)
def test_a_wrong_op_says_what_is_allowed(text: str, words: list[str]) -> None:
    with pytest.raises(DessinError) as error:
        check_ops((text,))
    for word in words:
        assert word in str(error.value)


def test_every_op_of_the_table_gives_one_matrix_an_image() -> None:
    import numpy as np

    for spec in OPS.values():
        values = [parameter.high for parameter in spec.parameters]
        matrices = spec.matrices(np.full((3, spec.columns), 0.25), *values)
        assert matrices.shape == (3, 3, 3), spec.name
        assert np.abs(np.linalg.det(matrices)).min() > 0, spec.name
