"""The trust card, and two of them beside each other, opened in a real Chromium at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.reports.compare.verb import compare
from dessin.trust.card.verb import card
from dessin.trust.whole.verb import trust

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trust-pages")
    with doodles(folder) as drawings:
        for seed in (0, 1):
            doodle_run(drawings, folder, name=f"run-{seed}", seed=seed)
        card(folder / "run-0", out=folder / "card.html")
        compare([folder / "run-0", folder / "run-1"], out=folder / "compared")
        trust(folder / "run-0", out=folder / "trust", budget="10h")
    return {
        "whole": folder / "trust" / "index.html",
        "card": folder / "card.html",
        "compared": folder / "compared" / "index.html",
    }


@pytest.mark.parametrize("name", ["card", "compared", "whole"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_whole_and_fits_its_width(
    pages: dict[str, Path], browser: Browser, name: str, width: int
) -> None:
    opened = open_page(browser, pages[name], width)
    check_whole(opened, width)
    text = opened.page.inner_text("main").lower()
    for title in ("robust accuracy", "worst class", "calibration error", "leak check", "not tested on"):
        assert title in text
    opened.page.close()


def test_two_cards_stand_side_by_side_at_desk_width_and_below_each_other_on_a_phone(
    pages: dict[str, Path], browser: Browser
) -> None:
    for width, beside in ((1280, True), (390, False)):
        opened = open_page(browser, pages["compared"], width)
        first, second = (
            opened.page.locator("#beyond tbody tr:first-child td").nth(n).bounding_box() for n in (1, 2)
        )
        assert first
        assert second
        assert (abs(first["y"] - second["y"]) < 2) is beside
        opened.page.close()
