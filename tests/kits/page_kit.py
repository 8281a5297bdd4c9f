"""A page opened as a person would, with everything that it complains of and asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page


@dataclass(frozen=True)
class Opened:
    page: Page
    complaints: list[str]
    requests: list[str]


def open_page(browser: Browser, path: Path, width: int) -> Opened:
    """The page with all details open and all pictures decoded."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode() }))")
    return Opened(page, complaints, requests)


def check_whole(opened: Opened, width: int) -> None:
    """Nothing is wrong, nothing is asked for, every picture is there, and nothing is wider than the page."""
    page, urls = opened.page, opened.requests
    assert opened.complaints == []
    assert [url for url in urls if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in urls if url.startswith("file:")]) == 1
    assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title()
    if page.evaluate("document.body.className") == "dessin":
        check_accessible(page)


def check_accessible(page: Page) -> None:
    """axe finds nothing that is serious; pictures are as sharp as the screen; links lead somewhere."""
    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in {"serious", "critical"}]
    reasons = [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in serious]
    assert not serious, reasons
    blurred = "[...document.images].filter(i => !i.src.includes('svg') && i.naturalWidth < i.width / 2)"
    names = page.evaluate(f"{blurred}.map(i => `${{i.alt}}: ${{i.naturalWidth}} px at ${{i.width}}`)")
    assert not names, names
    links = page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    places = set(page.evaluate("[...document.querySelectorAll('[id]')].map(e => '#' + e.id)"))
    here = Path(unquote(urlparse(page.url).path)).parent
    gone = [to for to in links if not (to in places or to.startswith("data:") or (here / to).exists())]
    assert not gone, gone
