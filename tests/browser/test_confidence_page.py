"""The page of a model's confidence in a real Chromium, at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from PIL import Image
from playwright.sync_api import Browser

from dessin.page.html import PAGE_FILE
from dessin.trust.confidence.verb import calibrate

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confidence")
    with doodles(folder) as drawings:
        for number in range(8):
            page = np.full((48, 48), 255, np.uint8)
            page[number :: 3 + number % 4] = 0
            place = folder / "others" / f"lines {number % 2}" / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(page).save(place)
        run = doodle_run(drawings, folder, name="<b>run")
        calibrate(run, out=folder / "out", precision=0.5, unknown=folder / "others")
    return folder / "out" / PAGE_FILE


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_whole_fits_its_width_and_speaks_first(page: Path, browser: Browser, width: int) -> None:
    opened = open_page(browser, page, width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") == 3
    assert opened.page.locator("h1").inner_text() == "How sure may it be about drawings of drawings?"
    assert opened.page.locator(".lead").inner_text().startswith("When it says ")
    assert "about <b>run." in opened.page.locator("footer").inner_text()
    text = opened.page.inner_text("main")
    assert "8 drawings of 2 classes" in text
    assert "Hidden classes, a stand-in" in text
    opened.page.close()
