"""The page of the robustness suite in a real Chromium, at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.trust.evaluate.verb import evaluate
from dessin.trust.robustness.corruption import STRENGTHS
from dessin.trust.robustness.suite import SUITE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robustness")
    with doodles(folder) as drawings:
        run = doodle_run(drawings, folder)
        evaluate(run, out=folder / "out", robustness=True)
    return folder / "out" / "index.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_whole_fits_its_width_and_asks_for_nothing(
    page_file: Path, browser: Browser, width: int
) -> None:
    opened = open_page(browser, page_file, width)
    check_whole(opened, width)
    page = opened.page
    assert page.evaluate("document.images.length") == len(SUITE) * (STRENGTHS + 1)
    assert page.evaluate("[...document.images].every(i => i.alt)")
    assert page.evaluate("document.scripts.length") == 0
    cells = page.evaluate(
        """[...document.querySelectorAll('td')].filter(cell => cell.offsetParent && cell.textContent.trim())
            .filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"""
    )
    assert cells == []
    page.close()


def test_corruptions_stand_from_the_worst_to_the_best(page_file: Path, browser: Browser) -> None:
    page = open_page(browser, page_file, 1280).page
    dots = page.evaluate(
        "[...document.querySelectorAll('.effect:not(.scale) b')].map(b => b.getBoundingClientRect().x)"
    )
    assert len(dots) == len(SUITE)
    assert dots == sorted(dots)
    page.close()
