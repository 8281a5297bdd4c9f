"""One Chromium for the tests of a module, and where pictures of it are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where pictures are kept: the folder that DESSIN_TEST_OUTPUT names, else the test's own."""
    return Path(os.environ.get("DESSIN_TEST_OUTPUT", tmp_path)) / "studio"
