"""Every page in Korean, of one small workspace: whole at two widths, and no English left in its prose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from doodle_runs import doodle_run, doodles
from page_kit import check_whole, open_page
from playwright.sync_api import Browser

from dessin.audit.verb import audit
from dessin.committees.ensemble.verb import ensemble
from dessin.committees.families.verb import families
from dessin.committees.soup.verb import soup
from dessin.language import VARIABLE
from dessin.recipe import make_recipe
from dessin.reports.compare.verb import compare
from dessin.reports.verb import report
from dessin.runs.train import train
from dessin.studies.verb import study
from dessin.trust.card.verb import card
from dessin.trust.confidence.verb import calibrate
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.explain.verb import explain
from dessin.trust.mistakes.verb import mistakes

pytestmark = pytest.mark.browser

STUDY = """
hypothesis: 좌우로 뒤집으면 도움이 됩니다.
factor: 뒤집기
recipe: {image: {size: 32}, model: {backbone: test_efficientnet, weights: none}, train: {epochs: 2},
         finetune: {mode: full}}
levels: {기준: {}, 뒤집음: {augment: [hflip]}}
seeds: [0]
folds: [0]
"""
# Words that no name of a file, a class or a setting is made of.
ENGLISH = re.compile(r"\b(the|of|and|is|are|was|were|with|that|this|from|which|its|these|by|than)\b", re.I)
# What a person reads as prose: no code, and no cells or notes under drawings, which are as records keep them.
PROSE = """[...document.querySelectorAll(
        'title, h1, h2, h3, h4, summary, th, dt, p, li, .chart figcaption, footer')]
    .map(part => { const own = part.cloneNode(true);
                   own.querySelectorAll('code, pre, ul, ol, table, svg, .table').forEach(one => one.remove());
                   return own.textContent.trim(); })"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    if not _has_korean_font():
        message = (
            "No font with Hangul here, so no Korean page was looked at (apt-get install fonts-noto-cjk)."
        )
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("korean")
    with doodles(folder) as drawings, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "ko")
        made = folder / "made"
        audit(drawings, out=made / "audit")
        first, second = (doodle_run(drawings, folder, name=f"run-{seed}", seed=seed) for seed in (0, 1))
        report(first, out=made / "run.html")
        mistakes(first, out=made / "mistakes")
        calibrate(first, out=made / "confidence")
        evaluate(first, out=made / "validation")
        evaluate(first, robustness=True, out=made / "robust")
        explain(first, out=made / "maps")
        card(first, out=made / "card.html")
        compare([first, second], out=made / "compared")
        ensemble([first, second], out=made / "ensemble")
        families([first], out=made / "families.csv", count=2)
        soup(_tuned(drawings, folder), out=made / "soup", kind="wise")
        (folder / "flip.yaml").write_text(STUDY, encoding="utf-8")
        study(folder / "flip.yaml", data=drawings, split=folder / "split.csv", out=folder / "flip")
        report(folder / "flip", made / "ensemble", first, out=made / "wrap-up.html")
    return sorted([*made.rglob("*.html"), *folder.glob("*/index.html")])


def _tuned(drawings: Path, folder: Path) -> list[Path]:
    """A run whose fine-tuning is better than its probe, so that there are steps between."""
    recipe = make_recipe(
        {
            "image": {"size": 32},
            "model": {"backbone": "test_efficientnet", "weights": "none"},
            "finetune": {"mode": "probe_then_full"},
            "optimizer": {"lr": 2e-3},
            "train": {"epochs": 3, "batch_size": 8},
        }
    )
    return [train(recipe, data=drawings, split=folder / "split.csv", out=folder / "tuned")]


def _has_korean_font() -> bool:
    if not shutil.which("fc-list"):
        return False
    return bool(subprocess.run(["fc-list", ":lang=ko"], capture_output=True, check=False).stdout.strip())


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_whole_and_has_no_english_left(
    pages: list[Path], browser: Browser, output: Path, width: int
) -> None:
    assert len(pages) >= 14
    left: list[str] = []
    for path in pages:
        name = "-".join(path.relative_to(path.parents[2]).with_suffix("").parts)
        opened = open_page(browser, path, width)
        check_whole(opened, width)
        assert opened.page.evaluate("document.documentElement.lang") == "ko"
        prose = opened.page.evaluate(PROSE)
        assert re.search("[가-힣]", " ".join(prose))
        left += [f"{name}: {text}" for text in prose if ENGLISH.search(text)]
        output.mkdir(parents=True, exist_ok=True)
        # As a JPEG, for a PNG of a long page takes a second.
        file = output / f"{name}-ko-{width}.jpg"
        opened.page.screenshot(path=file, type="jpeg", quality=80, full_page=True)
        opened.page.close()
    assert not left, "\n".join(left)


def test_english_that_was_left_would_be_seen() -> None:
    assert ENGLISH.search("그림 3장 are right")
    assert not ENGLISH.search("sun 폴드 0, tf_efficientnet_lite0, AUROC")
