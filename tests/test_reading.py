"""Files of text, tables and values as they may come: read, or refused in one short sentence, at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dessin.errors import DessinError, listing, quoted, unknown
from dessin.reading import MiB, parse_json, read_bytes, read_csv, read_json, read_text
from dessin.reading_yaml import parse_yaml
from dessin.recipe import read_recipe

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def refused(text: str, parse: str = "yaml") -> str:
    read = {"yaml": parse_yaml, "json": parse_json}[parse]
    begun = time.process_time()
    with pytest.raises(DessinError) as caught:
        read(text, where="it")
    assert time.process_time() - begun < 2
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "line 1: dessin reads no anchors"),
        ("a: 1\nb: *a", "line 2: dessin reads no anchors"),
        ("a: 1\nb: !!int x", 'line 2: "x" is no value'),
        ("a: !!timestamp 2026-13-45", "reads no tags"),
        ("a: " + "9" * 5000, "is no value"),
        ("a: 0x" + "f" * 5000, "is no value"),
        ("a: " + "1:" * 100_000 + "1", "is no value"),
        ("a: .nan", '".nan" is no value'),
        ('a: "\\ud800"', "is no value"),
        ('a: "\\0"', "is no value"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
        ("a: {b: 1, c: 2,\n b: 3}", 'line 2: "b" is there twice'),
        ("? [a]\n: b", "a key is a text or a number"),
        ("[" * 100_000, "nest deeper than 40"),
        ("- " * 500, "nest deeper than 40"),
        ("- 1\n" * 20_000, "more than 10,000 values"),
        ("#" * 2**18 + "#", "larger than 256 KiB"),
        ("a: [", "not valid YAML"),
    ],
)
def test_yaml_that_is_no_recipe_is_one_short_sentence(text: str, said: str) -> None:
    assert said in refused(text)


def test_plain_yaml_is_read_and_a_date_is_a_text() -> None:
    text = "on: 2026-11-30\n'yes': [1, 2.5, true, null, 0x10]\n<<: {a: '*b'}"
    values = {True: "2026-11-30", "yes": [1, 2.5, True, None, 16], "<<": {"a": "*b"}}
    assert parse_yaml(text, where="it") == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nests deeper than 40"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" is there twice'),
        ('{"a": NaN}', "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("[1e999]", "1e999 is no number"),
        (f"[{'9' * 5000}]", "a whole number of 5,000 digits"),
        ('"\\ud800"', "half a character"),
        ('"\\u0000"', "a NUL"),
        ('{"a": ', "line 1 column 7"),
    ],
)
def test_json_that_nothing_of_ours_writes_is_one_short_sentence(text: str, said: str) -> None:
    assert said in refused(text, "json")


def test_json_that_only_looks_odd_is_read() -> None:
    text = f'["{"[" * 50}", ' + '"\\ud83d\\ude00", "\\\\u0000", "\\"[", -9223372036854775808]'
    assert parse_json(text, where="it")[1:] == ["😀", "\\u0000", '"[', -(2**63)]
    assert parse_json("[" * 40 + "]" * 40, where="it")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n1\n", "row 2"),
        (b'a,"b\n1,2\n', "line 2"),
        (b"a,b\n1,2,\n", "row 1"),
        (b"a,b\n1,\0\n", "line 2 holds a NUL"),
        (b"a,b\n\n1,\xe9\n", "not UTF-8 text (line 3)"),
        (b"a,b,b\n1,2,3\n", 'the column "b" twice'),
        (b"a,b\n1," + b"x" * 200_000, "field larger than field limit"),
        (b"x" * 100_000 + b",b\n", "has no column a"),
        (b",".join(b"c%d" % n for n in range(5000)), "has no column a, b"),
        (b"", "its columns are none"),
    ],
)
def test_a_damaged_table_is_one_short_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DessinError) as caught:
        read_csv(path, ["a", "b"])
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


def test_whatever_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    for name, said in {
        "pipe": "a pipe or a device",
        ".": "is a folder",
        "none": "There is no file",
        "file/below": "a part of the path is a file",
        "circle": "its links lead in a circle",
        "n" * 300: "the path is too long",
        "nul\0": "There is no file",
    }.items():
        for read in (read_bytes, read_text, read_json):
            with pytest.raises(DessinError) as caught:
                read(tmp_path / name)
            assert said in str(caught.value)


def test_a_file_above_the_cap_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DessinError, match="larger than 1 MiB"):
        read_bytes(path, most=MiB)


def test_a_value_is_quoted_before_it_is_written_out() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    wide = {"a": [["x" * 10**6] * 10**6] * 10**6}
    for value in (
        deep,
        wide,
        10**6000,
        "x" * 10**7,
        b"x" * 10**7,
        object(),
        Path("x" * 10**6),
        set(range(10**5)),
    ):
        text = quoted(value)
        assert len(text) <= 241
        assert text.isprintable()
    assert quoted("two\nlines\x1b[2J") == r"two\nlines\x1b[2J"
    assert quoted({"a": [1, "b", None]}) == '{"a": [1, "b", None]}'
    assert quoted("begins" + "x" * 1000 + "ends").startswith("begins")
    assert quoted("begins" + "x" * 1000 + "ends").endswith("ends")


def test_of_very_many_names_the_nearest_and_the_number_are_said() -> None:
    names = [f"resnet{number}" for number in range(2000)]
    said = str(unknown("backbone", "resnt50", names))
    assert "one of 2,000, such as" in said
    assert "resnet50" in said
    assert len(said) < 400
    assert len(str(unknown("backbone", "x" * 10**6, ["y" * 10**6] * 3))) < 2000
    assert len(listing(["x" * 10**6] * 100)) < 700


def test_no_error_is_longer_than_a_screen() -> None:
    assert len(str(DessinError("a" * 10**6, allowed="b" * 10**6, do="c" * 10**6))) < 3000


def test_a_recipe_whose_name_is_too_long_is_a_sentence() -> None:
    for name in ("x" * 5000, "x" * 5000 + ".yaml", "a/" + "x" * 5000):
        with pytest.raises(DessinError) as caught:
            read_recipe(Path(name))
        assert len(str(caught.value)) < 1000
