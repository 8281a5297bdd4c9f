"""A page opened as a person would, with everything that it complains of and asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
