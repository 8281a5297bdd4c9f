"""The page of an ensemble in a real Chromium, at desk and phone width."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.committees.ensemble.result import EnsembleResults, MemberRow, PairRow, RuleRow, ViewsGain
from dessin.committees.ensemble.view import ensemble_page
from dessin.page.html import write_page
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

pytestmark = pytest.mark.browser

RULES = ("best single", "all soft", "all hard", "accuracy", "diversity", "weighted soft", "greedy")
CHOSEN = "weighted, hard vote"
NAMES = (
    "lite0",
    "<script>alert(1)</script>",
    "오리 " + "withoutanybreak" * 6,
    *(f"tf_efficientnet_lite{i} with rotation, thickness and colour off" for i in range(5)),
)


def result(value: float, *, around: float = 0.04) -> Estimate:
    return Estimate(value=value, low=value - around, high=value + around, n=12345)


def gain(name: str, value: float) -> Comparison:
    difference = result(value)
    return Comparison(
        name=name,
        against="best single",
        cells=1,
        images=12345,
        difference=difference,
        by_image=difference,
        seed_differences=(value,),
        p=0.0123,
        p_holm=0.0499,
        detectable=0.05,
        scope="these runs",
        verdict="cannot tell",
        verdict_text="cannot tell: <b>so few</b>",
    )


def rule(number: int, name: str, names: tuple[str, ...]) -> RuleRow:
    chosen = names[: 1 if number == 0 else 2 + number % 6]
    weights = {member: 1 / len(chosen) for member in chosen}
    return RuleRow(
        name=name,
        vote="hard" if "hard" in name else "soft",
        members=chosen,
        note="",
        naive=result(0.62 + 0.01 * number),
        nested=result(0.6 + 0.01 * number),
        optimism=result(0.02),
        gain=gain(name, 0.01 * number) if number else None,
        part_weights=(weights,) * 5,
    )


def results(names: tuple[str, ...]) -> EnsembleResults:
    """Results as wide as they come: long names, eight rules, views and temperatures."""
    rules = tuple(rule(i, name, names) for i, name in enumerate((*RULES, CHOSEN)))
    members = tuple(
        MemberRow(
            name=name,
            kind="folds",
            runs=tuple(f"runs/{i}/fold-{fold}" for fold in range(5)),
            folds=(0, 1, 2, 3, 4),
            accuracy=result(0.5 + 0.01 * i),
            loss=result(1.234),
            temperature=1.27,
            weights={rule.name: rule.part_weights[0].get(name, 0.0) for rule in rules},
        )
        for i, name in enumerate(names)
    )
    pairs = tuple(
        PairRow(first=first, second=second, disagreement=0.013 * i + 0.1, double_fault=0.2, q=0.9 - 0.06 * i)
        for i, first in enumerate(names)
        for second in names[i + 1 :]
    )
    return EnsembleResults(
        name="committee_" + "withoutanybreak" * 5,
        chosen=CHOSEN,
        select="weighted",
        rule="hard",
        scaled=True,
        seed=0,
        images=12345,
        groups=6789,
        classes=345,
        folds=(0, 1, 2, 3, 4),
        parts=5,
        matters=0.02,
        split="a" * 64,
        manifest="b" * 64,
        data="drawings",
        members=members,
        rules=rules,
        pairs=pairs,
        views=ViewsGain(
            views=("identity", "hflip", "rotate_left"), plain=result(0.66), gain=gain("views", 0.01)
        ),
        summary=("It gains <b>nothing</b>.", "A naive look claims more."),
        notes=("Two are clones.",),
        cautions=("The luck of a training is not in it.", "A holdout is the last word."),
        seconds=1.0,
    )


@pytest.fixture(scope="module", params=[8, 12, 30])
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = (*NAMES, *(f"member {i}" for i in range(request.param - len(NAMES))))
    path = tmp_path_factory.mktemp("ensemble") / "index.html"
    write_page(path, ensemble_page(results(names), path.parent))
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_the_ensemble_is_whole_fits_its_width_and_asks_for_nothing(
    page_file: Path, browser: Browser, width: int
) -> None:
    opened = open_page(browser, page_file, width)
    check_whole(opened, width)
    page = opened.page
    assert page.evaluate("[...document.images].every(i => i.alt)")
    assert page.evaluate("document.scripts.length") == 0
    wide = page.evaluate(
        """[...document.querySelectorAll('main *:not(thead, thead *)')]
            .filter(e => e.getBoundingClientRect().right > innerWidth || e.scrollWidth > innerWidth)
            .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_no_figure_of_a_table_runs_out_of_its_cell(page_file: Path, browser: Browser, width: int) -> None:
    page = open_page(browser, page_file, width).page
    cells = page.evaluate(
        """[...document.querySelectorAll('td')].filter(cell => cell.offsetParent && cell.textContent.trim())
            .filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"""
    )
    assert cells == []
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_dots_and_rings_lie_where_their_numbers_say(page_file: Path, browser: Browser, width: int) -> None:
    page = open_page(browser, page_file, width).page
    rows = page.evaluate(
        """[...document.querySelectorAll('.effect:not(.scale)')].map(row => {
            const box = name => row.querySelector(name).getBoundingClientRect()
            const middle = name => box(name).x + box(name).width / 2
            return {dot: middle('b'), ring: middle('.ring'), line: middle('.zero')}
        })"""
    )
    assert len(rows) == len(RULES) + 1
    dots = [row["dot"] for row in rows]
    assert dots == sorted(dots)
    assert all(row["ring"] > row["dot"] for row in rows)
    assert rows[0]["dot"] == pytest.approx(rows[0]["line"], abs=1.0)
    page.close()
