"""The home of a workspace: every result once, with its figure and a link that leads to it."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_runs import answers, made_run, made_split

from dessin.errors import DessinError
from dessin.page.numbers import share
from dessin.reports.verb import report
from dessin.runs.record import read_record, write_record

SPLIT = made_split()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for number, place in enumerate(("runs/first", "runs/a b#1", "sub/deeper/second")):
        made_run(tmp_path / place, SPLIT, answers(SPLIT, 0.5 + 0.1 * number, seed=number))
    made_run(tmp_path / ".stopped", SPLIT, answers(SPLIT, 0.5, seed=9))
    return tmp_path


def test_every_result_is_there_once_and_its_link_leads_to_it(workspace: Path) -> None:
    page = report(workspace, out=workspace / "pages" / "index.html")
    text = page.read_text()
    links = [unquote(to) for to in re.findall(r'<a href="([^"#]+)"', text) if not to.startswith("data:")]
    assert sorted(links) == sorted(
        f"../{place}/record.json" for place in ("runs/a b#1", "runs/first", "sub/deeper/second")
    )
    assert all((page.parent / to).is_file() for to in links)
    for place in ("runs/first", "runs/a b#1", "sub/deeper/second"):
        record = read_record(workspace / place)
        assert share(record.results["validation"].accuracy) in html.unescape(text)
        assert record.hardware.cpu in text
    assert "3 results" in text


def test_a_page_that_a_result_has_is_linked_instead_of_its_record(workspace: Path) -> None:
    report(workspace / "runs" / "first", out=workspace / "runs" / "first" / "index.html")
    text = report(workspace, out=workspace / "index.html").read_text()
    assert 'href="runs/first/index.html"' in text
    assert 'href="runs/first/record.json"' not in text


def test_who_carried_it_out_is_named_in_the_home_and_the_wrap_up(workspace: Path) -> None:
    first, second = workspace / "runs" / "first", workspace / "sub" / "deeper" / "second"
    wrap_up = report(first, second, out=workspace / "wrap-up.html")
    assert "no people: put the names beside them" in wrap_up.read_text()
    write_record(first, read_record(first).changed(who="Kim & <Lee>"))
    for page in (report(workspace, out=workspace / "index.html"), report(first, second, out=wrap_up)):
        assert "Kim &amp; &lt;Lee&gt;" in page.read_text()
        assert "no people" not in page.read_text()


def test_a_damaged_result_is_said_and_the_others_are_shown(workspace: Path) -> None:
    (workspace / "runs" / "first" / "record.json").write_text("{")
    text = report(workspace, out=workspace / "index.html").read_text()
    assert "Cannot be read" in text
    assert "runs/first: " in text
    assert "sub/deeper/second" in text


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DessinError, match="is no study, run or committee"):
        report(tmp_path / "empty", out=tmp_path / "index.html")
