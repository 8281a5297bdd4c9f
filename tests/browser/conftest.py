"""One Chromium for the tests of a module, and where pictures of it are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from dessin.files import cache_folder
from dessin.serving.export.web.runtime import PACKAGE, VARIABLE, VERSION

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    # A camera that shows a pattern, and may be used.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


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
