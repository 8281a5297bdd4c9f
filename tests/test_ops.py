from __future__ import annotations

import keyword

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dessin.errors import DessinError
from dessin.ops import Op, names, parse_op

pytestmark = pytest.mark.slow

values = st.one_of(
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(max_size=8),
)
words = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True).filter(lambda word: word.isidentifier())


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("hflip", Op("hflip")),
        ("rotate(15)", Op("rotate", (15,))),
        (" thickness(0.8, 1.25) ", Op("thickness", (0.8, 1.25))),
        ("autoaugment(imagenet)", Op("autoaugment", ("imagenet",))),
        ("erase(-1, scale=0.2)", Op("erase", (-1,), (("scale", 0.2),))),
    ],
)
def test_reads_what_recipes_write(text: str, op: Op) -> None:
    assert parse_op(text) == op


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rotate(",
        "a.b(1)",
        "f(g(1))",
        "f(*x)",
        "f(**x)",
        "1",
        "f(1)(2)",
        "[1]",
        "f([1])",
        "__import__('os').system('x')",
    ],
)
def test_refuses_what_is_not_a_plain_op(text: str) -> None:
    with pytest.raises(DessinError, match="Cannot read the op"):
        parse_op(text)


@given(words, st.lists(values, max_size=3))
@example("a", ["else"])
def test_writing_and_reading_are_inverse(name: str, args: list[object]) -> None:
    if keyword.iskeyword(name):
        return
    op = Op(name, tuple(args))  # type: ignore[arg-type]
    assert parse_op(str(op)) == op


@pytest.mark.parametrize("written", ["a, b,", ("a", "b "), ["a", "", "b"]])
def test_names_come_one_by_one_or_with_commas(written: str | list[str]) -> None:
    assert names(written) == ("a", "b")
