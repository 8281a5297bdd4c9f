"""The site is whole: it builds without a warning, lacks no verb and no public name, and calls nobody."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import dessin
from dessin.verbs import VERBS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "docs" / "site"
PAPERS = sorted(path for folder in (ROOT, ROOT / "docs", ROOT / "examples") for path in folder.glob("*.md"))
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


class Page(HTMLParser):
    """What a page loads, where it leads, and which anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        if "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "shortcut icon"):
            self.loads.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run([sys.executable, str(TOOLS / "build.py"), str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.leads:
            address, anchor = urldefrag(unquote(link))
            if re.match(r"\w+:", address):
                continue
            target = (path.parent / address).resolve() if address else path
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                lost.append(f"{path.name}: {link}")
    assert not lost


def test_pages_load_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for address in page.loads:
            assert not re.match(r"(\w+:)?//", address), f"{path.name} loads {address}"
            assert (path.parent / urldefrag(address)[0].partition("?")[0]).exists(), f"{path.name}: {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), (
            style
        )


def test_the_reference_has_every_verb_with_every_option(site: Path, pages: dict[Path, Page]) -> None:
    assert {verb.name for verb in VERBS} | {"DessinError", "__version__", "load", "quiet"} == set(dir(dessin))
    for verb in VERBS:
        path = site / "reference" / f"verbs-{verb.group}.html"
        assert verb.name in pages[path].anchors
        text = path.read_text(encoding="utf-8")
        for argument in verb.arguments():
            assert argument.positional or argument.option in text, f"{verb.name} {argument.option}"


def test_the_reference_has_every_name_that_another_room_imports(site: Path) -> None:
    """Found here by another way than the site's: whatever `from dessin.ROOM.. import NAME` says elsewhere."""
    texts = {
        path.stem.removeprefix("room-"): path.read_text(encoding="utf-8")
        for path in (site / "reference").glob("room-*.html")
    }
    lacking = set()
    for path in (ROOT / "src" / "dessin").rglob("*.py"):
        mine = path.relative_to(ROOT / "src" / "dessin").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dessin."):
                home = str(node.module)
                room = home.split(".")[1]
                for name in {alias.name for alias in node.names} - {"*"} if room != mine else set():
                    place = (ROOT / "src").joinpath(*home.split("."), name)
                    if place.is_dir() or place.with_suffix(".py").exists():
                        continue
                    if f"<h3>{name}<" not in texts[room]:
                        lacking.add(f"{home}.{name}")
    assert not lacking


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert not [
        path.name for path in (ROOT / "docs").glob("*.md") if f"({path.name})" not in index + "(index.md)"
    ]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_paper_lead_to_files_of_the_repository(paper: Path) -> None:
    lost = [
        link
        for link in LINK.findall(paper.read_text(encoding="utf-8"))
        if (address := urldefrag(link)[0])
        and not (paper.parent / address).exists()
        and not (paper.name == "index.md" and address.startswith("reference/"))
    ]
    assert not lost


def test_a_verb_without_words_stops_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from dataclasses import replace

    import verb_pages
    from reference import MissingError

    silent = replace(VERBS[0])  # has not read its sentence yet
    monkeypatch.setattr(type(silent), "sentence", "no sentence")
    with pytest.raises(MissingError, match="whole sentence"):
        verb_pages.verb_section(silent)


def test_the_picture_has_every_room_in_the_order_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    order = [name.strip() for layer in contract["contracts"][0]["layers"] for name in layer.split("|")]
    drawn = (ROOT / "docs" / "pictures" / "rooms.svg").read_text(encoding="utf-8")
    names = re.findall(r'text-anchor="end" fill="#1a1f27">(\w+)<', drawn)
    assert names == [name.removeprefix("dessin.") for name in order], "run: python docs/site/rooms.py"
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
