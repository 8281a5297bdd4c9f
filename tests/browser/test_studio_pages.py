"""The studio in a real Chromium: every page at two widths and in two languages, and ticks on disk at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from doodle_runs import doodle_run, doodles
from playwright.sync_api import Browser, expect
from studio_server import DEADLINE_S, Window, open_window, served

from dessin.audit.verb import audit
from dessin.collection.curation import read_curation
from dessin.collection.issues import read_issues
from dessin.studies.verb import study
from dessin.studio.texts import texts_in
from dessin.studio.views.issue_list import issues_of
from dessin.trust.mistakes.verb import mistakes

pytestmark = pytest.mark.browser
STUDY = """
hypothesis: Smaller steps are surer.
recipe: {image: {size: 32}, model: {backbone: test_efficientnet, weights: none}, train: {epochs: 1}}
factor: rate
levels: {usual: {}, small: {optimizer: {lr: 0.0007}}}
seeds: [0]
folds: [0]
"""
PAGES = ("data", "mistakes", "runs", "studies")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("studio")
    with doodles(folder) as drawings:
        torch.set_num_threads(1)
        audit(drawings, out=folder / "audit")
        doodle_run(drawings, folder, name="one", mode="full")
        doodle_run(drawings, folder, name="two", mode="full", seed=1)
        mistakes(folder / "one", out=folder / "wrong")
        (folder / "rates.yaml").write_text(STUDY)
        study(folder / "rates.yaml", data=drawings, split=folder / "split.csv", out=folder / "rates")
        yield folder


@pytest.fixture(scope="module")
def address(workspace: Path) -> Iterator[str]:
    with served(workspace) as address:
        yield address


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_whole_in_both_languages(
    address: str, browser: Browser, output: Path, width: int
) -> None:
    window = open_window(browser, address, width)
    page = window.page
    for code, language in (("en", "English"), ("ko", "한국어")):
        _sidebar(window, width, opened=True)
        texts = texts_in(code)
        page.get_by_text(language, exact=True).click()
        page.get_by_text(texts("frame.rescan")).first.wait_for(state="attached")
        window.settle()
        for name in PAGES:
            _sidebar(window, width, opened=True)
            page.locator(f'[data-testid="stSidebarNavLink"][href*="/{name}"]').click()
            page.locator("h1", has_text=texts(f"frame.{name}")).wait_for()
            window.settle()
            _sidebar(window, width, opened=False)
            assert page.locator("h1").count() == 1
            assert f"/{name}?lang={code}" in page.url
            assert page.locator('[data-testid="stException"], .dessin.error').count() == 0
            assert window.widest() <= width
            assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            window.picture(output / f"{name}-{code}-{width}.png")
    # What is in the page itself asks nobody.
    asked = [url for url in window.requests if not url.startswith(("data:", "blob:"))]
    assert {urlsplit(url).hostname for url in asked} == {"127.0.0.1"}
    assert window.complaints == []
    kept = [output / f"{name}-{code}-{width}.png" for name in PAGES for code in ("en", "ko")]
    assert all(file.stat().st_size > 0 for file in kept)
    page.close()


def test_a_tick_is_in_the_curation_file_and_out_of_it_again(
    address: str, browser: Browser, workspace: Path
) -> None:
    file = workspace / "curation.csv"
    assert not file.exists()
    window = open_window(browser, f"{address}/data", 1280)
    page = window.page
    page.get_by_text("Duplicates (").click()
    issues = issues_of(read_issues(workspace / "audit" / "issues.csv"), "duplicates")
    in_question = {image_id for one in issues for image_id in (one.image_id, one.other_id)}
    boxes = page.get_by_role("checkbox", name="Drop drawing")
    # While the page is drawn a later box may be there before the first one.
    expect(boxes).to_have_count(len(in_question), timeout=DEADLINE_S * 1000)
    window.settle()
    box = boxes.first
    # By keyboard, as somebody without a mouse would.
    box.press("Space")
    page.wait_for_function("document.body.innerText.includes('has 1 rows')", timeout=DEADLINE_S * 1000)
    changes = read_curation(file).changes
    assert [(change.image_id, change.action) for change in changes] == [(issues[0].image_id, "drop")]
    assert (workspace / "doodles" / "drawings" / changes[0].image_id).is_file()
    window.settle()
    expect(box).to_be_checked()
    box.press("Space")
    page.wait_for_function("document.body.innerText.includes('has 0 rows')", timeout=DEADLINE_S * 1000)
    assert read_curation(file).changes == ()
    page.close()


def _sidebar(window: Window, width: int, *, opened: bool) -> None:
    """On a phone the sidebar lies over the page until it is closed."""
    if width > 640:
        return
    there = "document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().right > 100"
    if window.page.evaluate(there) != opened:
        button = "stExpandSidebarButton" if opened else "stSidebarCollapseButton"
        if not opened:
            # It shows itself to a pointer over the sidebar.
            window.page.locator('[data-testid="stSidebarHeader"]').hover()
        window.page.locator(f'[data-testid="{button}"]').first.click()
        window.page.wait_for_function(f"({there}) === {str(opened).lower()}")
