"""The page of `explain` in a real Chromium at desk and phone width, with one method and with several."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.collection.split import split
from dessin.demo.doodles import generate_doodles
from dessin.experiments.explain.verb import explain
from dessin.experiments.run import train
from dessin.progress import quiet
from dessin.recipe import make_recipe

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("explain")
    with quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        generate_doodles(folder / "doodles", classes=12, per_class=10, seed=3)
        drawings = folder / "doodles" / "drawings"
        split(drawings, out=folder / "split.csv", folds=3)
        recipe = make_recipe(
            {
                "image": {"size": 48},
                "model": {"backbone": "test_efficientnet", "weights": "none"},
                "finetune": {"mode": "full"},
                "train": {"epochs": 2},
            }
        )
        run = train(recipe, data=drawings, split=folder / "split.csv", out=folder / "run")
        explain(run, out=folder / "one")
        every = ("gradcam", "hirescam", "occlusion")
        explain(run, out=folder / "several", images=[drawings], methods=every)
    return {name: folder / name / "report.html" for name in ("one", "several")}


@pytest.mark.parametrize("name", ["one", "several"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_maps_is_whole_fits_its_width_and_asks_for_nothing(
    pages: dict[str, Path], browser: Browser, name: str, width: int
) -> None:
    opened = open_page(browser, pages[name], width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") > 10
    # A picture is as wide as its tile, and no tile is wider than the page.
    assert opened.page.evaluate(
        "[...document.querySelectorAll('.tiles figure')].every(f => f.scrollWidth <= f.clientWidth)"
    )
    opened.page.close()
