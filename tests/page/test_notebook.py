"""What a verb returns, as a notebook shows it: short, whole, escaped, and the same result as before."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dessin.errors import DessinError
from dessin.page import blocks as b
from dessin.page.dots import Dot, dot_plot
from dessin.page.html import fragment
from dessin.page.notebook import Shown, ShownDict, ShownList, ShownPath, ShownTuple
from dessin.page.pictures import image_data_uri
from dessin.page.text import markdown
from dessin.page.words import Link
from dessin.results import Result
from dessin.schema import Section
from dessin.statistics.intervals import Estimate

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
PICTURE = b.Picture(image_data_uri(PIXELS), "a drawing")
PLOT = b.Dots(
    dot_plot([Dot("first", "50%", "first: 50%", 0.5, 0.4, 0.6, hollow=0.55)], line=0.5, band=(0.4, 0.5))
)
PAGE = b.Page(
    "<b>Cats</b> & dogs",
    "62% are right.",
    (
        b.Links(((Link("mistakes", "mistakes/index.html"), ""), (Link("there", "#there"), ""))),
        b.Section("Drawings", (b.Gallery((b.Shot((PICTURE,)),)),), anchor="there"),
        PLOT,
    ),
)


class Inner(Section):
    depth: int


class Line(Section):
    name: str
    accuracy: Estimate
    inner: Inner
    where: tuple[int, ...] = ()


class Found(Result):
    FILE = "found.json"
    TABLE = "lines"

    title: str
    others: tuple[Inner, ...] = (Inner(depth=9),)
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Thing:
    name: str
    path: Path


@dataclass(frozen=True, repr=False)
class Held(Shown):
    things: dict[str, Thing]
    count: int = 2


FOUND = Found(
    title="x",
    lines=tuple(
        Line(name=f"n{place}", accuracy=Estimate(0.5, 0.4, 0.6, 10), inner=Inner(depth=place))
        for place in range(30)
    ),
)


def found() -> Found:
    return FOUND.model_copy()


def test_a_result_says_itself_in_one_short_line() -> None:
    shown = found().with_page(PAGE)
    assert repr(shown) == "Found: <b>Cats</b> & dogs. 62% are right."
    long = found().with_page(b.Page("a" * 500, "b\nc", ()))
    assert len(repr(long)) <= 160
    assert "\n" not in repr(long)
    assert repr(found()) == "Found: 30 lines, 1 others"


def test_a_page_is_shown_as_it_is_drawn_elsewhere_and_nothing_becomes_markup() -> None:
    shown = found().with_page(PAGE)
    assert shown._repr_html_() == fragment(PAGE)
    assert shown.to_markdown() == markdown(PAGE)
    assert "<b>Cats" not in shown._repr_html_()


def test_links_start_from_where_the_result_lies() -> None:
    html = found().with_page(PAGE, Path("out") / "a b")._repr_html_()
    assert 'href="out/a%20b/mistakes/index.html"' in html
    assert 'href="#there"' in html


def test_a_page_that_takes_long_is_made_once_and_only_when_it_is_looked_at() -> None:
    made = []

    def page() -> b.Page:
        made.append(1)
        return PAGE

    shown = found().with_page(page)
    assert not made
    assert shown.as_page() is shown.as_page() is PAGE
    assert made == [1]


def test_the_page_is_no_part_of_the_result(tmp_path: Path) -> None:
    shown = found().with_page(PAGE, tmp_path)
    assert shown == FOUND
    assert shown.model_dump() == FOUND.model_dump()
    shown.write(tmp_path)
    assert Found.read(tmp_path) == shown
    assert "Cats" not in (tmp_path / "found.json").read_text(encoding="utf-8")


def test_rows_become_a_frame_with_columns_for_the_ends_of_intervals() -> None:
    frame = found().to_frame()
    assert list(frame.columns) == [
        "name",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "inner.depth",
        "where",
    ]
    assert frame["inner.depth"].tolist() == list(range(30))
    assert frame["accuracy_low"].tolist() == [0.4] * 30
    assert found().to_frame("others")["depth"].tolist() == [9]
    held = Held({"a": Thing("cat", Path("x"))}).to_frame()
    assert held.to_dict("records") == [{"name": "cat", "path": "x"}]
    with pytest.raises(DessinError, match="lines"):
        found().to_frame("line")


def test_without_pandas_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DessinError, match="needs pandas") as error:
        found().to_frame()
    assert "[notebook]" in error.value.do


def test_what_has_no_page_shows_its_first_rows_and_says_how_many_more() -> None:
    html, text = found()._repr_html_(), found().to_markdown()
    assert "n11" in html
    assert "n12" not in html
    assert "18 more" in text
    assert "0.5 \\[0.4, 0.6\\]" in text


@pytest.mark.parametrize(
    ("thing", "length"),
    [
        (ShownTuple([Thing("a", Path("x"))] * 3), 3),
        (ShownList([Thing("a", Path("x"))]), 1),
        (ShownDict({"Python": "3.11"}), 1),
        (ShownTuple([]), 0),
    ],
)
def test_several_things_are_a_frame_and_stay_what_they_were(thing: Shown, length: int) -> None:
    assert len(thing.to_frame()) == length
    assert len(repr(thing)) < 100
    assert thing._repr_html_()
    assert thing == type(thing).__mro__[2](thing)


def test_a_path_stays_a_path(tmp_path: Path) -> None:
    shown = ShownPath(tmp_path).with_page(PAGE)
    assert shown == tmp_path
    assert isinstance(shown, Path)
    assert (shown / "a").name == "a"
    assert shown._repr_html_() == fragment(PAGE)
    assert repr(shown) == f"Path({str(tmp_path)!r})"


def test_plots_are_the_page_s_charts_and_then_its_drawings(tmp_path: Path) -> None:
    shown = found().with_page(PAGE)
    chart, drawing = shown.plot(), shown.plot(1)
    assert (chart.kind, drawing.kind) == ("svg", "png")
    assert b"first" in chart.data
    assert drawing.data == base64.b64decode(PICTURE.source.partition(",")[2])
    assert "data:image/svg+xml" in chart._repr_html_()
    assert drawing.save(tmp_path / "x.png").read_bytes() == drawing.data
    with pytest.raises(DessinError, match="svg"):
        chart.save(tmp_path / "x.png")
    for number in (2, -1):
        with pytest.raises(DessinError, match="2 pictures"):
            shown.plot(number)
    with pytest.raises(DessinError, match="0 pictures"):
        found().plot()
