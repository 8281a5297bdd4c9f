"""The atlas of mistakes in a real Chromium, at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.trust.mistakes.verb import mistakes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlas")
    with doodles(folder, folds=2) as drawings:
        run = doodle_run(drawings, folder)
        mistakes(run, out=folder / "out")
    return folder / "out" / "index.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_atlas_is_whole_fits_its_width_and_asks_for_nothing(
    atlas: Path, browser: Browser, width: int
) -> None:
    opened = open_page(browser, atlas, width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") > 30
    text = opened.page.inner_text("main")
    assert "are taken for each other" in text
    assert (
        text.index("What is taken for what")
        < text.index("Which classes fail")
        < text.index("What to do next")
    )
    opened.page.close()
