"""One Chromium for the tests of this folder, and where pictures of it are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright
from studio_server import FLAGS

from dessin.files import cache_folder
from dessin.serving.export.web.runtime import PACKAGE, VARIABLE, VERSION

_opened: list[tuple[Playwright, Browser]] = []


@pytest.fixture
def browser(chromium: str) -> Browser:
    if not _opened:
        playwright = sync_playwright().start()
        _opened.append((playwright, playwright.chromium.launch(executable_path=chromium, args=FLAGS)))
    return _opened[0][1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Close it once a process leaves this folder: other tests cannot have a loop of their own beside it."""
    yield
    if _opened and (nextitem is None or Path(__file__).parent not in nextitem.path.parents):
        playwright, browser = _opened.pop()
        browser.close()
        playwright.stop()


@pytest.fixture(scope="session")
def web_runtime() -> Path:
    """The folder with ONNX Runtime for browsers; without one the test is skipped loudly, in CI it fails."""
    folder = Path(os.environ.get(VARIABLE) or cache_folder() / PACKAGE / VERSION)
    if not folder.is_dir():
        message = f"No {PACKAGE} here, so pages of models were NOT opened in a browser (make runtime)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where pictures are kept: the folder that DESSIN_TEST_OUTPUT names, else the test's own."""
    return Path(os.environ.get("DESSIN_TEST_OUTPUT", tmp_path)) / "studio"
