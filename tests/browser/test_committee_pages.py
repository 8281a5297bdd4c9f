"""Every page that committees make, of tiny trained models, in a real Chromium at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from doodle_runs import doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.committees.distill.verb import distill
from dessin.committees.ensemble.verb import ensemble
from dessin.committees.families.verb import families
from dessin.committees.route.verb import route
from dessin.committees.soup.verb import soup
from dessin.recipe import make_recipe
from dessin.reports.verb import report
from dessin.runs.train import train

pytestmark = pytest.mark.browser

NAMES = ("ensemble", "student", "soup", "way", "families", "routed", "wrap-up", "ensembles alone")
TAUGHT = ("model.weights=none", "train.epochs=1", "image.size=32", "optimizer.lr=1e-3", "finetune.mode=full")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("committees")
    with doodles(folder, folds=2) as drawings, pytest.MonkeyPatch.context() as patch:
        patch.setattr("dessin.committees.distill.measure.ROUNDS", 1)
        dealt = folder / "split.csv"
        values = {
            "image": {"size": 32},
            "model": {"backbone": "test_efficientnet", "weights": "none"},
            "finetune": {"mode": "probe_then_full"},
            "augment": ["hflip"],
            "optimizer": {"lr": 2e-3},
            "train": {"epochs": 2, "batch_size": 8},
        }
        first = train(make_recipe(values), folds="all", data=drawings, split=dealt, out=folder / "first")
        longer = values | {"train": {"epochs": 3, "batch_size": 8}}
        second = train(make_recipe(longer), folds="all", data=drawings, split=dealt, out=folder / "second")
        ensemble([first, second], out=folder / "ensemble", views=["hflip"])
        given = {"student": "test_efficientnet", "overrides": TAUGHT, "views": ("identity",)}
        distill(folder / "ensemble", out=folder / "student", final=False, **given)
        soup([first / "fold-0", second / "fold-0"], out=folder / "soup")
        soup([second / "fold-0"], out=folder / "way", kind="wise")
        families([first, second], out=folder / "families.csv", count=2)
        route(first / "fold-0", families=folder / "families.csv", out=folder / "routed", experts="none")
        results = [folder / "ensemble", folder / "student"]
        report(*results, second / "fold-0", out=folder / "wrap-up.html")
        report(*results, out=folder / "ensembles alone.html")
    inside = {name: folder / name / "index.html" for name in NAMES[:4] + NAMES[5:6]}
    return inside | {name: folder / f"{name}.html" for name in ("families", *NAMES[6:])}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole_fits_its_width_and_asks_for_nothing(
    pages: dict[str, Path], browser: Browser, name: str, width: int
) -> None:
    opened = open_page(browser, pages[name], width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.querySelectorAll('h2').length") > 1
    assert opened.page.evaluate("[...document.images].every(i => i.alt)")
    opened.page.close()
