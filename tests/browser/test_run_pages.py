"""Every page about a run, all of one small run, in a real Chromium at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from PIL import Image
from playwright.sync_api import Browser

from dessin.audit.verb import audit
from dessin.reports.compare.verb import compare
from dessin.reports.verb import report
from dessin.trust.card.verb import card
from dessin.trust.confidence.verb import calibrate
from dessin.trust.explain.verb import explain
from dessin.trust.robustness.corruption import STRENGTHS
from dessin.trust.robustness.suite import SUITE
from dessin.trust.whole.verb import trust

pytestmark = pytest.mark.browser

METHODS = ("gradcam", "hirescam", "occlusion")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run-pages")
    with doodles(folder, folds=2) as drawings:
        audit(drawings, out=folder / "audit")
        tuned = doodle_run(drawings, folder, name="tuned", mode="full")
        report(tuned, out=folder / "tuned.html")
        run, other = (doodle_run(drawings, folder, name=f"<b>run {seed}", seed=seed) for seed in (0, 1))
        card(run, out=folder / "card.html")
        compare([run, other], out=folder / "compared")
        # Confidence, mistakes, doubtful labels, robustness and maps in a folder each.
        trust(run, out=folder / "trust", budget="10h")
        explain(run, out=folder / "several", images=[drawings / "cat"], methods=METHODS)
        calibrate(run, out=folder / "confidence", precision=0.5, unknown=_others(folder / "others"))
    return folder


def _others(folder: Path) -> Path:
    for number in range(8):
        page = np.full((48, 48), 255, np.uint8)
        page[number :: 3 + number % 4] = 0
        place = folder / f"lines {number % 2}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(page).save(place)
    return folder


# The pictures that a page has at least.
PICTURES = {
    "audit/index.html": 6,
    "tuned.html": 6,
    "card.html": 0,
    "compared/index.html": 0,
    "trust/index.html": 0,
    "trust/confidence/index.html": 2,
    "trust/mistakes/index.html": 31,
    "trust/labels/index.html": 6,
    "trust/robustness/index.html": len(SUITE) * (STRENGTHS + 1),
    "trust/maps/index.html": 11,
    "several/index.html": 11,
    "confidence/index.html": 2,
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_whole_fits_its_width_and_asks_for_nothing(
    made: Path, browser: Browser, name: str, width: int
) -> None:
    opened = open_page(browser, made / name, width)
    check_whole(opened, width)
    page = opened.page
    assert page.evaluate("document.images.length") >= PICTURES[name]
    assert page.evaluate("[...document.images].every(i => i.alt)")
    page.close()


@pytest.mark.parametrize("name", ["card.html", "compared/index.html", "trust/index.html"])
def test_a_card_says_what_was_measured_and_what_was_not(made: Path, browser: Browser, name: str) -> None:
    page = open_page(browser, made / name, 1280).page
    text = page.inner_text("main").lower()
    for title in ("robust accuracy", "worst class", "calibration error", "leak check", "not tested on"):
        assert title in text
    page.close()


def test_two_cards_stand_side_by_side_at_desk_width_and_below_each_other_on_a_phone(
    made: Path, browser: Browser
) -> None:
    for width, beside in ((1280, True), (390, False)):
        page = open_page(browser, made / "compared" / "index.html", width).page
        first, second = (
            page.locator("#beyond tbody tr:first-child td").nth(n).bounding_box() for n in (1, 2)
        )
        assert first
        assert second
        assert (abs(first["y"] - second["y"]) < 2) is beside
        page.close()


def test_the_page_of_confidence_speaks_first(made: Path, browser: Browser) -> None:
    page = open_page(browser, made / "confidence" / "index.html", 1280).page
    assert page.locator("h1").inner_text() == "How sure may it be about drawings of drawings?"
    assert page.locator(".lead").inner_text().startswith("When it says ")
    assert "about <b>run 0." in page.locator("footer").inner_text()
    text = page.inner_text("main")
    assert "8 drawings of 2 classes" in text
    assert "Hidden classes, a stand-in" in text
    page.close()


def test_the_atlas_of_mistakes_is_told_in_order(made: Path, browser: Browser) -> None:
    page = open_page(browser, made / "trust" / "mistakes" / "index.html", 1280).page
    text = page.inner_text("main")
    assert "are taken for each other" in text
    assert (
        text.index("What is taken for what")
        < text.index("Which classes fail")
        < text.index("What to do next")
    )
    page.close()


@pytest.mark.parametrize(("name", "occluded"), [("trust/maps", False), ("several", True)])
def test_maps_are_tested_and_their_methods_named(
    made: Path, browser: Browser, name: str, occluded: bool
) -> None:
    page = open_page(browser, made / name / "index.html", 1280).page
    text = page.inner_text("main")
    assert "Do the maps tell the truth?" in text
    assert ("Occlusion" in text) is occluded
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_corruptions_stand_from_the_worst_to_the_best_and_no_cell_is_cut(
    made: Path, browser: Browser, width: int
) -> None:
    page = open_page(browser, made / "trust" / "robustness" / "index.html", width).page
    assert page.evaluate("document.scripts.length") == 0
    cells = page.evaluate(
        """[...document.querySelectorAll('td')].filter(cell => cell.offsetParent && cell.textContent.trim())
            .filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"""
    )
    assert cells == []
    dots = page.evaluate(
        "[...document.querySelectorAll('.effect:not(.scale) b')].map(b => b.getBoundingClientRect().x)"
    )
    assert len(dots) == len(SUITE)
    assert dots == sorted(dots)
    page.close()
