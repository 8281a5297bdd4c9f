"""The suspect labels of an audit in a real Chromium, at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audit_kit import audit_with
from page_kit import check_whole, open_page
from PIL import Image
from playwright.sync_api import Browser

from dessin.collection.checks.base import LabelNumbers, LabelReview, SuspectLabel
from dessin.progress import quiet
from dessin.reading import read_csv

pytestmark = pytest.mark.browser

LABELS = ("<script>alert(1)", "Tür & <b>Tor", "withoutanybreak" * 6)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suspects")
    ids = [f"{label}/{number}.png" for label in LABELS for number in range(3)]
    for seed, image_id in enumerate(ids):
        path = folder / "data" / image_id
        path.parent.mkdir(parents=True, exist_ok=True)
        ink = np.random.default_rng(seed).integers(0, 2, (12, 12 + 3 * seed), dtype=np.uint8)
        Image.fromarray(np.kron(255 * ink, np.ones((9, 9), np.uint8))).save(path)
    suspects = tuple(
        SuspectLabel(
            image_id=image_id,
            given=LABELS[number // 3],
            suggested=LABELS[(number // 3 + 1) % 3],
            probability=0.5 + number / 20,
            score=0.9,
            like=ids[(number + 3) % 9] if number else "",
            unlike=ids[number // 3 * 3 + (number + 1) % 3],
        )
        for number, image_id in enumerate(ids)
    )
    numbers = LabelNumbers(
        judged=9,
        models="12 runs and 2 committees",
        accuracy=0.5,
        accuracy_low=0.4,
        accuracy_high=0.6,
        suspects=9,
        noise=0.1,
        noise_low=0.05,
        noise_high=0.2,
    )
    with quiet():
        audit_with(LabelReview(suspects, numbers), folder / "data", folder / "out")
    assert len(read_csv(folder / "out" / "issues.csv", ["image_id"])[1]) >= len(suspects)
    return folder / "out" / "index.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_suspects_are_whole_fit_the_width_and_lead_from_the_table(
    page_file: Path, browser: Browser, width: int
) -> None:
    opened = open_page(browser, page_file, width)
    check_whole(opened, width)
    page = opened.page
    assert page.evaluate("document.scripts.length") == 0
    cards = page.evaluate(
        """[...document.querySelectorAll('.wide .shot')].map(card => ({
            pictures: card.querySelectorAll('img').length,
            out: [...card.querySelectorAll('*')].filter(
                e => e.getBoundingClientRect().right > card.getBoundingClientRect().right).length,
            tops: [...card.querySelectorAll('.drawing > :first-child')].map(
                e => e.getBoundingClientRect().top)
        }))"""
    )
    assert [card["pictures"] for card in cards] == [2, *[3] * 8]
    assert [card["out"] for card in cards] == [0] * 9
    assert all(max(card["tops"]) - min(card["tops"]) < 1 for card in cards)
    page.click("a[href='#suspect_label']")
    assert (
        page.evaluate("Math.abs(document.querySelector('#suspect_label').getBoundingClientRect().top)") < 900
    )
    page.close()
