"""The HTML that people read, opened in a real Chromium at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.audit.verb import audit
from dessin.collection.split.verb import split
from dessin.doodles.doodles import generate_doodles
from dessin.progress import quiet
from dessin.recipe import make_recipe
from dessin.reports.verb import report
from dessin.runs.train import train

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    with quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        generate_doodles(folder / "doodles", classes=12, per_class=10, seed=3)
        drawings = folder / "doodles" / "drawings"
        audit(drawings, out=folder / "audit")
        split(drawings, out=folder / "split.csv", folds=3)
        recipe = make_recipe(
            {
                "image": {"size": 48},
                "model": {"backbone": "test_efficientnet", "weights": "none"},
                "finetune": {"mode": "full"},
                "augment": ["hflip"],
                "train": {"epochs": 2},
            }
        )
        run = train(recipe, data=drawings, split=folder / "split.csv", out=folder / "run")
        report(run, out=folder / "index.html")
    return {"audit": folder / "audit" / "index.html", "run": folder / "index.html"}


@pytest.mark.parametrize("name", ["audit", "run"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_whole_fits_its_width_and_asks_for_nothing(
    pages: dict[str, Path], browser: Browser, name: str, width: int
) -> None:
    opened = open_page(browser, pages[name], width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") > 5
    opened.page.close()
