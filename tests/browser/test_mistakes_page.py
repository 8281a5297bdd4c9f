"""The atlas of mistakes in a real Chromium, at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.collection.split import split
from dessin.demo.doodles import generate_doodles
from dessin.experiments.mistakes.verb import mistakes
from dessin.experiments.run import train
from dessin.progress import quiet
from dessin.recipe import make_recipe

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlas")
    with quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        generate_doodles(folder / "doodles", classes=12, per_class=10, seed=3)
        drawings = folder / "doodles" / "drawings"
        split(drawings, out=folder / "split.csv", folds=2)
        recipe = make_recipe(
            {
                "image": {"size": 48},
                "model": {"backbone": "test_efficientnet", "weights": "none"},
                "finetune": {"mode": "probe"},
            }
        )
        run = train(recipe, data=drawings, split=folder / "split.csv", out=folder / "run")
        mistakes(run, out=folder / "out")
    return folder / "out" / "atlas.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_atlas_is_whole_fits_its_width_and_asks_for_nothing(
    atlas: Path, browser: Browser, width: int
) -> None:
    opened = open_page(browser, atlas, width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") > 30
    assert opened.page.locator(".triple .shot").count() % 3 == 0
    opened.page.close()
