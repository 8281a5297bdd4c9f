from __future__ import annotations

import json
import re
import shlex
import struct
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scribbles import encode, scribble, write_drawings

from dessin.audit.measure import summarise
from dessin.audit.result import AuditResult
from dessin.audit.verb import audit
from dessin.audit.view import describe_audit, describe_faults
from dessin.cli import app
from dessin.collection.issues import read_issues
from dessin.collection.manifest import read_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import read_split
from dessin.doodles.photograph import photograph
from dessin.errors import DessinError
from dessin.progress import quiet

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)<"  # a folder's name may hold anything but a slash


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def collection(root: Path) -> Path:
    copied = scribble(0)
    drawings = {
        f"{label}/{n:02d}.png": encode(scribble(100 * k + n))
        for k, label in enumerate(("cat", "dog", EVIL))
        for n in range(1, 5)
    }
    drawings |= {
        "cat/copy.png": encode(copied),
        "dog/copy.jpg": encode(np.fliplr(copied), ".jpg"),
        "dog/gray.png": encode(scribble(900)[..., :1]),
        f"{EVIL}/broken.png": b"\x89PNG",
        "cat/._copy.png": b"litter",
    }
    return write_drawings(root, drawings)


@pytest.fixture(scope="module")
def audited(tmp_path_factory) -> tuple[Path, AuditResult]:
    folder = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        result = audit(collection(folder / "my drawings"), out=folder / "out", group=r"(\w+)\.\w+$")
    return folder / "out", result


def test_the_folder_holds_the_four_files_and_nothing_else(audited):
    out, _ = audited
    assert {path.name for path in out.iterdir()} == {
        "index.html",
        "issues.csv",
        "summary.json",
        "manifest.csv",
    }


def test_the_files_hold_what_the_result_holds(audited):
    out, result = audited
    assert {(i.image_id, i.issue, i.other_id) for i in read_issues(out / "issues.csv")} == {
        (i.image_id, i.issue, i.other_id) for i in result.issues
    }
    assert json.loads((out / "summary.json").read_text()) == result.summary.model_dump(mode="json")
    manifest = read_manifest(out / "manifest.csv", result.manifest.root)
    assert manifest.digest == result.summary.manifest_digest == result.manifest.digest
    assert {row.group for row in manifest.rows} >= {"copy", "gray", "01"}


def test_planted_faults_are_in_the_issues(audited):
    _, result = audited
    found = {(i.issue, i.image_id, i.other_id) for i in result.issues}
    assert found >= {
        ("unreadable", f"{EVIL}/broken.png", ""),
        ("near_duplicate", "dog/copy.jpg", "cat/copy.png"),
        ("label_conflict", "dog/copy.jpg", "cat/copy.png"),
        ("label_conflict", "cat/copy.png", "dog/copy.jpg"),
        ("mode_differs", "dog/gray.png", ""),
    }


def test_the_summary_adds_up(audited):
    _, result = audited
    summary = result.summary
    assert summary.images == sum(summary.class_counts.values()) == 16
    assert summary.readable == sum(summary.modes.values()) == sum(summary.formats.values()) == 15
    assert summary.modes == {"RGB": 14, "L": 1}
    assert list(summary.skipped.values()) == [1]
    assert summary.duplicates.model_dump() == {
        "bytes": 0,
        "pixels": 0,
        "near": 1,
        "within_class": 0,
        "across_classes": 1,
        "sets": 1,
    }
    assert summary.width is not None
    assert summary.width.least == summary.width.most == 200
    assert {f.name: f.classes for f in summary.families} == {"animals": 2, "other mammals": 1, "dogs": 1}


def test_the_report_is_escaped_and_needs_nothing_from_outside(audited):
    out, _ = audited
    page = Page((out / "index.html").read_text())
    assert EVIL in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    sources = [
        attributes[name] or ""
        for _, attributes in page.tags
        for name in ("src", "href")
        if name in attributes
    ]
    assert sources
    assert all(source.startswith(("data:image/", "data:text/csv", "#")) for source in sources)
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {source[1:] for source in sources if source.startswith("#")} <= targets
    assert "url(" not in (out / "index.html").read_text()


def test_the_report_shows_every_class_the_pair_and_the_commands(audited):
    out, _ = audited
    source = (out / "index.html").read_text()
    page = Page(source)
    sheets = [a for tag, a in page.tags if tag == "img" and "drawings of" in (a.get("alt") or "")]
    assert [a["alt"] for a in sheets] == [f"5 drawings of {name}" for name in (EVIL,)] + [
        "5 drawings of cat",
        "6 drawings of dog",
    ]
    assert re.search(r"hflip.*two labels", page.text, re.DOTALL)
    assert "--group '(\\w+)\\.\\w+$' --curation curation.csv" in page.text
    assert "my drawings' --issues" in page.text


