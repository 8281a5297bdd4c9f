"""Every block as HTML, Markdown and lines: what is shown is what was given, and no name becomes markup."""

from __future__ import annotations

import csv
import io
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from dessin.errors import DessinError
from dessin.language import LANGUAGES, VARIABLE, language, speaking, tr, tr_n
from dessin.page import blocks as b
from dessin.page.dots import Dot, dot_plot
from dessin.page.html import document, fragment
from dessin.page.pictures import image_data_uri
from dessin.page.text import lines, markdown, write_markdown
from dessin.page.words import Bar, Code, Link, Note, Strong, Tag, plain, told

EVIL = "<script>alert(1)</script> `x` **y** [z](u) | #"
PIXEL = image_data_uri(np.zeros((8, 8), np.uint8))
TABLE = b.Table(
    (b.Column("Class"), b.Column("Right", number=True)), ((EVIL, Bar(0.5, "50%")), ("cat", "")), file="t"
)
EVERY = b.Page(
    EVIL,
    (EVIL, Code(EVIL), Strong(EVIL), Tag(EVIL), Note(EVIL), Link(EVIL, "#there")),
    (
        b.Headline("62.9%", EVIL, 0.629, 0.565, 0.692, "62.9% [56.5, 69.2]", mark=0.01),
        b.Facts((b.Fact(EVIL, EVIL, EVIL),)),
        b.Section(
            EVIL,
            (
                b.Sentence(EVIL, "warning"),
                b.Notes((EVIL,), EVIL),
                b.Command(EVIL),
                TABLE,
                b.Dots(dot_plot([Dot(EVIL, EVIL, EVIL, 0.5, 0.4, 0.6)]), (b.Key("dot", EVIL),)),
                b.Picture(PIXEL, EVIL, EVIL),
                b.Gallery((b.Shot((b.Picture(PIXEL, EVIL),), EVIL, EVIL, (Tag(EVIL),)),)),
                b.Links(((Link(EVIL, "a/index.html"), EVIL),)),
                b.Next((b.Step(EVIL, EVIL),)),
            ),
            lead=EVIL,
            anchor="there",
        ),
        b.Section(EVIL, (b.Grid((b.Section(EVIL, (b.Sentence(EVIL),)),)),), folded=True),
    ),
    footer=EVIL,
    trail=(Link(EVIL, "../index.html"),),
)


class Read(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.seen: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.seen += [value for _, value in attrs if value]

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


def texts(thing: object) -> int:
    """How often the evil text stands in a page, wherever it is put."""
    if isinstance(thing, str):
        return thing == EVIL
    if isinstance(thing, tuple):
        return sum(map(texts, thing))
    return sum(texts(getattr(thing, field.name)) for field in fields(thing)) if is_dataclass(thing) else 0


def test_every_block_is_in_the_page_that_these_tests_draw() -> None:
    kinds = {type(block).__name__ for block in b.walk(EVERY.blocks)}
    assert kinds == {name.strip() for name in str(get_args(b.Block) or b.Block).replace("'", "").split("|")}


@pytest.mark.parametrize("draw", [document, fragment])
def test_every_text_is_shown_letter_for_letter_and_none_is_markup(draw) -> None:
    read = Read(draw(EVERY))
    assert "script" not in read.tags
    assert sum(seen.count(EVIL) for seen in read.seen) >= texts(EVERY)


def test_a_block_that_the_template_does_not_know_is_an_error() -> None:
    with pytest.raises(TypeError, match="object"):
        document(b.Page("t", "", (object(),)))  # type: ignore[arg-type]


def test_a_table_is_its_own_csv() -> None:
    assert list(csv.reader(io.StringIO(TABLE.csv()))) == [["Class", "Right"], [EVIL, "50%"], ["cat", ""]]
    with pytest.raises(ValueError, match="2 cells"):
        b.Table((b.Column("a"), b.Column("b")), (("only one",),))


def test_markdown_keeps_every_text_and_escapes_it() -> None:
    text = markdown(EVERY)
    assert "<script>" not in text.replace(f"``{EVIL}``", "").replace(f"```\n{EVIL}\n```", "")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(row.replace(r"\|", "").count("|") >= 3 for row in rows)


def test_lines_are_for_a_terminal() -> None:
    said = list(lines(EVERY.blocks, 60))
    assert f"  {EVIL}" in said
    assert any(line.startswith("62.9%") for line in said)


def test_the_language_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert language() == "en"
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert language() == "ko"
    monkeypatch.setenv(VARIABLE, "en")
    assert language() == "en"
    with speaking("ko"):
        assert language() == "ko"
        assert tr("As a CSV") != "As a CSV"
        with speaking(""):
            assert language() == "ko"
    monkeypatch.setenv(VARIABLE, "klingon")
    with pytest.raises(DessinError, match="klingon"):
        language()
    with pytest.raises(DessinError, match=r"--language"), speaking("fr"):
        pass
    assert set(LANGUAGES) == {"en", "ko"}


def test_values_are_put_where_the_text_says() -> None:
    with speaking("en"):
        assert (
            tr_n("{n} thing of {whose}", "{n} things of {whose}", 1200, whose="{x}")
            == "1\u202f200 things of {x}"
        )
        words = told("Give {command} or {other}.", command=Code("a"), other="{b}")
        assert words == ("Give ", Code("a"), " or ", "{b}", ".")
        assert plain(words) == "Give a or {b}."


def test_a_wiki_s_pictures_are_files_beside_it_and_those_of_before_go(tmp_path: Path) -> None:
    out = tmp_path / "a wiki" / "page.md"
    write_markdown(out, EVERY)
    text = out.read_text()
    assert "page-pictures/001.png" in text
    files = sorted((out.parent / "page-pictures").iterdir())
    assert [file.name for file in files] == ["001.png"]
    assert np.asarray(Image.open(files[0])).shape == (8, 8)
    table = [line for line in text.splitlines() if line.startswith("| ![")]
    assert len(table) == 1
    write_markdown(out, b.Page("t", "", ()))
    assert list((out.parent / "page-pictures").iterdir()) == []
    assert "![" not in markdown(EVERY)
