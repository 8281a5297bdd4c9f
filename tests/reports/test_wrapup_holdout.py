"""Looks at the holdout are counted in the wrap-up and on cards, whoever looked: runs, folds, committees."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.committee import read_committee
from dessin.committees.ensemble.verb import ensemble
from dessin.page.numbers import share
from dessin.progress import quiet
from dessin.reports.verb import report
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.trust.card.sources import read_sources
from dessin.trust.card.verb import card
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two groups of three folds, and a committee of them."""
    with apart(tmp_path_factory.mktemp("looks")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for seed in (0, 1):
            recipe = tiny_recipe("probe", seed=seed)
            train(recipe, folds="all", data=data, split=split, out=folder / f"group-{seed}", threads=1)
        ensemble([folder / "group-0", folder / "group-1"], out=folder / "both")
        yield folder


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Path:
    """Copies, to be opened."""
    for name in ("group-0", "both"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def page_of(*sources: Path) -> str:
    return report(*sources, out=sources[0].parent / "page.html").read_text().replace("\u202f", " ")


def test_a_committee_that_was_opened_is_counted_and_its_figure_told(work: Path) -> None:
    both, run = work / "both", work / "group-0" / "fold-1"
    assert "Never opened, over the 1 run and 1 committee whose" in page_of(both, run)
    found = evaluate(both, holdout=True)
    assert len(read_committee(both / "committee").holdout_opened) == 1
    page = page_of(both, run)
    assert "Opened once, over the 1 run and 1 committee whose" in page
    assert f"Its holdout was opened once: {share(found.metrics.accuracy)}, n = {found.metrics.n}." in page
    evaluate(run, holdout=True)
    evaluate(both, holdout=True, views=("hflip",))
    assert "Opened 3 times, over the 1 run and 1 committee whose" in page_of(both, run)


def test_a_fold_s_opening_is_on_the_card_of_its_group_and_the_other_way_round(work: Path) -> None:
    group = work / "group-0"
    fold = group / "fold-0"
    evaluate(fold, holdout=True)
    assert (read_sources(group).opened, read_sources(group).own) == (1, 0)
    told = {fact.key: fact for fact in card(group, out=work / "card.html").facts}["holdout"]
    assert told.value == ""
    assert "Opened once by other models of its folds" in told.detail
    assert "still locked" not in " ".join(card(group, out=work / "card.html").untested)
    evaluate(group, holdout=True)
    looks = len(read_record(fold).holdout_opened) + len(read_committee(group).holdout_opened)
    assert read_sources(fold).opened == read_sources(group).opened == looks == 2
    told = {fact.key: fact for fact in card(fold, out=work / "card.html").facts}["holdout"]
    assert "opened 2 times, 1 of them by this model" in told.detail


def test_a_run_that_is_given_twice_by_its_parents_is_counted_once(work: Path) -> None:
    group = work / "group-0"
    evaluate(group / "fold-0", holdout=True)
    assert "Opened once, over the 3 runs and 1 committee whose" in page_of(group, group / "fold-0")