def test_two_audits_write_the_same_bytes(audited, tmp_path):
    out, result = audited
    audit(result.manifest.root, out=tmp_path / "again", group=r"(\w+)\.\w+$")
    for name in ("issues.csv", "summary.json", "manifest.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    first, again = ((folder / "index.html").read_text() for folder in (out, tmp_path / "again"))
    assert first.replace(str(out), "OUT") == again.replace(str(tmp_path / "again"), "OUT")


def test_the_words_name_every_issue_found(audited):
    _, result = audited
    words = describe_audit(result.summary)
    assert "15 of 16 images are readable" in words
    for kind, count in result.summary.issues.items():
        assert (kind in words) == (count > 0)


def test_screen_and_page_count_images_where_one_is_named_twice(audited):
    """A drawing that is a copy of two others is two lines of issues.csv, and one image."""
    _, result = audited
    one = next(issue for issue in result.issues if issue.issue == "near_duplicate")
    issues = (*result.issues, replace(one, other_id=result.manifest.rows[0].image_id))
    collection = read_collection(result.manifest.root, group=r"(\w+)\.\w+$")
    summary = summarise(collection, result.manifest, result.scan, result.pairs, issues)
    before = result.summary.images_of["near_duplicate"]
    assert summary.issues["near_duplicate"] == result.summary.issues["near_duplicate"] + 1
    assert summary.images_of["near_duplicate"] == before
    line = next(line for line in describe_audit(summary).splitlines() if "near_duplicate" in line)
    assert line.split()[:2] == ["near_duplicate", str(before)]
    old = summary.model_copy(update={"named": {}})
    assert old.images_of == {kind: count for kind, count in summary.issues.items() if count}


def test_only_broken_files_still_give_a_report(tmp_path):
    data = write_drawings(tmp_path / "d", {"a/1.png": b"", "b/2.png": b"x"})
    result = audit(data, out=tmp_path / "out")
    assert result.summary.readable == 0
    assert result.summary.width is None
    assert [i.issue for i in result.issues] == ["unreadable", "unreadable"]
    assert (tmp_path / "out" / "index.html").is_file()


def test_what_cannot_be_read_is_said_with_the_limit_and_the_cure(tmp_path):
    header = struct.pack(">IIBBBBB", 9000, 6700, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    scan = b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks
    )
    drawings = {f"{'ab'[n % 2]}/{n}.png": encode(scribble(700 + n)) for n in range(4)}
    drawings["b/scan.png"] = b"\x89PNG\r\n\x1a\n" + scan
    result = audit(write_drawings(tmp_path / "d", drawings), out=tmp_path / "out")
    assert next(describe_faults(result.issues)) == (
        "1 image cannot be read: b/scan.png (60.3 million pixels (9000x6700); up to 40 million are read: "
        "save it smaller, for example at 300 dpi)"
    )


def test_an_occupied_folder_is_refused_and_left_alone(tmp_path):
    data = collection(tmp_path / "d")
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        audit(data, out=out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_sticks_out_sideways_in_a_browser(audited, chromium, width):
    from playwright.sync_api import sync_playwright

    out, _ = audited
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((out / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = "[...document.images].filter(i => i.loading != 'lazy' && !i.naturalWidth).length"
        assert page.evaluate(broken) == 0
        assert complaints == []
        browser.close()


def test_copies_beyond_belief_are_shown_and_left_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dessin.progress._quiet", False)
    drawn = {n: scribble(n) for n in range(7)}
    files = {f"cat/{n}.png": encode(drawn[n]) for n in drawn}
    files |= {f"dog/{n}.png": encode(np.fliplr(drawn[n])) for n in drawn}
    audit(write_drawings(tmp_path / "drawings", files), out=tmp_path / "out")
    assert "Label conflicts: 14 of 14 images (100%), more than a fifth" in capsys.readouterr().err
    source = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    shown = source[source.index('id="too_many"') : source.index('id="numbers"')]
    assert shown.count("data:image/jpeg") == 12
    steps = Page(source).text
    assert "--kinds unreadable,exact_duplicate,label_conflict --out curation-all.csv" in steps


def test_what_is_printed_works_when_it_is_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dessin.progress._quiet", False)
    pupils = ("anna", "ben", "mia", "max", "emma", "noah", "olivia", "paul")
    files = {
        f"{c}/{p}_{i}.png": encode(scribble(100 * k + 10 * n + i))
        for k, c in enumerate(("cat", "dog"))
        for n, p in enumerate(pupils)
        for i in (1, 2)
    }
    data = write_drawings(tmp_path / "my drawings", files)
    app(["audit", str(data), "--out", str(tmp_path / "audit")], standalone_mode=False)
    said = capsys.readouterr().err
    assert "32 names share 8 beginnings, such as anna: the same photo or pupil? Then add --group" in said
    page = (tmp_path / "audit" / "index.html").read_text(encoding="utf-8")
    assert "32 names share 8 beginnings" in page.replace("\u202f", " ")
    option = said[said.index("--group") : said.index(", or the model")]
    command = ["split", str(data), *shlex.split(option), "--folds", "4", "--out", str(tmp_path / "split.csv")]
    app(command, standalone_mode=False)
    assert "share" not in capsys.readouterr().err
    rows = read_split(tmp_path / "split.csv").rows
    assert len({row.group for row in rows}) == 8
    assert all(len({row.fold for row in rows if f"/{p}_" in row.image_id}) == 1 for p in pupils)


def test_the_report_shows_a_photograph_beside_the_page_that_a_model_sees(tmp_path):
    shot = photograph(scribble(1), seed=2, name="1", side=400).jpeg()
    data = write_drawings(tmp_path / "d", {"a/1.jpg": shot, "a/2.png": encode(scribble(2))})
    result = audit(data, out=tmp_path / "out")
    assert result.summary.issues["photograph"] == 1
    page = Page((tmp_path / "out" / "index.html").read_text())
    assert page.text.count("as it was taken") == page.text.count("as the model sees it") == 1
    assert "Photographs of pages" in page.text
