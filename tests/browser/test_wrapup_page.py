"""The wrap-up report of real studies in a real Chromium, at desk and phone width."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doodle_runs import doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.files import write_text
from dessin.recipe import make_recipe
from dessin.reports.verb import report
from dessin.runs.train import train
from dessin.studies.verb import study

pytestmark = pytest.mark.browser

RECIPE = {
    "image": {"size": 32},
    "model": {"backbone": "test_efficientnet", "weights": "none"},
    "finetune": {"mode": "full"},
    "augment": ["hflip"],
    "train": {"epochs": 2},
}
LEVELS = {
    "usual": {},
    "<script>alert(1)</script>": {"loss": "focal(2.0)"},
    "오리 " + "withoutanybreak" * 5: {"augment+": ["rotate(15)", "translate(0.1)", "thickness(0.8, 1.25)"]},
}
GRID = {
    "size of the picture": {"small": {}, "larger": {"image": {"size": 48}}},
    "rate": {"0.001": {"optimizer": {"lr": 0.001}}, "0.01": {"optimizer": {"lr": 0.01}}},
}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrapup")
    with doodles(folder) as drawings:
        plain = {"factor": "many things at once", "levels": LEVELS, "seeds": [0], "folds": [0]}
        grid = {"grid": GRID, "topic": "data", "seeds": [0], "folds": [1]}
        for name, values in (("plain", plain), ("grid", grid)):
            whole = {"hypothesis": "It helps & does no harm.", "recipe": RECIPE} | values
            write_text(folder / f"{name}.yaml", json.dumps(whole))
            study(
                folder / f"{name}.yaml",
                data=drawings,
                split=folder / "split.csv",
                out=folder / "studies" / name,
            )
        run = train(make_recipe(RECIPE), data=drawings, split=folder / "split.csv", out=folder / "run")
        studies = [folder / "studies" / name for name in ("plain", "grid")]
        return report(*studies, run, out=folder / "wrapup.html")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_wrap_up_is_whole_fits_its_width_and_asks_for_nothing(
    page_file: Path, browser: Browser, width: int
) -> None:
    opened = open_page(browser, page_file, width)
    check_whole(opened, width)
    assert opened.page.evaluate("document.images.length") > 5
    assert opened.page.evaluate("[...document.images].every(i => i.alt)")
    opened.page.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("study", ["plain", "grid"])
def test_the_page_of_a_study_is_whole(page_file: Path, browser: Browser, study: str, width: int) -> None:
    opened = open_page(browser, page_file.parent / "studies" / study / "index.html", width)
    check_whole(opened, width)
    opened.page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_forest_is_drawn_where_its_numbers_say(page_file: Path, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(page_file.as_uri())
    rows = page.evaluate(
        """[...document.querySelectorAll('.effect:not(.scale)')].map(row => {
            const box = name => row.querySelector(name).getBoundingClientRect()
            const dot = box('b'), zero = box('.zero'), range = box('.range'), plot = box('.plot')
            return {dot: dot.x + dot.width / 2, zero: zero.x, left: range.left, right: range.right,
                    from: plot.left, to: plot.right, height: plot.height,
                    value: parseFloat(row.querySelector('.value').textContent.replace('−', '-'))}
        })"""
    )
    assert len(rows) == 7  # two levels, three pairs of the grid and two main effects
    for row in rows:
        assert row["height"] > 0
        assert row["from"] - 1 <= row["left"] <= row["dot"] <= row["right"] <= row["to"] + 1
        if abs(row["value"]) >= 2:
            assert (row["dot"] > row["zero"]) == (row["value"] > 0)
    page.close()


def test_on_a_phone_every_number_of_a_level_can_be_read_without_scrolling(
    page_file: Path, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(page_file.as_uri())
    edges = page.evaluate(
        """[...document.querySelectorAll('[id^=study] td')].filter(cell => cell.offsetParent)
            .map(cell => cell.getBoundingClientRect().right)"""
    )
    assert edges
    assert max(edges) <= 390
    page.close()
