"""The page of `explain` in a real Chromium at desk and phone width, with one method and with several."""

from __future__ import annotations

from pathlib import Path

import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.trust.explain.verb import explain

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("explain")
    with doodles(folder) as drawings:
        run = doodle_run(drawings, folder, mode="full")
        explain(run, out=folder / "one")
        every = ("gradcam", "hirescam", "occlusion")
        explain(run, out=folder / "several", images=[drawings], methods=every)
    return {name: folder / name / "index.html" for name in ("one", "several")}


@pytest.mark.parametrize("name", ["one", "several"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_maps_is_whole_fits_its_width_and_asks_for_nothing(
    pages: dict[str, Path], browser: Browser, name: str, width: int
) -> None:
    opened = open_page(browser, pages[name], width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") > 10
    text = opened.page.inner_text("main")
    assert "Do the maps tell the truth?" in text
    assert ("Occlusion" in text) is (name == "several")
    opened.page.close()
