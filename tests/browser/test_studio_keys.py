"""Drawings named in a real Chromium: by keys and by clicks, taken back, reloaded, and after a kill."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from studio_kit import CLASSES, make_drawings
from studio_server import DEADLINE_S, Window, begun, open_window

from dessin.reading import read_csv
from dessin.studio.texts import texts_in

pytestmark = pytest.mark.browser
TEXTS, KOREAN = texts_in("en"), texts_in("ko")
WAIT_MS = DEADLINE_S * 1000
KINDS = ("bars", "dots", "frames")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    made, folder = make_drawings(tmp_path / "made"), tmp_path / "workspace" / "scans"
    folder.mkdir(parents=True)
    for label, kind in zip(CLASSES, KINDS, strict=True):
        for path in (made / label).iterdir():
            path.rename(folder / f"{kind}-{path.name}")
    return folder


def labels(scans: Path) -> dict[str, str]:
    rows = read_csv(scans / "labels.csv", ("image_path", "label"))[1]
    return {row["image_path"]: row["label"] for row in rows}


def asked(page: Page) -> Locator:
    """The name of the drawing that is asked about."""
    return page.locator(".dessin.figures figcaption")


def press(window: Window, key: str) -> tuple[str, str]:
    """Press a key, and wait for the next drawing; the one that was named, and what the key stood for."""
    page = window.page
    drawing = asked(page).inner_text()
    stood_for = ""
    if key.isdigit():
        buttons = page.locator('[class*="st-key-label-is-"]')
        stood_for = buttons.filter(has_text=re.compile(f"{key}$")).locator("p").inner_text()
    page.keyboard.press(key)
    expect(asked(page)).not_to_have_text(drawing, timeout=WAIT_MS)
    window.settle()
    return drawing, stood_for


def test_drawings_are_named_by_keys_taken_back_and_gone_on_with(
    scans: Path, browser: Browser, output: Path
) -> None:
    with begun(str(scans.parent)) as (server, address):
        window = open_window(browser, address, 1280)
        page = window.page
        window.picture(output / "label-begin-1280.png")
        page.get_by_role("button", name=TEXTS("start.label")).click()
        asks = page.get_by_label(TEXTS("label.first"))
        # Every drawing is looked at first.
        expect(asks).to_be_visible(timeout=WAIT_MS)
        asks.fill("bars, dots, frames")
        page.keyboard.press("Enter")
        expect(asked(page)).to_be_visible(timeout=WAIT_MS)
        window.settle()
        window.picture(output / "label-first-1280.png")
        said = dict(press(window, key) for key in "123")
        assert sorted(said.values()) == sorted(KINDS)
        assert labels(scans) == said
        last = list(said)[-1]
        page.keyboard.press("u")
        expect(asked(page)).to_have_text(last, timeout=WAIT_MS)
        del said[last]
        assert labels(scans) == said
        window.settle()
        # A digit that is typed is a letter of a name.
        page.get_by_role("combobox", name=TEXTS("label.other")).click()
        page.keyboard.type("number 1")
        window.picture(output / "label-typed-1280.png")
        page.keyboard.press("Enter")
        expect(asked(page)).not_to_have_text(last, timeout=WAIT_MS)
        said[last] = "number 1"
        assert labels(scans) == said
        page.reload()
        expect(page.get_by_text(TEXTS("label.progress", labelled=3, drawings=28, passed=0))).to_be_visible(
            timeout=WAIT_MS
        )
        window.settle()
        page.get_by_role("button", name="dots").click()
        progress = page.get_by_text(TEXTS("label.progress", labelled=4, drawings=28, passed=0))
        expect(progress).to_be_visible(timeout=WAIT_MS)
        window.settle()
        window.picture(output / "label-1280.png")
        assert window.complaints == []
        page.close()
        four = labels(scans)
        for process in (*psutil.Process(server.pid).children(recursive=True), server):
            process.kill()
    with begun(str(scans.parent)) as (_, address):
        window = open_window(browser, f"{address}/label?lang=ko", 390)
        page = window.page
        expect(page.get_by_text(KOREAN("label.progress", labelled=4, drawings=28, passed=0))).to_be_visible(
            timeout=WAIT_MS
        )
        window.settle()
        assert labels(scans) == four
        assert window.widest() <= 390
        window.picture(output / "label-390.png")
        drawing, label = press(window, "1")
        assert labels(scans) == {**four, drawing: label}
        page.keyboard.press("s")
        expect(page.get_by_text(KOREAN("label.progress", labelled=5, drawings=28, passed=1))).to_be_visible(
            timeout=WAIT_MS
        )
        assert window.complaints == []
        page.close()
