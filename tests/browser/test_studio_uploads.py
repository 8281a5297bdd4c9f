"""Files and folders dropped on Add drawings in a real Chromium: kept by class, or refused in words."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, FilePayload, expect
from studio_kit import CLASSES, make_drawings
from studio_server import DEADLINE_S, Window, open_window, served

from dessin.studio.drawings import read_drawings
from dessin.studio.inbox import make_class, make_collection, png_of
from dessin.studio.texts import texts_in
from dessin.studio.workspace import Workspace, scan_workspace

pytestmark = pytest.mark.browser
TEXTS, KOREAN = texts_in("en"), texts_in("ko")
WAIT_MS = DEADLINE_S * 1000
REFUSED = {"en": "cannot be read", "ko": "읽을 수 없습니다"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a collection that was made here, of one class."""
    root = tmp_path_factory.mktemp("uploads") / "workspace"
    root.mkdir()
    name = make_collection(Workspace(root), "zoo")
    make_class(read_drawings(scan_workspace(root), name), "bars", made=True)
    return root


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(root) as address:
        yield address


def bomb() -> bytes:
    """A PNG of a few kilobytes that would be 144 million pixels."""
    side = 12_000

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (side // 8 + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def adding(browser: Browser, address: str, width: int, by: str, language: str = "en") -> Window:
    """The page Add drawings, with one of its ways chosen."""
    window = open_window(browser, f"{address}/collect?lang={language}", width)
    way = texts_in(language)(f"collect.by_{by}")
    window.page.get_by_role("radiogroup").get_by_text(way, exact=True).click()
    window.page.locator("input[type=file]").wait_for(state="attached", timeout=WAIT_MS)
    window.settle()
    return window


def test_a_folder_is_dropped_and_its_folders_become_classes_after_asking(
    root: Path, address: str, browser: Browser, output: Path, tmp_path: Path
) -> None:
    made = make_drawings(tmp_path / "made")
    dropped = tmp_path / "dropped"
    dropped.mkdir()
    (made / CLASSES[0]).rename(dropped / "Bars")
    (made / CLASSES[2]).rename(dropped / "stars")
    (dropped / "notes.txt").write_text("no picture")
    window = adding(browser, address, 1280, "folder")
    page = window.page
    page.locator("input[type=file]").set_input_files(dropped)
    expect(page.get_by_text(TEXTS("collect.into_new", name="stars", count=9))).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text(TEXTS("collect.into", name="Bars", count=10))).to_be_visible()
    window.settle()
    window.picture(output / "folder-asked-1280.png")
    drawings = root / "zoo" / "drawings"
    assert sorted(path.name for path in drawings.iterdir()) == ["bars"], "nothing before it was asked"
    page.get_by_role("button", name=TEXTS("collect.keep_folder", count=19, classes=2)).click()
    expect(page.get_by_text(TEXTS("collect.kept", count=19))).to_be_visible(timeout=WAIT_MS)
    counts = {path.name: len(list(path.iterdir())) for path in drawings.iterdir()}
    assert counts == {"bars": 10, "stars": 9}
    assert window.complaints == []
    page.close()


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (390, "ko")])
def test_what_is_no_picture_too_large_or_named_like_a_path_is_refused_or_renamed_in_words(
    root: Path, address: str, browser: Browser, output: Path, width: int, language: str
) -> None:
    texts = texts_in(language)
    picture = png_of(np.full((40, 40, 3), 255, np.uint8))

    def file(name: str, data: bytes) -> FilePayload:
        return {"name": name, "mimeType": "image/png", "buffer": data}

    window = adding(browser, address, width, "files", language)
    page = window.page
    page.locator("input[type=file]").set_input_files(
        [file("text.png", b"no picture"), file("bomb.png", bomb()), file("../../out.png", picture)]
    )
    keep = texts("collect.keep_files", count=3, name="bars")
    page.get_by_role("button", name=keep).click(timeout=WAIT_MS)
    expect(page.get_by_text(texts("collect.kept", count=1))).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("text.png: ")).to_contain_text(REFUSED[language])
    expect(page.get_by_text("bomb.png: ")).to_contain_text("12000x12000")
    window.settle()
    window.picture(output / f"refused-{language}-{width}.png")
    assert window.widest() <= width
    page.locator("input[type=file]").set_input_files([file("large.png", bytes(8 * 2**20 + 1))])
    expect(page.get_by_text("8.0MB")).to_be_visible(timeout=WAIT_MS)
    assert not list(root.parent.glob("*out*"))
    assert not [path for path in root.rglob("*.png") if path.parent.parent != root / "zoo" / "drawings"]
    assert not [path for name in ("text", "bomb", "large") for path in root.rglob(f"{name}*")]
    assert page.locator('[data-testid="stException"]').count() == 0
    page.close()
